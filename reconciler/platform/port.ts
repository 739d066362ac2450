import type { ActualApp, AppDetail, Task } from '../model/actual.ts';
import type { MarathonApp } from '../model/marathon-app.ts';

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

export type AppWrite =
  /** The whole app, our labels included. An app of this id that already exists is `app-exists`. */
  | { readonly kind: 'create-app'; readonly id: string; readonly definition: MarathonApp }
  /** Sends `instances` only; refuses with `app-restarted` if lastConfigChangeAt moved by it. */
  | {
      readonly kind: 'scale-app';
      readonly id: string;
      readonly instances: number;
      readonly configAt: string;
    }
  /** Kills exactly these and shrinks the app by their number. */
  | { readonly kind: 'kill-tasks'; readonly appId: string; readonly taskIds: readonly string[] }
  /** Never forces. An app that is already gone is fine. */
  | { readonly kind: 'delete-app'; readonly id: string };

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
