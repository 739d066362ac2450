import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Apps } from './apps.ts';
import type { Clock } from './clock.ts';
import { timestamp } from './clock.ts';
import type { AppDefinition } from './definition.ts';
import { isUpToDate } from './definition.ts';
import { taskEnvironment } from './environment.ts';
import type { EventBus } from './events.ts';
import type { ImageMap } from './images.ts';
import { commandForImage } from './images.ts';
import type { Lifeline } from './lifeline.ts';
import { ENGINE_MARK, TASK_MARK } from './lifeline.ts';
import type { HostPorts } from './ports.ts';
import type { LaunchQueue } from './queue.ts';
import type { Resources } from './resources.ts';
import { rejections } from './resources.ts';
import type { Ending, Launch, Running } from './runner.ts';
import { run } from './runner.ts';
import type { Seat, Task, TaskState, Tasks } from './tasks.ts';
import { isActive, newSeat, slaveId, taskId } from './tasks.ts';

/** How many tasks of an app there shall be. */
export interface Goal {
  readonly count: number;
  /** Which tasks count: all, or only those of the present configuration (a rolling upgrade). */
  readonly counts: 'all' | 'latest';
}

export interface SchedulerDeps {
  readonly apps: Apps;
  readonly tasks: Tasks;
  readonly queue: LaunchQueue;
  readonly events: EventBus;
  readonly ports: HostPorts;
  readonly lifeline: Lifeline;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly images: ImageMap;
  readonly resources: Resources;
  readonly sandboxes: string;
  /** What the tasks' environment begins with. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Value of the mark that every task carries. */
  readonly mark: string;
  readonly host: string;
  /** A task changed its state; the app may be looked at again. */
  readonly onChange: (appId: string) => void;
  readonly onEnded: (task: Task) => void;
}

// Mesos' default for apps that state none.
const DEFAULT_GRACE_MS = 3000;
// How often a task that found no room is tried again.
const RETRY_MS = 500;

const CONDITIONS: Readonly<Record<TaskState, string>> = {
  PROVISIONED: 'Provisioned',
  TASK_STAGING: 'Staging',
  TASK_STARTING: 'Starting',
  TASK_RUNNING: 'Running',
  TASK_KILLING: 'Killing',
  TASK_KILLED: 'Killed',
  TASK_FINISHED: 'Finished',
  TASK_FAILED: 'Failed',
  TASK_ERROR: 'Error',
};

