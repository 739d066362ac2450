import { rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';

import { DriverError } from '../../errors.ts';

export interface StateLock {
  release(): Promise<void>;
}

/** Linux allows 107 bytes; HAProxy appends a suffix while it binds. */
const LONGEST_PATH = 90;

/**
 * One agent per state folder. The lock is a listening socket: the kernel lets go of it when the
 * agent dies, however it dies, so that a stale one cannot stop its successor.
 */
export async function lockState(stateDir: string): Promise<StateLock> {
  const file = path.join(stateDir, 'agent.lock');
  assertShortPath(file);
  if (await isListening(file)) {
    throw new DriverError('agent-running', `another agent uses ${stateDir}`, { retry: 'never' });
  }
  await rm(file, { force: true });
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(file, resolve);
  });
  server.unref();
  return {
    release: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  };
}

export function assertShortPath(file: string): void {
  if (Buffer.byteLength(file) <= LONGEST_PATH) return;
  throw new DriverError(
    'socket-path-too-long',
    `${file} is longer than ${String(LONGEST_PATH)} bytes; choose a shorter folder`,
    { retry: 'never' },
  );
}

/** Somebody accepts connections on this unix socket. */
export function isListening(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
