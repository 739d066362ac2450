import { randomUUID } from 'node:crypto';
import type { Apps } from './apps.ts';
import type { Clock } from './clock.ts';
import type { AppDefinition } from './definition.ts';
import type { Progress } from './deployment.ts';
import { progressOf } from './deployment.ts';
import type { EventBus } from './events.ts';
import type { HealthMonitor } from './health.ts';
import type { Prober } from './probe.ts';
import type { LaunchQueue } from './queue.ts';
import { Readiness } from './readiness.ts';
import { Refusal, locked } from './refusal.ts';
import type { Scheduler } from './scheduler.ts';
import type { AppChange, PlanStep } from './steps.ts';
import { stepsOf } from './steps.ts';
import type { Tasks } from './tasks.ts';

export interface DeploymentDeps {
  readonly apps: Apps;
  readonly tasks: Tasks;
  readonly queue: LaunchQueue;
  readonly events: EventBus;
  readonly health: HealthMonitor;
  readonly scheduler: Scheduler;
  readonly prober: Prober;
  readonly clock: Clock;
}

export interface Submission {
  readonly changes: readonly AppChange[];
  /** Cancels running deployments that touch the same apps, instead of being refused. */
  readonly force: boolean;
  /** Tasks that must be the victims where an app scales down. */
  readonly victims?: ReadonlySet<string>;
}

/** What a write answers with. */
export interface DeploymentResult {
  readonly version: string;
  readonly deploymentId: string;
}

interface Deployment {
  readonly id: string;
  readonly version: string;
  readonly changes: readonly AppChange[];
  readonly steps: readonly PlanStep[];
  readonly victims: ReadonlySet<string>;
  readonly readiness: Readiness;
  /** Index of the present step; -1 before the first. */
  step: number;
  progress: readonly Progress[];
}

// Marathon's default cap on running deployments.
const MOST_RUNNING = 100;

/**
 * Running deployments. Each holds a lock on its apps; none ever fails by time: it ends by success,
 * by force, or by being deleted.
 */
export class Deployments {
  readonly #deps: DeploymentDeps;
  readonly #running = new Map<string, Deployment>();

  constructor(deps: DeploymentDeps) {
    this.#deps = deps;
  }

  /** Ids of the deployments that hold the lock of an app. */
  of(appId: string): readonly string[] {
    return this.#touching([appId]).map((each) => each.id);
  }

  /** Throws 409 if one of the apps is locked by a running deployment. */
  assertUnlocked(appIds: readonly string[]): void {
    const holders = this.#touching(appIds);
    if (holders.length > 0) throw locked(holders.map((each) => each.id));
  }