/** Starts what is missing, kills what is too much, replaces what died. */
export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #goals = new Map<string, Goal>();
  readonly #vacant = new Map<string, Seat[]>();
  #closing = false;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
  }

  /** Sets the goal of an app, or forgets it, and acts on it unless told to wait. */
  aim(appId: string, goal: Goal | undefined): void {
    if (goal === undefined) {
      this.#goals.delete(appId);
      this.#vacant.delete(appId);
      this.#deps.queue.purge(appId);
      return;
    }
    this.#goals.set(appId, goal);
    this.sync(appId);
  }

  /** Sets the goal without acting on it before the next task of the app ends. */
  aimLater(appId: string, goal: Goal): void {
    this.#goals.set(appId, goal);
    this.#deps.queue.want(appId, 0);
  }

  /** Compares the goal of an app with its tasks, starts or kills the difference. */
  sync(appId: string): void {
    const goal = this.#goals.get(appId);
    const app = this.#deps.apps.get(appId);
    if (goal === undefined || this.#closing) return;
    const active = this.#deps.tasks.of(appId).filter(isActive);
    const counted =
      goal.counts === 'all' || app === undefined
        ? active
        : active.filter((task) => isUpToDate(task.app.version, app));
    const missing = goal.count - counted.length;
    this.#deps.queue.want(appId, missing);
    if (missing > 0 && app !== undefined) this.#pump(app);
    else if (missing < 0) this.#killSurplus(counted, -missing);
  }

  /** Tries to start what waits, for example because room was made. */
  retryAll(): void {
    for (const appId of this.#goals.keys()) {
      if (this.#deps.queue.has(appId)) this.sync(appId);
    }
  }

  kill(task: Task, options: { readonly replaced: boolean; readonly message: string }): void {
    if (task.sentenced) return;
    task.sentenced = true;
    task.replaced = options.replaced;
    if (task.running === undefined) return;
    this.#enter(task, 'TASK_KILLING', options.message);
    const grace = task.app.taskKillGracePeriodSeconds;
    task.running.stop(grace === undefined ? DEFAULT_GRACE_MS : grace * 1000);
  }

  /** Kills a task and has another take its place. */
  replace(task: Task, message: string): void {
    this.kill(task, { replaced: true, message });
    this.sync(task.app.id);
  }

  /** Ends all tasks; resolves when they are gone. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    this.#deps.queue.close();
    const tasks = this.#deps.tasks.all();
    for (const task of tasks) {
      task.sentenced = true;
      task.running?.stop(graceMs);
    }
    await Promise.all(
      tasks.flatMap((task) => (task.running === undefined ? [] : [task.running.ended])),
    );
  }

  #pump(app: AppDefinition): void {
    const { queue, clock } = this.#deps;
    const wait = queue.waitMs(app);
    if (wait > 0) {
      queue.wake(app.id, wait, () => this.sync(app.id));
      return;
    }
    while (queue.count(app.id) > 0) {
      const taken = this.#deps.tasks.all().map((task) => task.app);
      const reasons = rejections(this.#deps.resources, taken, app);
      if (reasons.length > 0) {
        queue.rejected(app.id, reasons);
        queue.wake(app.id, RETRY_MS, () => this.sync(app.id));
        return;
      }
      queue.took(app.id);
      const task = this.#provision(app, clock.now());
      void this.#start(task);
    }
  }

  #provision(app: AppDefinition, now: number): Task {
    const seat = this.#vacant.get(app.id)?.shift() ?? newSeat(app.id);
    const id = taskId(seat);
    const task: Task = {
      id,
      seat,
      app,
      host: this.#deps.host,
      sandbox: join(this.#deps.sandboxes, id),
      state: 'PROVISIONED',
      sentenced: false,
      replaced: true,
      stagedAt: now,
      startedAt: undefined,
      claim: undefined,
      running: undefined,
      health: new Map(),
    };
    this.#deps.tasks.add(task);
    this.#instanceChanged(task, 'Scheduled');
    this.#instanceChanged(task, 'Provisioned');
    return task;
  }

  async #start(task: Task): Promise<void> {
    const claim = await this.#deps.ports.claim(task.app);
    task.claim = claim;
    if (task.sentenced || this.#closing) {
      this.#over(task, 'TASK_KILLED', 'Task was killed before it was started');
      return;
    }
    if (claim === undefined) {
      this.#noPorts(task);
      return;
    }
    this.#enter(task, 'TASK_STAGING', '');
    const running = this.#run(task);
    if (running === undefined) return;
    task.running = running;
    void running.ended.then((ending) => this.#ended(task, ending));
    if (running.pid === 0) return;
    this.#enter(task, 'TASK_STARTING', '');
    task.startedAt = this.#deps.clock.now();
    this.#enter(task, 'TASK_RUNNING', '');
    this.#deps.onChange(task.app.id);
  }

  #run(task: Task): Running | undefined {
    try {
      return run(this.#launchOf(task), this.#deps.lifeline, this.#deps.clock);
    } catch (error) {
      // What the system refuses before it tries: a NUL in a text, too long a command, no room.
      this.#over(task, 'TASK_ERROR', `The command could not be started: ${String(error)}`);
      return undefined;
    }
  }

  #noPorts(task: Task): void {
    const { queue, tasks } = this.#deps;
    const { id } = task.app;
    tasks.remove(task);
    task.sentenced = true;
    if (!this.#goals.has(id)) return;
    this.#vacate(id, task.seat);
    queue.want(id, queue.count(id) + 1);
    queue.rejected(id, ['InsufficientPorts']);
    queue.wake(id, RETRY_MS, () => this.sync(id));
  }

  #launchOf(task: Task): Launch {
    const { app } = task;
    const { baseEnv, images, mark } = this.#deps;
    const placement = {
      taskId: task.id,
      host: task.host,
      ports: task.claim?.ports ?? [],
      sandbox: task.sandbox,
    };
    const image = app.container?.docker?.image;
    const mapped = image === undefined ? undefined : commandForImage(images, image);
    // Without a cmd and an image the arguments are the program.
    const command = app.cmd ?? mapped ?? [];
    return {
      command,
      args: app.args ?? [],
      sandbox: task.sandbox,
      env: {
        ...baseEnv,
        ...taskEnvironment(app, placement),
        // Last, so that no app can take them off.
        [ENGINE_MARK]: mark,
        [TASK_MARK]: task.id,
      },
    };
  }

  #ended(task: Task, ending: Ending): void {
    if (task.sentenced) {
      this.#over(task, 'TASK_KILLED', 'Command terminated with signal Terminated');
      return;
    }
    if (ending.error !== undefined) {
      this.#over(task, 'TASK_ERROR', `The command could not be started: ${ending.error.message}`);
      return;
    }
    if (ending.code === 0) this.#over(task, 'TASK_FINISHED', 'Command exited with status 0');
    else {
      const how =
        ending.code === null
          ? `terminated with signal ${ending.signal}`
          : `exited with status ${ending.code}`;
      this.#over(task, 'TASK_FAILED', `Command ${how}`);
    }
  }

  #over(task: Task, state: TaskState, message: string): void {
    const { apps, tasks, queue, clock } = this.#deps;
    const { app } = task;
    tasks.remove(task);
    task.claim?.release();
    task.sentenced = true;
    this.#enter(task, state, message);
    if (state === 'TASK_FAILED' || state === 'TASK_ERROR') {
      apps.recordFailure({
        appId: app.id,
        host: task.host,
        message,
        state,
        taskId: task.id,
        timestamp: timestamp(clock.now()),
        version: app.version,
        slaveId: slaveId(),
      });
    }
    if (state !== 'TASK_KILLED') queue.failed(app);
    if (task.replaced && this.#goals.has(app.id)) this.#vacate(app.id, task.seat);
    this.#deps.onEnded(task);
    this.sync(app.id);
    this.#deps.onChange(app.id);
  }

  // The instance stays when its task is replaced; only the incarnation counts on.
  #vacate(appId: string, seat: Seat): void {
    const seats = this.#vacant.get(appId) ?? [];
    seats.push({ ...seat, incarnation: seat.incarnation + 1 });
    // More than the app could need are left over by scaling down.
    const most = this.#goals.get(appId)?.count ?? 0;
    this.#vacant.set(appId, seats.slice(0, most));
  }

  #killSurplus(tasks: readonly Task[], count: number): void {
    const message = 'Over capacity';
    for (const task of victims(tasks).slice(0, count))
      this.kill(task, { replaced: false, message });
  }

  #enter(task: Task, state: TaskState, message: string): void {
    task.state = state;
    this.#deps.events.publish('status_update_event', {
      slaveId: slaveId(),
      taskId: task.id,
      taskStatus: state,
      message,
      appId: task.app.id,
      host: task.host,
      ipAddresses: [{ ipAddress: task.host, protocol: 'IPv4' }],
      ports: task.claim?.ports ?? [],
      version: task.app.version,
    });
    this.#instanceChanged(task, CONDITIONS[state]);
  }

  #instanceChanged(task: Task, condition: string): void {
    this.#deps.events.publish('instance_changed_event', {
      instanceId: task.seat.instanceId,
      condition,
      runSpecId: task.app.id,
      agentId: slaveId(),
      host: task.host,
      runSpecVersion: task.app.version,
    });
  }
}

const STAGE: Readonly<Partial<Record<TaskState, number>>> = {
  PROVISIONED: 0,
  TASK_STAGING: 1,
  TASK_STARTING: 2,
  TASK_RUNNING: 3,
};

/** Whom to kill first: what runs least, then by the app's killSelection. */
export function victims(tasks: readonly Task[]): readonly Task[] {
  return tasks.toSorted((a, b) => {
    const stage = (STAGE[a.state] ?? 0) - (STAGE[b.state] ?? 0);
    if (stage !== 0) return stage;
    const age = (a.startedAt ?? 0) - (b.startedAt ?? 0);
    return a.app.killSelection === 'OLDEST_FIRST' ? age : -age;
  });
}
