import type { AppDefinition } from './definition.ts';
import { isUpToDate } from './definition.ts';
import type { Readiness } from './readiness.ts';
import type { UpgradePlan } from './rolling.ts';
import { newTasksAllowed, planUpgrade } from './rolling.ts';
import type { Scheduler } from './scheduler.ts';
import { victims } from './scheduler.ts';
import type { PlanAction } from './steps.ts';
import type { Task, Tasks } from './tasks.ts';
import { isActive, isHealthy } from './tasks.ts';

/** One action of a deployment under way. */
export interface Progress {
  readonly action: PlanAction;
  /** Does what is to be done at once. */
  begin(): void;
  /** Goes on as far as the tasks allow; true once the action is done. */
  advance(): boolean;
}

export interface ActionDeps {
  readonly tasks: Tasks;
  readonly scheduler: Scheduler;
  readonly readiness: Readiness;
  /** The definition to reach. */
  readonly app: AppDefinition | undefined;
  /** Ids of tasks that must be the victims of scaling down. */
  readonly victims: ReadonlySet<string>;
}

export function progressOf(action: PlanAction, deps: ActionDeps): Progress {
  const { app } = deps;
  if (app === undefined || action.action === 'StopApplication') return stopping(action, deps);
  if (action.action === 'StartApplication') return starting(action, deps);
  if (action.action === 'ScaleApplication') return scaling(action, deps, app);
  return upgrading(action, deps, app);
}

function stopping(action: PlanAction, deps: ActionDeps): Progress {
  return {
    action,
    begin() {
      deps.scheduler.aim(action.app, undefined);
      for (const task of deps.tasks.of(action.app)) {
        deps.scheduler.kill(task, { replaced: false, message: 'Application stopped' });
      }
    },
    advance: () => deps.tasks.of(action.app).length === 0,
  };
}

function starting(action: PlanAction, deps: ActionDeps): Progress {
  return {
    action,
    begin: () => deps.scheduler.aim(action.app, { count: 0, counts: 'all' }),
    advance: () => true,
  };
}

function scaling(action: PlanAction, deps: ActionDeps, app: AppDefinition): Progress {
  const { tasks, scheduler, readiness } = deps;
  // Tasks from before this deployment are not asked for their readiness again.
  const before = new Set(tasks.of(app.id).map((task) => task.id));
  return {
    action,
    begin() {
      for (const task of tasks.of(app.id)) {
        if (deps.victims.has(task.id)) {
          scheduler.kill(task, { replaced: false, message: 'Killed and scaled down' });
        }
      }
      scheduler.aim(app.id, { count: app.instances, counts: 'all' });
    },
    advance() {
      const active = tasks.of(app.id).filter(isActive);
      const able = active.filter((task) => before.has(task.id) || readiness.isReady(task));
      return (
        tasks.of(app.id).length === app.instances &&
        able.every(isHealthy) &&
        able.length === app.instances
      );
    },
  };
}

/** Marathon's rolling upgrade: order of starts and kills as in its RestartApplication. */
function upgrading(action: PlanAction, deps: ActionDeps, app: AppDefinition): Progress {
  const { tasks, scheduler, readiness } = deps;
  const arrived = new Set<string>();
  const state: { plan: UpgradePlan; toKill: number; allowed: number } = {
    plan: { maxCapacity: 0, killNow: 0 },
    toKill: 0,
    allowed: 0,
  };
  const oldTasks = (): readonly Task[] =>
    tasks.of(app.id).filter((task) => !isUpToDate(task.app.version, app));

  function killOld(): void {
    const unhealthyFirst = victims(oldTasks().filter(isActive)).toSorted(
      (a, b) => Number(isHealthy(a)) - Number(isHealthy(b)),
    );
    const message = 'Replaced by an upgrade';
    for (const task of unhealthyFirst.slice(0, state.toKill)) {
      scheduler.kill(task, { replaced: false, message });
      state.toKill -= 1;
    }
  }

  return {
    action,
    begin() {
      const old = oldTasks();
      const { minimumHealthCapacity, maximumOverCapacity } = app.upgradeStrategy;
      state.plan = planUpgrade({
        wanted: app.instances,
        minimumHealthCapacity,
        maximumOverCapacity,
        old: old.filter(isActive).length,
        healthyRunning: tasks.of(app.id).filter((task) => isActive(task) && isHealthy(task)).length,
        resident: app.residency !== undefined,
      });
      state.toKill = state.plan.killNow;
      this.advance();
    },
    advance() {
      const fresh = tasks
        .of(app.id)
        .filter((task) => isActive(task) && isUpToDate(task.app.version, app));
      const arrivedNow = fresh.filter((task) => readiness.isReady(task) && isHealthy(task));
      for (const task of arrivedNow.filter((each) => !arrived.has(each.id))) {
        arrived.add(task.id);
        state.toKill += 1;
      }
      // Once all new ones serve, whatever is left of the old ones is surplus.
      if (arrivedNow.length >= app.instances) state.toKill = oldTasks().length;
      killOld();
      const allowed = newTasksAllowed(state.plan, app.instances, oldTasks().length);
      state.allowed = Math.max(state.allowed, allowed);
      scheduler.aim(app.id, { count: state.allowed, counts: 'latest' });
      return arrivedNow.length === app.instances && tasks.of(app.id).length === app.instances;
    },
  };
}
