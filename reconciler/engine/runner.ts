import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import type { ImageCommand } from './images.ts';
import type { Lifeline } from './lifeline.ts';

/** How a task's program ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set if it could not be started at all. */
  readonly error?: Error;
}

export interface Launch {
  readonly command: ImageCommand;
  readonly args: readonly string[];
  readonly sandbox: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A task's program while it runs, as the leader of its own process group. */
export interface Running {
  readonly pid: number;
  /** Resolves once, when the program and its whole group are gone. */
  readonly ended: Promise<Ending>;
  /** SIGTERM to the group now, SIGKILL after the grace. A second call changes nothing. */
  stop(graceMs: number): void;
}

/** SIGTERM and friends to a whole group; false if nobody is left in it. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

const SHELL = '/bin/sh';

function argvOf(launch: Launch): readonly [string, readonly string[]] {
  const { command, args } = launch;
  if (typeof command !== 'string') return [command[0] ?? SHELL, [...command.slice(1), ...args]];
  // Arguments of an app go to a command line of the image map as its positional parameters.
  if (args.length > 0) return [SHELL, ['-c', `${command} "$@"`, SHELL, ...args]];
  return [SHELL, ['-c', command]];
}

function spawnInto(launch: Launch): ChildProcess {
  mkdirSync(launch.sandbox, { recursive: true });
  // Append mode, so that a file may be cut while the task writes to it.
  const out = openSync(join(launch.sandbox, 'stdout'), 'a');
  const err = openSync(join(launch.sandbox, 'stderr'), 'a');
  try {
    const [file, args] = argvOf(launch);
    return spawn(file, args, {
      cwd: launch.sandbox,
      env: launch.env,
      detached: true,
      stdio: ['ignore', out, err],
    });
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

function exitOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
  });
}

/** Starts a task's program; its files stdout and stderr are in the sandbox. */
export function run(launch: Launch, lifeline: Lifeline, clock: Clock): Running {
  const child = spawnInto(launch);
  const group = child.pid ?? 0;
  if (group !== 0) lifeline.began(group);
  const state: { deadline?: number; gone: boolean } = { gone: false };

  async function ended(): Promise<Ending> {
    const ending = await exitOf(child);
    if (group !== 0) {
      await groupEnd();
      lifeline.ended(group);
    }
    state.gone = true;
    return ending;
  }

  // Members that are still shutting down get the rest of the grace; after a death of its own
  // accord the leader takes the group along, as the container's end does on an agent.
  async function groupEnd(): Promise<void> {
    while (clock.now() < (state.deadline ?? 0) && signalGroup(group, 0)) {
      await new Promise<void>((resolve) => clock.after(20, resolve));
    }
    signalGroup(group, 'SIGKILL');
  }

  function stop(graceMs: number): void {
    if (state.gone || group === 0 || state.deadline !== undefined) return;
    state.deadline = clock.now() + graceMs;
    signalGroup(group, 'SIGTERM');
    clock.after(graceMs, () => {
      if (!state.gone) signalGroup(group, 'SIGKILL');
    });
  }

  return { pid: group, ended: ended(), stop };
}
