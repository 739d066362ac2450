import type { Parts } from './weights.ts';

/** How a gateway gets from its present weights to its target. Times in milliseconds. */
export interface Rollout {
  readonly strategy: 'canary' | 'all-at-once';
  /** Rising absolute shares of the gateway; the last is `WHOLE`. */
  readonly steps: readonly Step[];
  /** How long the version may take to have its tasks started and healthy, on its own clock. */
  readonly deadlineMs: number;
  readonly onFailure: 'rollback' | 'hold';
  /** Longest wait for open sessions of a leaving instance. */
  readonly drainMs: number;
  /** How long the old version stays at full size after the last bake. */
  readonly warmMs: number;
  /** How long it then stays parked at 0 instances before it is deleted. */
  readonly keepMs: number;
  /** Whole per cent of the wanted instances that must be usable at every proxy. */
  readonly minReady: number;
}

export interface Step {
  readonly weight: Parts;
  /** Shortest time at this step. */
  readonly bakeMs: number;
}
