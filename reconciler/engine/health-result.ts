import { timestamp } from './clock.ts';

/** What is known of one health check of one task. Times in milliseconds. */
export interface HealthResult {
  readonly firstSuccess?: number;
  readonly lastSuccess?: number;
  readonly lastFailure?: number;
  readonly lastFailureCause?: string;
  readonly consecutiveFailures: number;
  /** The latest outcome; false as long as there was no success. */
  readonly alive: boolean;
}

export type Outcome = { readonly ok: true } | { readonly ok: false; readonly cause: string };

/** A task before its first result counts as not alive to Marathon's health actor. */
export const NO_RESULT: HealthResult = { consecutiveFailures: 0, alive: false };

export function isAlive(result: HealthResult): boolean {
  return result.alive;
}

export function succeeded(result: HealthResult, now: number): HealthResult {
  return {
    ...result,
    firstSuccess: result.firstSuccess ?? now,
    lastSuccess: now,
    consecutiveFailures: 0,
    alive: true,
  };
}

export function failed(result: HealthResult, now: number, cause: string): HealthResult {
  return {
    ...result,
    lastFailure: now,
    lastFailureCause: cause,
    consecutiveFailures: result.consecutiveFailures + 1,
    alive: false,
  };
}

/**
 * Marathon ignores failures of a task that never succeeded and is still within its grace period.
 * Ignored ones change no counter.
 */
export function isIgnored(
  result: HealthResult,
  times: { readonly startedAt: number; readonly now: number; readonly graceMs: number },
): boolean {
  return result.firstSuccess === undefined && times.now - times.startedAt < times.graceMs;
}

/**
 * Marathon looks at the count before it adds the new failure, so failure N+1 kills. 0 never does.
 */
export function killsNow(before: HealthResult, maxConsecutiveFailures: number): boolean {
  return maxConsecutiveFailures > 0 && before.consecutiveFailures >= maxConsecutiveFailures;
}

export function resultJson(
  result: HealthResult,
  instanceId: string,
): Readonly<Record<string, unknown>> {
  const times = {
    firstSuccess: result.firstSuccess,
    lastSuccess: result.lastSuccess,
    lastFailure: result.lastFailure,
  };
  const known = Object.entries(times).flatMap(([name, at]) =>
    at === undefined ? [] : [[name, timestamp(at)]],
  );
  return {
    alive: result.alive,
    consecutiveFailures: result.consecutiveFailures,
    ...Object.fromEntries(known),
    ...(result.lastFailureCause === undefined ? {} : { lastFailureCause: result.lastFailureCause }),
    instanceId,
  };
}
