import type { AppWrite } from '../model/action.ts';
import type { ActualApp, AppDetail, Task } from '../model/actual.ts';

export type { AppWrite } from '../model/action.ts';

/**
 * Where apps run. Every method throws `DriverError` on a fault of the world, takes no longer than
 * the configured timeout, and may be repeated: writes are idempotent by what they ask for.
 */
export interface Platform {
  /** One light call: every app that carries our owner label, other people's are left out. */
  list(signal: AbortSignal): Promise<readonly ActualApp[]>;
  /** Tasks, last failure and launch queue of one app; undefined if it does not exist. */
  detail(appId: string, signal: AbortSignal): Promise<AppDetail | undefined>;
  /** Does one write and returns when the platform has accepted it, not when it is rolled out. */
  act(write: AppWrite, signal: AbortSignal): Promise<void>;
}

/** Where instances are, for whoever needs endpoints (the gateway agent). */
export interface TaskFeed {
  /** One `GET /v2/tasks`: every task of every app, ours or not. */
  tasks(signal: AbortSignal): Promise<readonly Task[]>;
  /**
   * Ends when `signal` aborts, never throws: yields whenever something may have changed (an event,
   * a stream that was cut or re-attached). A hint to look, never a truth.
   */
  wakes(signal: AbortSignal): AsyncIterable<Wake>;
}

/** A task that an event named as terminal or killing may leave rotation without waiting for a look. */
export interface Wake {
  readonly type: string;
  readonly gone?: { readonly taskId: string; readonly appId: string };
}
