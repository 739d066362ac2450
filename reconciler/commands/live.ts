import { readFileSync } from 'node:fs';

import { Agent, request } from 'undici';

import type { Config } from '../config.ts';
import type { Status } from '../model/status.ts';

const TIMEOUT_MS = 5000;

/** Asks the reconciler that is alive on this configuration; undefined if none answers. */
export async function askStatus(config: Config): Promise<Status | undefined> {
  const text = await ask(config, { method: 'GET', path: '/status' });
  if (text === undefined) return undefined;
  // Our own server on our own socket: its shape is this program's.
  const status: Status = JSON.parse(text);
  return status;
}

/** The token that callers of the status server need, if any; read anew at every use. */
function serverToken(config: Config): string | undefined {
  const { tokenFile } = config.server;
  return tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim();
}

/** Asks a live reconciler to look at once; false if none answers. */
export async function askRound(config: Config): Promise<boolean> {
  return (await ask(config, { method: 'POST', path: '/rounds' })) !== undefined;
}

async function ask(
  config: Config,
  call: { readonly method: 'GET' | 'POST'; readonly path: string },
): Promise<string | undefined> {
  const { listen } = config.server;
  const agent = new Agent({
    ...('socket' in listen && { connect: { socketPath: listen.socket } }),
    connections: 1,
  });
  const token = serverToken(config);
  const base = 'socket' in listen ? 'http://reconciler' : `http://${hostOf(listen)}`;
  try {
    const answer = await request(new URL(call.path, base), {
      method: call.method,
      dispatcher: agent,
      ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    const text = await answer.body.text();
    return answer.statusCode < 300 ? text : undefined;
  } catch {
    return undefined;
  } finally {
    await agent.destroy();
  }
}

function hostOf(listen: { readonly host: string; readonly port: number }): string {
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return `${host}:${String(listen.port)}`;
}
