import type { MarathonApp } from './marathon-app.ts';

/** One app that carries our owner label, as the list call shows it. */
export interface ActualApp {
  readonly id: string;
  readonly deployment: string;
  readonly cluster: string;
  readonly service: string;
  readonly digest: string;
  /** Revision of birth. */
  readonly revision: string;
  readonly instances: number;
  readonly tasksStaged: number;
  readonly tasksRunning: number;
  readonly tasksHealthy: number;
  readonly tasksUnhealthy: number;
  /** Marathon's versionInfo.lastConfigChangeAt: moves with every restart, never by scaling. */
  readonly configAt: string;
  /** Ids of platform changes that hold the app's lock. */
  readonly platformChanges: readonly string[];
  /** The app as Marathon returned it, whole. */
  readonly definition: MarathonApp;
}

/** What the list does not say, fetched only for apps in motion. */
export interface AppDetail {
  readonly tasks: readonly Task[];
  readonly lastFailure?: TaskFailure;
  /** Why instances are not launched, from `GET /v2/queue`. */
  readonly queue?: LaunchQueue;
}

export interface Task {
  readonly id: string;
  readonly appId: string;
  /** A Mesos state, `TASK_RUNNING` and so on; unknown ones are to be tolerated. */
  readonly state: string;
  readonly host: string;
  readonly ports: readonly number[];
  /** ISO time, absent until it started. */
  readonly startedAt?: string;
  readonly health: TaskHealth;
}

/** `unknown`: no check, no result yet, or a failure inside the grace period. */
export type TaskHealth = 'healthy' | 'unhealthy' | 'unknown';

export interface TaskFailure {
  readonly at: string;
  readonly state: string;
  readonly taskId: string;
  readonly message: string;
}

export interface LaunchQueue {
  readonly count: number;
  readonly delayMs: number;
  readonly overdue: boolean;
  /** `InsufficientCpus` and the like, most frequent first. */
  readonly reasons: readonly string[];
}