  /** Stores the new definitions and begins to make them true. */
  submit(submission: Submission): DeploymentResult {
    const { changes, force } = submission;
    const { apps, events } = this.#deps;
    const steps = stepsOf(changes);
    const id = randomUUID();
    const version = apps.nextVersion();
    const plan = { id, steps, version };
    const holders = this.#touching(changes.map((change) => change.id));
    const full = this.#running.size >= MOST_RUNNING;
    if ((holders.length > 0 || full) && !force) {
      const reason = full ? 'too many deployments' : 'app is locked';
      events.publish('group_change_failed', { groupId: '/', version, reason });
      events.publish('deployment_failed', { id, plan, reason });
      if (holders.length === 0) throw tooMany();
      throw locked(holders.map((each) => each.id));
    }
    for (const holder of holders) this.#cancel(holder, 'cancelled by another deployment');
    this.#store(changes);
    events.publish('group_change_success', { groupId: groupOf(changes), version });
    const readiness = new Readiness(this.#deps.prober, this.#deps.clock, (appId) =>
      this.look(appId),
    );
    const deployment: Deployment = {
      id,
      version,
      changes,
      steps,
      victims: submission.victims ?? new Set(),
      readiness,
      step: -1,
      progress: [],
    };
    this.#running.set(id, deployment);
    // After the answer to the client, so that it knows the id before the first event.
    setImmediate(() => this.#advance(deployment));
    return { version, deploymentId: id };
  }

  /** Stops a deployment where it is; old and new tasks stay as they are. */
  stop(id: string): void {
    const deployment = this.#require(id);
    this.#cancel(deployment, 'deployment was stopped');
    for (const change of deployment.changes) {
      const app = this.#deps.apps.get(change.id);
      if (app !== undefined) {
        this.#deps.scheduler.aimLater(app.id, { count: app.instances, counts: 'all' });
      }
    }
  }

  /** Goes back to the definitions from before a deployment, with a deployment of its own. */
  rollBack(id: string): DeploymentResult {
    const { apps } = this.#deps;
    const changes = this.#require(id).changes.map((change): AppChange => {
      const now = apps.get(change.id);
      if (change.from === undefined) return { id: change.id, from: now, to: undefined };
      const to = now === undefined ? change.from : apps.reinstated(now, change.from);
      return { id: change.id, from: now, to };
    });
    return this.submit({ changes, force: true });
  }

  /** Something about the app changed: its deployments may be able to go on. */
  look(appId: string): void {
    for (const deployment of this.#touching([appId])) this.#advance(deployment);
  }

  close(): void {
    for (const deployment of this.#running.values()) deployment.readiness.close();
    this.#running.clear();
  }

  readinessOf(appId: string): readonly object[] {
    return this.#touching([appId]).flatMap((each) => each.readiness.results());
  }

  /** `/v2/deployments`: only those that run. */
  json(): readonly object[] {
    return [...this.#running.values()].map((each) => ({
      id: each.id,
      version: each.version,
      affectedApps: each.changes.map((change) => change.id),
      affectedPods: [],
      steps: each.steps,
      currentActions: (each.steps[each.step]?.actions ?? []).map((action) => ({
        ...action,
        readinessCheckResults: each.readiness.results(),
      })),
      currentStep: each.step + 1,
      totalSteps: each.steps.length,
    }));
  }

  #touching(appIds: readonly string[]): readonly Deployment[] {
    return [...this.#running.values()].filter((each) =>
      each.changes.some((change) => appIds.includes(change.id)),
    );
  }

  #require(id: string): Deployment {
    const found = this.#running.get(id);
    if (found === undefined) throw new Refusal(404, `DeploymentPlan ${id} does not exist`);
    return found;
  }

  #store(changes: readonly AppChange[]): void {
    const { apps, health, queue } = this.#deps;
    for (const { id, from, to } of changes) {
      if (to === undefined) {
        apps.remove(id);
        health.tidy(id);
      } else if (to !== from) {
        apps.put(to);
        // A new configuration, and a restart, begin without a delay.
        if (from?.versionInfo.lastConfigChangeAt !== to.versionInfo.lastConfigChangeAt) {
          queue.purge(id);
        }
      }
    }
  }

  #cancel(deployment: Deployment, reason: string): void {
    const { id, steps, version } = deployment;
    this.#running.delete(id);
    deployment.readiness.close();
    this.#deps.events.publish('deployment_failed', { id, plan: { id, steps, version }, reason });
  }

  #advance(deployment: Deployment): void {
    const { id, steps, version } = deployment;
    const { events } = this.#deps;
    const plan = { id, steps, version };
    while (this.#running.has(id)) {
      // All of them, not only up to the first that is not done: each goes on by itself.
      const open = deployment.progress.filter((each) => !each.advance());
      if (open.length > 0) return;
      const done = steps[deployment.step];
      if (done !== undefined) this.#stepDone(done, plan);
      deployment.step += 1;
      const next = steps[deployment.step];
      if (next === undefined) {
        this.#succeed(deployment);
        return;
      }
      events.publish('deployment_info', { plan, currentStep: next });
      deployment.progress = next.actions.map((action) => this.#progressOf(deployment, action));
      for (const each of deployment.progress) each.begin();
    }
  }

  #progressOf(deployment: Deployment, action: PlanStep['actions'][number]): Progress {
    const { tasks, scheduler, health } = this.#deps;
    const { readiness } = deployment;
    const app: AppDefinition | undefined = deployment.changes.find(
      (change) => change.id === action.app,
    )?.to;
    if (app !== undefined) health.watch(app);
    return progressOf(action, { tasks, scheduler, readiness, app, victims: deployment.victims });
  }

  #stepDone(step: PlanStep, plan: object): void {
    const { events } = this.#deps;
    for (const { action, app } of step.actions) {
      if (action === 'StopApplication') events.publish('app_terminated_event', { appId: app });
    }
    events.publish('deployment_step_success', { plan, currentStep: step });
  }

  #succeed(deployment: Deployment): void {
    const { id, steps, version } = deployment;
    this.#running.delete(id);
    deployment.readiness.close();
    for (const change of deployment.changes) {
      const app = this.#deps.apps.get(change.id);
      if (app !== undefined)
        this.#deps.scheduler.aim(app.id, { count: app.instances, counts: 'all' });
      this.#deps.health.tidy(change.id);
    }
    this.#deps.events.publish('deployment_success', { id, plan: { id, steps, version } });
  }
}

function groupOf(changes: readonly AppChange[]): string {
  const [only, ...others] = changes;
  if (only === undefined || others.length > 0) return '/';
  return only.id.slice(0, only.id.lastIndexOf('/')) || '/';
}

function tooMany(): Refusal {
  return new Refusal(
    403,
    `Max number (${MOST_RUNNING}) of deployments are running. Wait for one of them to finish.`,
  );
}
