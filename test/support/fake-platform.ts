import { DriverError } from '../../reconciler/errors.ts';
import type { AppWrite } from '../../reconciler/model/action.ts';
import type {
  ActualApp,
  AppDetail,
  Task,
  TaskFailure,
  TaskHealth,
} from '../../reconciler/model/actual.ts';
import { LABELS } from '../../reconciler/model/labels.ts';
import type { MarathonApp } from '../../reconciler/model/marathon-app.ts';
import type { Platform } from '../../reconciler/platform/port.ts';

/** How the tasks of an app behave, by what stands in its image or command. */
export type Behaviour = 'good' | 'slow' | 'sick' | 'crash' | 'late';

export interface FakeTask {
  readonly id: string;
  readonly appId: string;
  readonly host: string;
  readonly port: number;
  readonly bornAt: number;
  /** Instances of one app do not start at the same pace. */
  readonly slowness: number;
  state: 'TASK_STAGING' | 'TASK_RUNNING';
  /** Marathon's word; `truth` is what a client would see. */
  health: TaskHealth;
  truth: boolean;
}

export interface FakeApp {
  readonly id: string;
  definition: MarathonApp;
  instances: number;
  configAt: string;
  tasks: FakeTask[];
  lastFailure?: TaskFailure;
  lockedUntil: number;
}

const START_MS = 1000;
const HEALTHY_MS: Record<Behaviour, number> = {
  good: 2000,
  slow: 7000,
  sick: Infinity,
  crash: 0,
  late: 2000,
};
/** A task that looks well and then exits. */
const LATE_MS = 9000;

/** Marathon in memory, moved by `tick`: tasks start, become healthy, fail, are killed and moved. */
export class FakePlatform implements Platform {
  readonly apps = new Map<string, FakeApp>();
  /** Whoever asks is told that Marathon cannot be reached. */
  down = false;
  /** Answers `list` with what was true when `remember` was called last. */
  stale = false;
  /** Counts what changed, so that agents need not look when nothing did. */
  changes = 0;
  lists = 0;
  /** Health is not told before this time (a new leader knows nothing). */
  healthForgottenUntil = 0;
  readonly #owner: string;
  #now: number;
  #nextTask = 1;
  #nextPort = 31_000;
  #remembered: readonly ActualApp[] = [];

  constructor(owner: string, now: number) {
    this.#owner = owner;
    this.#now = now;
  }

  async list(): Promise<readonly ActualApp[]> {
    this.#refuseIfDown();
    this.lists += 1;
    return this.stale ? this.#remembered : this.ours();
  }

  remember(): void {
    this.#remembered = this.ours();
  }

  async detail(appId: string): Promise<AppDetail | undefined> {
    this.#refuseIfDown();
    const app = this.apps.get(appId);
    if (app === undefined) return undefined;
    return {
      tasks: app.tasks.map(taskOf),
      ...(app.lastFailure && { lastFailure: app.lastFailure }),
    };
  }

  async tasks(): Promise<readonly Task[]> {
    this.#refuseIfDown();
    return this.allTasks();
  }

  allTasks(): readonly Task[] {
    return [...this.apps.values()].flatMap((app) => app.tasks.map(taskOf));
  }

  async act(write: AppWrite): Promise<void> {
    this.#refuseIfDown();
    this.changes += 1;
    switch (write.kind) {
      case 'create-app':
        this.#create(write.id, write.definition);
        return;
      case 'scale-app': {
        const app = this.#unlocked(write.id);
        if (app.configAt !== write.configAt) throw fault('app-restarted', 'never');
        app.instances = write.instances;
        this.#balance(app);
        return;
      }
      case 'kill-tasks': {
        const app = this.#unlocked(write.appId);
        const before = app.tasks.length;
        app.tasks = app.tasks.filter((task) => !write.taskIds.includes(task.id));
        app.instances -= before - app.tasks.length;
        return;
      }
      case 'end-platform-change':
        this.#release(write.appId, write.change);
        return;
      case 'delete-app':
        if (this.apps.has(write.id)) this.#unlocked(write.id);
        this.apps.delete(write.id);
    }
  }

