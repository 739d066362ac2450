import { randomUUID } from 'node:crypto';
import { timestamp } from './clock.ts';
import type { AppDefinition } from './definition.ts';
import { servicePorts } from './definition.ts';
import type { HealthResult } from './health-result.ts';
import { isAlive, resultJson } from './health-result.ts';
import type { PortClaim } from './ports.ts';
import type { Running } from './runner.ts';

export type TaskState =
  /** Wanted, but not handed to the system yet: Marathon's Provisioned, not shown as a task. */
  | 'PROVISIONED'
  | 'TASK_STAGING'
  | 'TASK_STARTING'
  | 'TASK_RUNNING'
  | 'TASK_KILLING'
  | 'TASK_KILLED'
  | 'TASK_FINISHED'
  | 'TASK_FAILED'
  | 'TASK_ERROR';

/** A place for a task that survives its tasks: its id stays when a task is replaced. */
export interface Seat {
  readonly instanceId: string;
  readonly incarnation: number;
}

/** One task. Mutable: the engine's own bookkeeping of a process. */
export interface Task {
  readonly id: string;
  readonly seat: Seat;
  /** The definition that it was started with. */
  readonly app: AppDefinition;
  readonly host: string;
  readonly sandbox: string;
  state: TaskState;
  /** True once its kill was decided: it counts for nothing any more. */
  sentenced: boolean;
  /** False if nothing shall take its place (scaled away). */
  replaced: boolean;
  stagedAt: number | undefined;
  startedAt: number | undefined;
  claim: PortClaim | undefined;
  running: Running | undefined;
  /** Results by index of the health check. No entry: nothing is known yet. */
  readonly health: Map<number, HealthResult>;
}

export function newSeat(appId: string): Seat {
  const name = appId.slice(1).replaceAll('/', '_');
  return { instanceId: `${name}.instance-${randomUUID()}`, incarnation: 1 };
}

/** Task id in the form of Marathon 1.4+: instance, container name, incarnation. */
export function taskId(seat: Seat): string {
  return `${seat.instanceId}._app.${seat.incarnation}`;
}

/** What Marathon makes of a task's check results: undefined while one of them is unknown. */
export function healthOf(task: Task): boolean | undefined {
  const results = [...task.health.values()];
  if (results.some((result) => !isAlive(result))) return false;
  const checks = task.app.healthChecks ?? [];
  return checks.length > 0 && results.length < checks.length ? undefined : true;
}

/** Running and not known to be unhealthy or unknown. Without checks: running is healthy. */
export function isHealthy(task: Task): boolean {
  return task.state === 'TASK_RUNNING' && healthOf(task) === true;
}

export function isActive(task: Task): boolean {
  return !task.sentenced;
}

const SLAVE_ID = '00000000-0000-4000-8000-000000000000-S0';

export function slaveId(): string {
  return SLAVE_ID;
}

/** A task as `/v2/tasks` shows it. */
export function taskJson(task: Task): Readonly<Record<string, unknown>> {
  const results = [...task.health.values()].map((each) => resultJson(each, task.seat.instanceId));
  return {
    appId: task.app.id,
    id: task.id,
    host: task.host,
    ports: task.claim?.ports ?? [],
    servicePorts: servicePorts(task.app),
    slaveId: SLAVE_ID,
    state: task.state,
    ...(task.stagedAt === undefined ? {} : { stagedAt: timestamp(task.stagedAt) }),
    ...(task.startedAt === undefined ? {} : { startedAt: timestamp(task.startedAt) }),
    version: task.app.version,
    ipAddresses: [{ ipAddress: '127.0.0.1', protocol: 'IPv4' }],
    localVolumes: [],
    ...(results.length === 0 ? {} : { healthCheckResults: results }),
  };
}

export interface TaskCounts {
  readonly tasksStaged: number;
  readonly tasksRunning: number;
  readonly tasksHealthy: number;
  readonly tasksUnhealthy: number;
}

export function countTasks(tasks: readonly Task[]): TaskCounts {
  const running = tasks.filter((task) => task.state === 'TASK_RUNNING');
  const results = running.filter((task) => task.health.size > 0);
  const staged = tasks.filter(
    (task) => task.state === 'TASK_STAGING' || task.state === 'TASK_STARTING',
  );
  return {
    tasksStaged: staged.length,
    tasksRunning: running.length,
    // Marathon counts what has a result: without checks nothing is healthy nor unhealthy here.
    tasksHealthy: results.filter((task) => healthOf(task) === true).length,
    tasksUnhealthy: results.filter((task) => healthOf(task) === false).length,
  };
}

/** All tasks that are not over yet, by id and by app. */
export class Tasks {
  readonly #byId = new Map<string, Task>();
  readonly #byApp = new Map<string, Set<Task>>();

  add(task: Task): void {
    this.#byId.set(task.id, task);
    const others = this.#byApp.get(task.app.id) ?? new Set();
    this.#byApp.set(task.app.id, others.add(task));
  }

  remove(task: Task): void {
    this.#byId.delete(task.id);
    const others = this.#byApp.get(task.app.id);
    others?.delete(task);
    if (others?.size === 0) this.#byApp.delete(task.app.id);
  }

  get(id: string): Task | undefined {
    return this.#byId.get(id);
  }

  /** Every task of an app, those that are provisioned or being killed included. */
  of(appId: string): readonly Task[] {
    return [...(this.#byApp.get(appId) ?? [])];
  }

  all(): readonly Task[] {
    return [...this.#byId.values()];
  }

  /** What the API shows: everything that was handed to the system. */
  shown(appId?: string): readonly Task[] {
    const tasks = appId === undefined ? this.all() : this.of(appId);
    return tasks.filter((task) => task.state !== 'PROVISIONED');
  }
}
