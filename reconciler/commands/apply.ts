import { setTimeout as sleep } from 'node:timers/promises';

import { findWriter } from '../journal/writer-lock.ts';
import { isMoving } from '../loop.ts';
import type { Status, UnitStatus } from '../model/status.ts';
import { openReconciler } from '../reconciler.ts';
import { ensureLocalAgent } from './agent-process.ts';
import { askRound, askStatus } from './live.ts';
import type { RunContext } from './run.ts';
import { renderStatus } from './status.ts';
import type { ExitStatus } from './terminal.ts';
import { styled } from './terminal.ts';

export interface ApplyOptions {
  /** Longest time until converged, milliseconds. */
  readonly timeoutMs: number;
}

const LOOK_MS = 500;

/** `sluice apply`: rounds until converged, stalled or out of time. Beside a live `run` it watches. */
export async function apply(context: RunContext, options: ApplyOptions): Promise<ExitStatus> {
  const live = findWriter(context.config.stateDir);
  if (live !== undefined && (await askRound(context.config))) {
    context.terminal.err(
      `a reconciler is alive here (pid ${String(live.holder?.pid)}): watching it\n`,
    );
    return watchLive(context, options);
  }
  const reconciler = openReconciler(context);
  try {
    await ensureLocalAgent(context, context.terminal.signal);
    let poll = true;
    return await follow(context, options, async (signal) => {
      const result = await reconciler.round(signal, { poll });
      poll = false;
      return result.status;
    });
  } finally {
    await reconciler.close();
  }
}

async function watchLive(context: RunContext, options: ApplyOptions): Promise<ExitStatus> {
  const asked = Date.now();
  return follow(context, options, async () => {
    const status = await askStatus(context.config);
    // What it showed before we asked says nothing about the commit that we wait for.
    return status !== undefined && status.at >= asked ? status : undefined;
  });
}

type Look = (signal: AbortSignal) => Promise<Status | undefined>;

async function follow(context: RunContext, options: ApplyOptions, look: Look): Promise<ExitStatus> {
  const { terminal } = context;
  const ends = Date.now() + options.timeoutMs;
  const progress = new Progress(context);
  let status: Status | undefined;
  let still = 0;
  while (!terminal.signal.aborted) {
    status = (await look(terminal.signal)) ?? status;
    if (status) progress.tell(status);
    // Twice at rest in a row: a wish or an instance that is just changing shows by then.
    still = status && isAtRest(status) ? still + 1 : 0;
    if (still >= 2 || Date.now() >= ends) break;
    await sleep(LOOK_MS, undefined, { signal: terminal.signal }).catch(() => undefined);
  }
  return report(context, status, still >= 2);
}

function isAtRest(status: Status): boolean {
  return (
    status.platform.state === 'up' && !isMoving(status) && status.source.state !== 'remote-down'
  );
}

function report(context: RunContext, status: Status | undefined, atRest: boolean): ExitStatus {
  const { terminal } = context;
  if (status === undefined) {
    terminal.err('no round was completed\n');
    return 2;
  }
  if (terminal.json) terminal.out(`${JSON.stringify(status)}\n`);
  else terminal.out(renderStatus(status, Date.now(), { colour: terminal.colour }));
  if (status.platform.state === 'down' || status.source.revision === undefined) return 2;
  return atRest && isConverged(status) ? 0 : 1;
}

/** Everything is as git asks, and git is understood whole. */
export function isConverged(status: Status): boolean {
  return (
    status.holds.length === 0 &&
    status.source.state === 'fresh' &&
    status.source.faulty.length === 0 &&
    status.units.every((unit) => unit.phase === 'converged')
  );
}

/** One line on stderr whenever what a unit says of itself changes. */
class Progress {
  readonly #context: RunContext;
  readonly #told = new Map<string, string>();

  constructor(context: RunContext) {
    this.#context = context;
  }

  tell(status: Status): void {
    for (const unit of status.units) this.#tellUnit(unit);
    const { state, message } = status.platform;
    if (state === 'down') this.#once('marathon', `marathon: ${message}`);
  }

  #tellUnit(unit: UnitStatus): void {
    const { terminal } = this.#context;
    this.#once(unit.unit, `${unit.unit}: ${styled(terminal, 'bold', unit.phase)} ${unit.message}`);
  }

  #once(key: string, line: string): void {
    if (this.#told.get(key) === line) return;
    this.#told.set(key, line);
    this.#context.terminal.err(`${line}\n`);
  }
}
