/** A timer that can be taken back. */
export interface Timer {
  cancel(): void;
}

/** Time as the engine sees it. A parameter, so that a test may hold it still. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after `ms`. Does not keep the program alive by itself. */
  after(ms: number, run: () => void): Timer;
}

// Timers beyond this overflow in Node and would fire at once.
const LONGEST_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(0, ms), LONGEST_MS));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Calls `run` every `ms`, first after `first`. */
export function every(
  clock: Clock,
  times: { readonly first: number; readonly ms: number },
  run: () => void,
): Timer {
  let cancelled = false;
  let timer = clock.after(times.first, tick);
  function tick(): void {
    if (cancelled) return;
    timer = clock.after(times.ms, tick);
    run();
  }
  return {
    cancel: () => {
      cancelled = true;
      timer.cancel();
    },
  };
}

/** Marathon writes times as ISO 8601 in UTC with milliseconds; they double as revision ids. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
