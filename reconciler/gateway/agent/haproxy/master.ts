import { execFile, spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { DriverError } from '../../../errors.ts';
import type { HaproxyFiles } from './config.ts';
import { askOnce } from './runtime.ts';

/** HAProxy's processes as `show proc` lists them. */
export interface Processes {
  readonly master: number;
  /** The worker that accepts connections; undefined while none does. */
  readonly worker?: number;
  /** Workers of earlier configurations that finish what they have. */
  readonly old: readonly number[];
}

const START_MS = 5_000;
const RELOAD_MS = 10_000;
const STOP_MS = 3_000;

/** Undefined if no HAProxy of this folder runs. */
export async function findProcesses(files: HaproxyFiles): Promise<Processes | undefined> {
  try {
    return parseProcesses(await askOnce(files.master, 'show proc'));
  } catch {
    return undefined;
  }
}

export function parseProcesses(text: string): Processes | undefined {
  let master: number | undefined;
  let worker: number | undefined;
  const old: number[] = [];
  let section = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) section = line;
    const [pid = '', type] = line.trim().split(/\s+/u);
    if (!/^\d+$/u.test(pid)) continue;
    if (type === 'master') master = Number(pid);
    else if (type === 'worker' && section.includes('old')) old.push(Number(pid));
    else if (type === 'worker') worker = Number(pid);
  }
  if (master === undefined) return undefined;
  return { master, old, ...(worker === undefined ? {} : { worker }) };
}

/**
 * Starts HAProxy in a session of its own, so that it serves on when the agent dies; the next agent
 * finds it by its master socket.
 */
export async function startMaster(binary: string, files: HaproxyFiles): Promise<Processes> {
  await rm(files.master, { force: true });
  await rm(files.admin, { force: true });
  const log = openSync(files.log, 'w', 0o600);
  const child = spawn(binary, ['-W', '-S', `${files.master},mode,600`, '-f', files.config], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const failed: string[] = [];
  child.once('error', (error) => {
    failed.push(error.message);
  });
  child.once('exit', (code) => {
    failed.push(`it ended with status ${String(code)}, see ${files.log}`);
  });
  child.unref();
  const until = performance.now() + START_MS;
  while (performance.now() < until && failed.length === 0) {
    const found = await findProcesses(files);
    if (found?.worker !== undefined) return found;
    await sleep(20);
  }
  throw new DriverError(
    'haproxy-not-started',
    `HAProxy did not start: ${failed[0] ?? 'no worker within the time'}`,
    { retry: 'backoff' },
  );
}

/**
 * Loads the configuration file and returns once another worker serves. A signal may be lost and the
 * master refuses connections meanwhile, so only the new worker's pid is proof.
 */
export async function reloadMaster(files: HaproxyFiles, before: number): Promise<Processes> {
  const until = performance.now() + RELOAD_MS;
  await askOnce(files.master, 'reload').catch(() => '');
  while (performance.now() < until) {
    const found = await findProcesses(files);
    if (found?.worker !== undefined && found.worker !== before) return found;
    await sleep(20);
  }
  throw new DriverError('reload-failed', `HAProxy kept its old worker, see ${files.log}`, {
    retry: 'backoff',
  });
}

/** Asks the workers to finish and the master to end; ends it by force when that takes too long. */
export async function stopMaster(files: HaproxyFiles): Promise<boolean> {
  const found = await findProcesses(files);
  if (found === undefined) return false;
  for (const signal of ['SIGUSR1', 'SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive(found.master)) break;
    for (const pid of signal === 'SIGKILL' ? [found.worker, ...found.old] : []) send(pid, signal);
    send(found.master, signal);
    const until = performance.now() + (signal === 'SIGUSR1' ? STOP_MS / 3 : STOP_MS);
    while (isAlive(found.master) && performance.now() < until) await sleep(20);
  }
  return true;
}

/** What `haproxy -c` has against a configuration file; undefined if nothing. */
export function checkConfig(binary: string, file: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(binary, ['-c', '-f', file], { timeout: START_MS }, (error, _stdout, stderr) => {
      if (error === null) resolve(undefined);
      else resolve(alertsOf(stderr) || error.message);
    });
  });
}

/** `2.6.12`, or undefined if there is no such program. */
export function findVersion(binary: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(binary, ['-v'], { timeout: START_MS }, (error, stdout) => {
      resolve(error === null ? /version (\d+\.\d+[\w.]*)/u.exec(stdout)?.[1] : undefined);
    });
  });
}

function alertsOf(stderr: string): string {
  const alerts = stderr.split('\n').filter((line) => line.includes('[ALERT]'));
  return alerts.slice(0, 3).join(' ');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function send(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}
