import net from 'node:net';

import { DriverError } from '../../../errors.ts';

/** Longest wait for one answer of HAProxy, milliseconds. */
const ANSWER_MS = 5_000;
const PROMPT = '\n> ';

/**
 * An open conversation with one worker. It also keeps that worker alive after a reload (its command
 * line counts as a job), so that its last counters can be read before it goes.
 */
export interface Session {
  /** The answer's text without the prompt. */
  ask(command: string): Promise<string>;
  close(): void;
}

/** Connects to the stats socket of the worker that owns it now. */
export async function openSession(socketPath: string): Promise<Session> {
  const socket = net.connect(socketPath);
  socket.setEncoding('utf8');
  let text = '';
  let waiting: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let ended: Error | undefined;

  function end(error: Error): void {
    ended ??= error;
    waiting?.reject(error);
    waiting = undefined;
    socket.destroy();
  }
  socket.on('data', (part: string) => {
    text += part;
    if (!text.endsWith(PROMPT)) return;
    const answer = text.slice(0, -PROMPT.length).trim();
    text = '';
    waiting?.resolve(answer);
    waiting = undefined;
  });
  socket.on('error', (error) => end(unreachable(error)));
  socket.on('close', () => end(unreachable(new Error('HAProxy closed the connection'))));

  function exchange(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (ended !== undefined) {
        reject(ended);
        return;
      }
      const late = setTimeout(() => end(unreachable(new Error('no answer'))), ANSWER_MS);
      waiting = {
        resolve(answer) {
          clearTimeout(late);
          resolve(answer);
        },
        reject(error) {
          clearTimeout(late);
          reject(error);
        },
      };
      socket.write(`${command}\n`);
    });
  }
  function ask(command: string): Promise<string> {
    const turn = queue.then(() => exchange(command));
    queue = turn.catch(() => undefined);
    return turn;
  }
  await ask('prompt');
  return { ask, close: () => socket.destroy() };
}

/**
 * One command to a socket and the whole answer. The writing side is shut at once: the master keeps
 * the connection open until then.
 */
export function askOnce(socketPath: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: socketPath, allowHalfOpen: true });
    let answer = '';
    const late = setTimeout(() => socket.destroy(new Error('no answer')), ANSWER_MS);
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      answer += part;
    });
    socket.on('end', () => {
      socket.destroy();
      resolve(answer.trim());
    });
    socket.on('error', (error) => reject(unreachable(error)));
    socket.on('close', () => clearTimeout(late));
    socket.end(`${command}\n`);
  });
}

/** Map keys and values in a command: blanks, semicolons and backslashes end or join words there. */
export function quote(word: string): string {
  return word.replace(/[\\ ;]/gu, '\\$&');
}

function unreachable(cause: Error): DriverError {
  return new DriverError('haproxy-unreachable', `HAProxy does not answer: ${cause.message}`, {
    retry: 'soon',
    cause,
  });
}
