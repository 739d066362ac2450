import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Config } from '../config.ts';
import { LOCAL_NODE, localAgentDir, openGateways } from '../drivers.ts';
import { DriverError } from '../errors.ts';

/** How this program calls itself: Node and the path of main.ts. */
export type Self = readonly [execPath: string, mainPath: string];

const LONGEST_START_MS = 15_000;

/**
 * Starts the local agent where the configuration names no node and none runs. It outlives this
 * process on purpose: only `sluice gateway stop` ends it (design section 3).
 *
 * @throws DriverError `gateway-not-started` with the log to read.
 */
export async function ensureLocalAgent(
  starting: AgentStart,
  signal: AbortSignal,
): Promise<'running' | 'started' | 'not-ours'> {
  const { config } = starting;
  if (config.gateways.nodes.length > 0 || !config.gateways.startLocal) return 'not-ours';
  if (await isUp(config, signal)) return 'running';
  const folder = localAgentDir(config);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const log = join(folder, 'agent.log');
  const child = spawnAgent(starting, openSync(log, 'a', 0o600));
  const started = Date.now();
  while (Date.now() - started < LONGEST_START_MS && child.exitCode === null) {
    if (await isUp(config, signal)) return 'started';
    await sleep(100, undefined, { signal });
  }
  throw new DriverError(
    'gateway-not-started',
    `the local gateway agent does not answer; its log is ${log}`,
    { retry: 'backoff' },
  );
}

export interface AgentStart {
  readonly config: Config;
  readonly configFile: string;
  readonly self: Self;
  /** The whole environment: the agent reads the same variables, secrets among them. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The agent gets what this process was told by flags as well, or it would follow another world. */
function spawnAgent({ config, configFile, self, env }: AgentStart, output: number): ChildProcess {
  const named = existsSync(configFile) ? ['--config', configFile] : [];
  const told = {
    SLUICE_MARATHON_URLS: config.marathon.urls.join(','),
    SLUICE_STATE_DIR: config.stateDir,
  };
  const words = [self[1], 'gateway', 'start', ...named, '--node', LOCAL_NODE];
  const child = spawn(self[0], words, {
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...env, ...told },
  });
  child.unref();
  return child;
}

async function isUp(config: Config, signal: AbortSignal): Promise<boolean> {
  const views = await openGateways(config).observe(signal);
  return views.every((view) => view.error === undefined);
}
