import { mkdir, readFile } from 'node:fs/promises';
import type { Logger } from 'pino';

import { DriverError } from '../../errors.ts';
import type { TaskFeed } from '../../platform/port.ts';
import { AgentCore } from './agent-core.ts';
import { readAgentState } from './agent-state.ts';
import { startApi, type Desk, type Listen } from './api.ts';
import { createEmbeddedProxy } from './embedded/embedded-proxy.ts';
import { createHaproxyProxy } from './haproxy/haproxy-proxy.ts';
import { haproxyFiles } from './haproxy/haproxy-files.ts';
import { findVersion, stopMaster } from './haproxy/master.ts';
import { Keeper } from './keeper.ts';
import { TUNING, type Proxy, type ProxyTuning } from './proxy.ts';
import { lockState } from './state-lock.ts';

export interface AgentOptions {
  /** Name of this node in views, logs and errors. */
  readonly node: string;
  /** Folder of its own, made if it is missing; the splits, the endpoints and HAProxy live there. */
  readonly stateDir: string;
  readonly listen: Listen;
  /** File that holds the bearer token; required beyond loopback and unix sockets. */
  readonly tokenFile?: string;
  /** `auto`: HAProxy if there is one of 2.6 or newer, else the embedded proxy. */
  readonly proxy: 'haproxy' | 'embedded' | 'auto';
  readonly haproxyBinary?: string;
  /** Address on which gateways listen; 127.0.0.1 unless given. */
  readonly bindHost?: string;
  readonly tasks: TaskFeed;
  /** Pause between two looks at Marathon, milliseconds; 2000 unless given. */
  readonly pollMs?: number;
  readonly tuning?: Partial<ProxyTuning>;
  readonly version?: string;
  readonly logger: Logger;
}

export interface Agent {
  readonly url?: string;
  readonly socket?: string;
  readonly proxy: 'haproxy' | 'embedded';
  /** Resolves when the agent has ended, by `close` or by `POST /v1/stop`. */
  readonly closed: Promise<void>;
  /** Ends the agent and its proxy; with `leave`, HAProxy serves on and the next agent adopts it. */
  close(mode?: 'stop' | 'leave'): Promise<void>;
}

/** Starts the agent: serves what its disk says at once, then follows Marathon and its splits. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { stateDir, logger } = options;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const lock = await lockState(stateDir);
  try {
    const token = await readToken(options.tokenFile);
    const keeper = new Keeper(await readAgentState(stateDir, logger));
    const proxy = await chooseProxy(options);
    const core = new AgentCore({ ...options, keeper, proxy });
    await core.begin();
    const stopping = Promise.withResolvers<'stop' | 'leave'>();
    const desk: Desk = {
      state: (signal) => core.state(signal),
      put: (split, signal) => core.put(split, signal),
      remove: (gateway, generation) => core.remove(gateway, generation),
      stop: () => stopping.resolve('stop'),
    };
    const api = await startApi({
      listen: options.listen,
      desk,
      ...(token === undefined ? {} : { token }),
    }).catch(async (error: unknown) => {
      await core.close('leave');
      throw error;
    });
    const closed = stopping.promise.then(async (mode) => {
      await api.close();
      await core.close(mode);
      await lock.release();
      return undefined;
    });
    logger.info({ node: options.node, proxy: proxy.kind, ...api.address }, 'gateway agent started');
    return {
      ...api.address,
      proxy: proxy.kind,
      closed,
      close(mode = 'stop') {
        stopping.resolve(mode);
        return closed;
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * Ends the HAProxy of a state folder whose agent is dead; false if none runs. A living agent is to be
 * asked by `POST /v1/stop` instead.
 */
export function stopLeftoverProxy(stateDir: string): Promise<boolean> {
  return stopMaster(haproxyFiles(stateDir));
}

async function chooseProxy(options: AgentOptions): Promise<Proxy> {
  const tuning = { ...TUNING, ...options.tuning };
  const bindHost = options.bindHost ?? '127.0.0.1';
  const binary = options.haproxyBinary ?? 'haproxy';
  const { logger, stateDir } = options;
  if (options.proxy === 'embedded') {
    // One that an earlier agent left would hold the ports.
    if (await stopLeftoverProxy(stateDir)) logger.info('ended the HAProxy of an earlier agent');
    return createEmbeddedProxy({ bindHost, tuning });
  }
  const version = await findVersion(binary);
  if (version !== undefined && isRecent(version)) {
    return createHaproxyProxy({ binary, folder: stateDir, bindHost, tuning, logger });
  }
  if (options.proxy === 'auto') return createEmbeddedProxy({ bindHost, tuning });
  const found = version === undefined ? 'there is none' : `this is ${version}`;
  throw new DriverError('haproxy-missing', `${binary}: HAProxy 2.6 or newer is needed, ${found}`, {
    retry: 'never',
  });
}

/** Adding servers with checks at run time came with HAProxy 2.6. */
function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 6);
}

async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    const token = (await readFile(file, 'utf8')).trim();
    if (token !== '') return token;
  } catch (error) {
    throw new DriverError('token-unreadable', `cannot read the token file ${file}`, {
      retry: 'never',
      cause: error,
    });
  }
  throw new DriverError('token-unreadable', `the token file ${file} is empty`, { retry: 'never' });
}
