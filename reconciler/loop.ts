import type { ScheduledTask } from 'node-cron';
import { schedule } from 'node-cron';

import type { Status } from './model/status.ts';
import type { RoundResult } from './round.ts';

export type Schedule =
  /** A poll of git every so many milliseconds, counted from the start of the last one. */
  | { readonly kind: 'every'; readonly everyMs: number }
  /** A poll of git at the times of a cron expression. */
  | { readonly kind: 'cron'; readonly expression: string };

export interface LoopOptions {
  readonly schedule: Schedule;
  /** One round; `poll` says whether git is asked. */
  readonly round: (signal: AbortSignal, asks: { readonly poll: boolean }) => Promise<RoundResult>;
  readonly clock: () => number;
  /** Called with the outcome of every round. */
  readonly onRound?: (result: RoundResult) => void;
  /** A fault that is no fault of the world: a bug. The loop ends with it. */
  readonly onCrash: (error: unknown) => void;
}

export interface Loop {
  /** Look again as soon as possible; many calls in a row are one. */
  wake(): void;
  /** Ends the round under way at its next await; nothing is lost, the next process goes on. */
  stop(): Promise<void>;
}

/** How soon a unit that is under way is looked at again. */
const IN_MOTION_MS = 1000;
/** After a write the observation is stale: look again at once, but leave the world time to move. */
const AFTER_WRITE_MS = 250;
/** Without anything under way the world is still looked at this often, for drift. */
const IDLE_MS = 5000;
/** Events come in bursts: no more than one look in this time by wakes alone. */
const WAKE_PAUSE_MS = 250;

/** Runs rounds, one at a time: by schedule, by time that a plan waits for, and by wakes. */
export function startLoop(options: LoopOptions): Loop {
  const stopping = new AbortController();
  const pause = new Pause(stopping.signal);
  const polls = new PollClock(options, () => {
    pause.end();
  });
  const done = run({ options, polls, pause, signal: stopping.signal });
  return {
    wake: () => {
      pause.end(WAKE_PAUSE_MS);
    },
    async stop() {
      stopping.abort();
      pause.end();
      await polls.stop();
      await done;
    },
  };
}

async function run(of: {
  readonly options: LoopOptions;
  readonly polls: PollClock;
  readonly pause: Pause;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { options, polls, pause, signal } = of;
  while (!signal.aborted) {
    try {
      const result = await options.round(signal, { poll: polls.take() });
      if (signal.aborted) return;
      options.onRound?.(result);
      const now = options.clock();
      await pause.until(Math.min(polls.nextAt(), now + restOf(result, now)) - now);
    } catch (error) {
      if (signal.aborted) return;
      options.onCrash(error);
      return;
    }
  }
}

function restOf(result: RoundResult, now: number): number {
  const rest = result.acted ? AFTER_WRITE_MS : isMoving(result.status) ? IN_MOTION_MS : IDLE_MS;
  if (result.lookAgainAt === undefined) return rest;
  return Math.max(0, Math.min(rest, result.lookAgainAt - now));
}

/** True while some unit is under way: it can change by itself at any moment. */
export function isMoving(status: Status): boolean {
  return status.units.some((unit) => unit.phase === 'progressing' || unit.phase === 'baking');
}

/** When git is due to be polled. */
class PollClock {
  readonly #options: LoopOptions;
  readonly #task: ScheduledTask | undefined;
  #due = true;
  #last = 0;

  constructor(options: LoopOptions, onDue: () => void) {
    this.#options = options;
    if (options.schedule.kind !== 'cron') return;
    this.#task = schedule(options.schedule.expression, () => {
      this.#due = true;
      onDue();
    });
  }

  /** True if a poll is due now; it is then taken as done. */
  take(): boolean {
    const now = this.#options.clock();
    const due = this.#due || this.nextAt() <= now;
    if (due) this.#last = now;
    this.#due = false;
    return due;
  }

  nextAt(): number {
    const { schedule: when } = this.#options;
    return when.kind === 'every' ? this.#last + when.everyMs : Number.POSITIVE_INFINITY;
  }

  async stop(): Promise<void> {
    await this.#task?.destroy();
  }
}

/** A wait that can be cut short. A cut that comes while nobody waits counts for the next wait. */
class Pause {
  readonly #signal: AbortSignal;
  #release: (() => void) | undefined;
  #startedAt = 0;
  #cut: number | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** `leastMs`: the wait lasts at least so long from its start, to gather a burst of wakes. */
  end(leastMs = 0): void {
    this.#cut = Math.min(this.#cut ?? Number.POSITIVE_INFINITY, leastMs);
    const release = this.#release;
    if (release === undefined) return;
    const waited = performance.now() - this.#startedAt;
    if (waited >= leastMs) release();
    else setTimeout(release, leastMs - waited);
  }

  async until(ms: number): Promise<void> {
    if (this.#signal.aborted) return;
    this.#startedAt = performance.now();
    const length = Math.max(0, Math.min(ms, this.#cut ?? ms));
    this.#cut = undefined;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, length);
      this.#release = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#release = undefined;
    this.#cut = undefined;
  }
}