  ours(): readonly ActualApp[] {
    return [...this.apps.values()]
      .filter((app) => labelsOf(app.definition)[LABELS.owner] === this.#owner)
      .map((app) => actualOf(app, this.#now));
  }

  /** True if something answers well at this address. */
  answers(host: string, port: number): boolean {
    for (const app of this.apps.values()) {
      for (const task of app.tasks) {
        if (task.port === port && task.host === host) return task.truth;
      }
    }
    return false;
  }

  tick(now: number): void {
    this.#now = now;
    for (const app of this.apps.values()) {
      const behaviour = behaviourOf(app.definition);
      for (const task of app.tasks.slice()) this.#age(app, task, behaviour);
      this.#balance(app);
    }
  }

  /** Somebody else's app. */
  addForeign(id: string, definition: MarathonApp, instances: number): void {
    this.apps.set(id, this.#appOf(id, definition, instances));
  }

  /** A task dies in a way that is not its own fault, or moves: a new one starts elsewhere. */
  killTask(taskId: string, state = 'TASK_LOST'): void {
    for (const app of this.apps.values()) {
      const task = app.tasks.find((one) => one.id === taskId);
      if (task) this.#end(app, task, state);
    }
  }

  forgetHealth(until: number): void {
    this.changes += 1;
    this.healthForgottenUntil = until;
    for (const app of this.apps.values()) {
      for (const task of app.tasks) task.health = 'unknown';
    }
  }

  /** Somebody changes an app behind our back: Marathon restarts its tasks. */
  tamper(id: string, change: MarathonApp): void {
    const app = this.apps.get(id);
    if (app === undefined) return;
    app.definition = { ...app.definition, ...change };
    app.configAt = stamp(this.#now);
    for (const task of app.tasks.slice()) this.#end(app, task, 'TASK_KILLED');
  }

  #create(id: string, definition: MarathonApp): void {
    if (this.apps.has(id)) throw fault('app-exists', 'soon');
    this.apps.set(id, this.#appOf(id, definition, Number(definition['instances'] ?? 1)));
  }

  #appOf(id: string, definition: MarathonApp, instances: number): FakeApp {
    const configAt = stamp(this.#now);
    return { id, definition, instances, configAt, tasks: [], lockedUntil: 0 };
  }

  #release(id: string, change: string): void {
    const app = this.apps.get(id);
    if (app && changeOf(app) === change) app.lockedUntil = 0;
  }

  #unlocked(id: string): FakeApp {
    const app = this.apps.get(id);
    if (app === undefined) throw fault('app-missing', 'soon');
    if (app.lockedUntil > this.#now) throw fault('app-locked', 'soon');
    return app;
  }

  #age(app: FakeApp, task: FakeTask, behaviour: Behaviour): void {
    const age = this.#now - task.bornAt;
    if (task.state === 'TASK_STAGING' && age >= START_MS) {
      this.changes += 1;
      task.state = 'TASK_RUNNING';
    }
    const life =
      behaviour === 'crash' ? START_MS + 1000 : behaviour === 'late' ? LATE_MS : Infinity;
    if (age >= life) {
      this.#end(app, task, 'TASK_FAILED');
      return;
    }
    const good = behaviour !== 'crash' && age >= HEALTHY_MS[behaviour] + task.slowness;
    task.truth = task.truth || good;
    const known = this.#now >= this.healthForgottenUntil;
    if (good && known && task.health !== 'healthy' && hasChecks(app.definition)) {
      this.changes += 1;
      task.health = 'healthy';
    }
  }

  #end(app: FakeApp, task: FakeTask, state: string): void {
    this.changes += 1;
    app.tasks = app.tasks.filter((one) => one !== task);
    app.lastFailure = {
      at: stamp(this.#now),
      state,
      taskId: task.id,
      message: state === 'TASK_FAILED' ? 'exited with status 1' : '',
    };
  }

  /** Marathon starts what is missing and kills what is too much, the youngest first. */
  #balance(app: FakeApp): void {
    while (app.tasks.length > app.instances) {
      this.changes += 1;
      app.tasks.pop();
    }
    while (app.tasks.length < app.instances) {
      this.changes += 1;
      app.tasks.push(this.#newTask(app.id));
    }
  }

  #newTask(appId: string): FakeTask {
    const number = this.#nextTask;
    this.#nextTask += 1;
    // Ports are used again after a while: a server may find another task at its address.
    this.#nextPort = this.#nextPort >= 31_040 ? 31_000 : this.#nextPort + 1;
    while (this.#isTaken(this.#nextPort)) this.#nextPort += 1;
    return {
      id: `${appId.slice(1).replaceAll('/', '_')}.t${String(number)}`,
      appId,
      host: 'agent1',
      port: this.#nextPort,
      bornAt: this.#now,
      slowness: number % 5 === 0 ? 9000 : 0,
      state: 'TASK_STAGING',
      health: 'unknown',
      truth: false,
    };
  }

  #isTaken(port: number): boolean {
    return [...this.apps.values()].some((app) => app.tasks.some((task) => task.port === port));
  }

  #refuseIfDown(): void {
    if (this.down) throw fault('marathon-unavailable', 'backoff');
  }
}

export function fault(code: string, retry: 'soon' | 'backoff' | 'never'): DriverError {
  return new DriverError(code, `the world says ${code}`, { retry });
}

export function labelsOf(definition: MarathonApp): Readonly<Record<string, unknown>> {
  const labels: unknown = definition['labels'];
  return typeof labels === 'object' && labels !== null ? { ...labels } : {};
}

export function behaviourOf(definition: MarathonApp): Behaviour {
  const text = JSON.stringify(definition['container'] ?? definition['cmd'] ?? '');
  const kinds = ['slow', 'sick', 'crash', 'late'] as const;
  return kinds.find((kind) => text.includes(`${kind}-`)) ?? 'good';
}

function hasChecks(definition: MarathonApp): boolean {
  const checks = definition['healthChecks'];
  return Array.isArray(checks) && checks.length > 0;
}

function stamp(now: number): string {
  return new Date(now).toISOString();
}

function taskOf(task: FakeTask): Task {
  return {
    id: task.id,
    appId: task.appId,
    state: task.state,
    host: task.host,
    ports: [task.port],
    startedAt: stamp(task.bornAt),
    health: task.health,
  };
}

function changeOf(app: FakeApp): string {
  return `change-of-${app.id}`;
}

function actualOf(app: FakeApp, now: number): ActualApp {
  const labels = labelsOf(app.definition);
  const running = app.tasks.filter((task) => task.state === 'TASK_RUNNING');
  return {
    id: app.id,
    deployment: String(labels[LABELS.deployment]),
    cluster: String(labels[LABELS.cluster]),
    service: String(labels[LABELS.service]),
    digest: String(labels[LABELS.digest]),
    revision: String(labels[LABELS.revision]),
    instances: app.instances,
    tasksStaged: app.tasks.length - running.length,
    tasksRunning: running.length,
    tasksHealthy: running.filter((task) => task.health === 'healthy').length,
    tasksUnhealthy: running.filter((task) => task.health === 'unhealthy').length,
    configAt: app.configAt,
    platformChanges: app.lockedUntil > now ? [changeOf(app)] : [],
    definition: app.definition,
  };
}
