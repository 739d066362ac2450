import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
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
  config: Config,
  self: Self,
  configFile: string,
  signal: AbortSignal,
): Promise<'running' | 'started' | 'not-ours'> {
  if (config.gateways.nodes.length > 0 || !config.gateways.startLocal) return 'not-ours';
  if (await isUp(config, signal)) return 'running';
  const folder = localAgentDir(config);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const log = join(folder, 'agent.log');
  const output = openSync(log, 'a', 0o600);
  const child = spawn(
    self[0],
    [self[1], 'gateway', 'start', '--config', configFile, '--node', LOCAL_NODE],
    { detached: true, stdio: ['ignore', output, output] },
  );
  child.unref();
  for (const started = Date.now(); Date.now() - started < LONGEST_START_MS;) {
    if (await isUp(config, signal)) return 'started';
    if (child.exitCode !== null) break;
    await sleep(100, undefined, { signal });
  }
  throw new DriverError(
    'gateway-not-started',
    `the local gateway agent does not answer; its log is ${log}`,
    { retry: 'backoff' },
  );
}

async function isUp(config: Config, signal: AbortSignal): Promise<boolean> {
  const views = await openGateways(config).observe(signal);
  return views.every((view) => view.error === undefined);
}
