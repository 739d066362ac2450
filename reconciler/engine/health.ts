import type { Apps } from './apps.ts';
import type { Clock, Timer } from './clock.ts';
import { every } from './clock.ts';
import type { AppDefinition, HealthCheck } from './definition.ts';
import type { EventBus } from './events.ts';
import type { HealthResult, Outcome } from './health-result.ts';
import { NO_RESULT, failed, isIgnored, killsNow, succeeded } from './health-result.ts';
import type { Prober } from './probe.ts';
import type { Task, Tasks } from './tasks.ts';
import { healthOf, slaveId } from './tasks.ts';

export interface HealthDeps {
  readonly apps: Apps;
  readonly tasks: Tasks;
  readonly events: EventBus;
  readonly prober: Prober;
  readonly clock: Clock;
  /** A task failed too often. */
  readonly onSick: (task: Task, reason: string) => void;
  /** Something about an app's health may have changed. */
  readonly onChange: (appId: string) => void;
}

// Marathon's longest wait before the first tick of a check.
const LONGEST_FIRST_WAIT_MS = 5000;

/**
 * Health checks that Marathon runs itself. One ticker per app version and check: it probes the
 * running tasks of just that version, all at once, so a task that misses a tick waits a whole
 * interval (Marathon 1.4+, HealthCheckActor). Results live in memory only.
 */
export class HealthMonitor {
  readonly #deps: HealthDeps;
  readonly #tickers = new Map<string, { appId: string; version: string; timers: Timer[] }>();
  // Counts changes of leader, so that a probe from before one cannot report after it.
  #era = 0;

  constructor(deps: HealthDeps) {
    this.#deps = deps;
  }

  /** Begins checks for a version of an app, unless they run already. */
  watch(app: AppDefinition): void {
    const key = `${app.id} ${app.version}`;
    const checks = app.healthChecks ?? [];
    if (checks.length === 0 || this.#tickers.has(key)) return;
    for (const healthCheck of checks) {
      const fields = { appId: app.id, version: app.version, healthCheck };
      this.#deps.events.publish('add_health_check_event', fields);
    }
    const timers = checks.map((check, index) => this.#tick(app, check, index));
    this.#tickers.set(key, { appId: app.id, version: app.version, timers });
  }

  /** Ends the tickers of versions that are neither current nor run by any task. */
  tidy(appId: string): void {
    const current = this.#deps.apps.get(appId)?.version;
    const used = new Set(this.#deps.tasks.of(appId).map((task) => task.app.version));
    for (const [key, ticker] of this.#tickers) {
      if (ticker.appId !== appId || ticker.version === current || used.has(ticker.version))
        continue;
      this.#stop(key);
    }
  }

  /** What a new leader knows: nothing. Every result is gone until its check ticks again. */
  forget(): void {
    this.#era += 1;
    for (const key of this.#tickers.keys()) this.#stop(key, 'quietly');
    for (const task of this.#deps.tasks.all()) {
      task.health.clear();
      this.watch(task.app);
    }
    for (const app of this.#deps.apps.list()) this.watch(app);
  }

  close(): void {
    this.#era += 1;
    for (const key of this.#tickers.keys()) this.#stop(key, 'quietly');
  }

  #stop(key: string, how?: 'quietly'): void {
    const ticker = this.#tickers.get(key);
    this.#tickers.delete(key);
    for (const timer of ticker?.timers ?? []) timer.cancel();
    if (how === 'quietly' || ticker === undefined) return;
    this.#deps.events.publish('remove_health_check_event', { appId: ticker.appId });
  }

  #tick(app: AppDefinition, check: HealthCheck, index: number): Timer {
    // An interval of nothing would spin.
    const ms = Math.max(50, check.intervalSeconds * 1000);
    const first = Math.min(ms, LONGEST_FIRST_WAIT_MS);
    return every(this.#deps.clock, { first, ms }, () => {
      for (const task of this.#deps.tasks.of(app.id)) {
        if (task.app.version !== app.version || task.state !== 'TASK_RUNNING') continue;
        void this.#probe(task, check, index);
      }
    });
  }

  async #probe(task: Task, check: HealthCheck, index: number): Promise<void> {
    const era = this.#era;
    const outcome = await this.#deps.prober.check(task, check);
    // A task that is being killed or gone by now must not be judged any more.
    if (era === this.#era && task.state === 'TASK_RUNNING') {
      this.#record(task, { check, index }, outcome);
    }
  }

  #record(
    task: Task,
    which: { readonly check: HealthCheck; readonly index: number },
    outcome: Outcome,
  ): void {
    const { check, index } = which;
    const now = this.#deps.clock.now();
    const before = task.health.get(index) ?? NO_RESULT;
    const overall = healthOf(task);
    const graceMs = check.gracePeriodSeconds * 1000;
    const startedAt = task.startedAt ?? now;
    if (outcome.ok) {
      task.health.set(index, succeeded(before, now));
    } else if (isIgnored(before, { startedAt, now, graceMs })) {
      // The result is there, and not alive, but counts for nothing: the mark of "in grace".
      task.health.set(index, before);
    } else {
      this.#fail(task, { check, index, before }, outcome.cause);
    }
    this.#announce(task, { before, after: task.health.get(index) ?? NO_RESULT, overall });
  }

  #fail(
    task: Task,
    which: { readonly check: HealthCheck; readonly index: number; readonly before: HealthResult },
    cause: string,
  ): void {
    const { check, index, before } = which;
    const { id, version } = task.app;
    const { instanceId } = task.seat;
    task.health.set(index, failed(before, this.#deps.clock.now(), cause));
    const event = { appId: id, taskId: instanceId, healthCheck: check };
    this.#deps.events.publish('failed_health_check_event', event);
    if (!killsNow(before, check.maxConsecutiveFailures)) return;
    this.#deps.events.publish('unhealthy_instance_kill_event', {
      appId: id,
      taskId: task.id,
      instanceId,
      version,
      reason: cause,
      host: task.host,
      slaveId: slaveId(),
    });
    this.#deps.onSick(task, cause);
  }

  #announce(
    task: Task,
    change: {
      readonly before: HealthResult;
      readonly after: HealthResult;
      readonly overall: boolean | undefined;
    },
  ): void {
    const { id: appId, version } = task.app;
    const { instanceId } = task.seat;
    const { before, after, overall } = change;
    if (before.alive !== after.alive) {
      const event = { appId, instanceId, version, alive: after.alive };
      this.#deps.events.publish('health_status_changed_event', event);
    }
    const healthy = healthOf(task);
    if (healthy === overall) return;
    this.#deps.events.publish('instance_health_changed_event', {
      instanceId,
      runSpecId: appId,
      healthy: healthy ?? null,
      runSpecVersion: version,
    });
    this.#deps.onChange(appId);
  }
}
