import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';

/** In the environment of every task: which engine it belongs to. */
export const ENGINE_MARK = 'SLUICE_ENGINE';
/** In the environment of every task, beyond the reach of the app's own env. */
export const TASK_MARK = 'SLUICE_TASK';
const REAPER_MARK = 'SLUICE_REAPER';

const REAPER = fileURLToPath(new URL('./reaper.sh', import.meta.url));

export interface Identity {
  /** Stands for the state folder: the same for every engine that ever uses it. */
  readonly state: string;
  /** This run of the engine. */
  readonly run: string;
  /** Folder below which every task's working directory lies. */
  readonly sandboxes: string;
}

export function engineMark(identity: Identity): string {
  return `${identity.state}.${identity.run}`;
}

interface Found {
  readonly pid: number;
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
}

async function look(pid: number): Promise<Found | undefined> {
  try {
    const [environ, cwd] = await Promise.all([
      readFile(`/proc/${pid}/environ`, 'utf8'),
      readlink(`/proc/${pid}/cwd`),
    ]);
    const pairs = environ.split('\0').map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    });
    return { pid, env: new Map(pairs), cwd };
  } catch {
    // Gone, or somebody else's: neither is a task of ours.
    return undefined;
  }
}

/** Every process that may be looked into. Empty where there is no /proc. */
async function everyProcess(): Promise<readonly Found[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.filter((pid) => pid !== process.pid).map(look));
  return found.filter((each) => each !== undefined);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It went by itself.
  }
}

/** Which task a process belongs to: undefined if it is none of ours, '' if it hides its task. */
function ownerOf(each: Found, identity: Identity): string | undefined {
  const marked = each.env.get(ENGINE_MARK)?.startsWith(`${identity.state}.`) ?? false;
  const inside = each.cwd.startsWith(`${identity.sandboxes}/`);
  if (!marked && !inside) return undefined;
  if (inside) return each.cwd.slice(identity.sandboxes.length + 1).split('/')[0] ?? '';
  return each.env.get(TASK_MARK) ?? '';
}

/**
 * Kills processes of tasks that are over: those that left their group and session. `isLive` says
 * of a task id whether its processes may stay.
 */
export async function killStrays(
  identity: Identity,
  isLive: (taskId: string) => boolean,
): Promise<number> {
  const strays = (await everyProcess()).filter((each) => {
    const owner = ownerOf(each, identity);
    return owner !== undefined && !isLive(owner);
  });
  for (const stray of strays) kill(stray.pid, 'SIGKILL');
  return strays.length;
}

async function formerReapers(identity: Identity): Promise<readonly Found[]> {
  return (await everyProcess()).filter((each) =>
    each.env.get(REAPER_MARK)?.startsWith(`${identity.state}.`),
  );
}

// A reaper that does not end by then is stuck, and is ended.
const REAPER_ROUNDS = 200;

/**
 * Ends whatever a former engine left behind in this state folder. Its reaper goes first: it knows
 * process groups that nobody else does, and would later take the tasks of this engine for its own.
 */
export async function reapLeftovers(identity: Identity): Promise<number> {
  for (let round = 0; round <= REAPER_ROUNDS; round += 1) {
    const reapers = await formerReapers(identity);
    if (reapers.length === 0) break;
    const stuck = round === REAPER_ROUNDS;
    if (stuck || round === 0)
      for (const { pid } of reapers) kill(pid, stuck ? 'SIGKILL' : 'SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  let total = 0;
  // A process may fork while it is looked for, so look until nothing is found.
  for (let round = 0; round < 50; round += 1) {
    const killed = await killStrays(identity, () => false);
    if (killed === 0) return total;
    total += killed;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return total;
}

/** Holds the state folder against a second engine; undefined if there is one already. */
export function lockState(identity: Identity): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    // A name in the abstract namespace goes with the process that holds it, however it ends.
    // Other systems have none, and there nothing holds the folder.
    const where =
      process.platform === 'linux'
        ? { path: `\0sluice-engine-${identity.state}` }
        : { port: 0, host: '127.0.0.1' };
    server.listen(where, () => {
      server.unref();
      resolve(server);
    });
  });
}

/**
 * The reaper of this engine: one small shell that waits at the end of a pipe, and stops every task
 * once the engine is gone. See docs/adr/0003-no-orphan-tasks.md.
 */
export class Lifeline {
  readonly #identity: Identity;
  readonly #logger: Logger;
  readonly #groups = new Set<number>();
  #reaper: ChildProcess;
  #closing = false;

  constructor(identity: Identity, logger: Logger) {
    this.#identity = identity;
    this.#logger = logger;
    this.#reaper = this.#start();
  }

  /** Pid of the reaper. */
  get pid(): number | undefined {
    return this.#reaper.pid;
  }

  began(group: number): void {
    this.#groups.add(group);
    this.#write(`+ ${group}\n`);
  }

  ended(group: number): void {
    this.#groups.delete(group);
    this.#write(`- ${group}\n`);
  }

  /** Ends the reaper, which takes along whatever is still there. */
  async close(): Promise<void> {
    this.#closing = true;
    const reaper = this.#reaper;
    if (reaper.exitCode !== null || reaper.signalCode !== null) return;
    const exited = once(reaper, 'exit');
    reaper.stdin?.end();
    await exited;
  }

  #write(line: string): void {
    if (!this.#closing) this.#reaper.stdin?.write(line);
  }

  #start(): ChildProcess {
    const mark = engineMark(this.#identity);
    // In a session of its own: a kill of the engine's whole group must not take the reaper along.
    const reaper = spawn('/bin/sh', [REAPER, `${ENGINE_MARK}=${mark}`, this.#identity.sandboxes], {
      detached: true,
      cwd: '/',
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        [REAPER_MARK]: mark,
      },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    reaper.stdin?.on('error', () => undefined);
    for (const group of this.#groups) reaper.stdin?.write(`+ ${group}\n`);
    reaper.once('exit', () => {
      if (this.#closing) return;
      this.#logger.warn('the reaper ended before the engine; starting another');
      this.#reaper = this.#start();
    });
    reaper.once('error', (error) => this.#logger.error({ error }, 'the reaper cannot be started'));
    reaper.unref();
    return reaper;
  }
}
