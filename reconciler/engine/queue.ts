import type { Clock, Timer } from './clock.ts';
import { timestamp } from './clock.ts';
import type { AppDefinition } from './definition.ts';
import type { RejectReason } from './resources.ts';

/** How long to wait before the k-th try after failures: min(backoff x factor^(k-1), max). */
export function delayMs(
  app: Pick<AppDefinition, 'backoffSeconds' | 'backoffFactor' | 'maxLaunchDelaySeconds'>,
  failures: number,
): number {
  if (failures === 0) return 0;
  const seconds = app.backoffSeconds * app.backoffFactor ** (failures - 1);
  return Math.min(seconds, app.maxLaunchDelaySeconds) * 1000;
}

interface Backoff {
  readonly failures: number;
  readonly failedAt: number;
  readonly until: number;
}

interface Entry {
  count: number;
  readonly since: number;
  processed: number;
  unused: number;
  lastUnusedAt?: number;
  lastUsedAt?: number;
  readonly reasons: Map<RejectReason, number>;
  timer?: Timer;
}

/**
 * What waits to be started, and why it waits. The backoff belongs to one configuration of an app:
 * scaling does not clear it, a new configuration begins without.
 */
export class LaunchQueue {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #backoffs = new Map<string, Backoff>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sets how many tasks an app still needs. 0 takes it out of the queue. */
  want(appId: string, count: number): void {
    const entry = this.#entries.get(appId);
    if (count <= 0) {
      entry?.timer?.cancel();
      this.#entries.delete(appId);
    } else if (entry === undefined) {
      const since = this.#clock.now();
      this.#entries.set(appId, { count, since, processed: 0, unused: 0, reasons: new Map() });
    } else {
      entry.count = count;
    }
  }

  count(appId: string): number {
    return this.#entries.get(appId)?.count ?? 0;
  }

  /** One task of the app was handed out. */
  took(appId: string): void {
    const entry = this.#entries.get(appId);
    if (entry === undefined) return;
    entry.processed += 1;
    entry.lastUsedAt = this.#clock.now();
    this.want(appId, entry.count - 1);
  }

  /** An attempt found no room. */
  rejected(appId: string, reasons: readonly RejectReason[]): void {
    const entry = this.#entries.get(appId);
    if (entry === undefined) return;
    entry.processed += 1;
    entry.unused += 1;
    entry.lastUnusedAt = this.#clock.now();
    for (const reason of reasons) entry.reasons.set(reason, (entry.reasons.get(reason) ?? 0) + 1);
  }

  /** Milliseconds until the app may be started again. */
  waitMs(app: AppDefinition): number {
    return Math.max(0, (this.#backoffs.get(keyOf(app))?.until ?? 0) - this.#clock.now());
  }

  /** Calls `run` after `ms`; a later call for the same app replaces it. */
  wake(appId: string, ms: number, run: () => void): void {
    const entry = this.#entries.get(appId);
    if (entry === undefined) return;
    entry.timer?.cancel();
    entry.timer = this.#clock.after(ms, run);
  }

  /** A task ended by itself: the next one waits longer. Exit status 0 counts as well. */
  failed(app: AppDefinition): void {
    const now = this.#clock.now();
    const before = this.#backoffs.get(keyOf(app));
    // Marathon forgets the delay when nothing failed for longer than the longest delay.
    const quiet = before === undefined || now - before.failedAt > app.maxLaunchDelaySeconds * 1000;
    const failures = quiet ? 1 : before.failures + 1;
    this.#backoffs.set(keyOf(app), {
      failures,
      failedAt: now,
      until: now + delayMs(app, failures),
    });
  }

  clearDelay(app: AppDefinition): void {
    this.#backoffs.delete(keyOf(app));
  }

  /** Forgets an app and all its configurations. */
  purge(appId: string): void {
    this.want(appId, 0);
    for (const key of this.#backoffs.keys()) {
      if (key.startsWith(`${appId} `)) this.#backoffs.delete(key);
    }
  }

  has(appId: string): boolean {
    return this.#entries.has(appId);
  }

  close(): void {
    for (const entry of this.#entries.values()) entry.timer?.cancel();
    this.#entries.clear();
  }

  /** `/v2/queue`; `shown` turns an app id into the app as the API shows it. */
  json(shown: (appId: string) => AppDefinition | undefined): readonly object[] {
    return [...this.#entries].flatMap(([appId, entry]) => {
      const app = shown(appId);
      if (app === undefined) return [];
      const wait = this.waitMs(app);
      return [
        {
          app,
          count: entry.count,
          delay: { timeLeftSeconds: Math.ceil(wait / 1000), overdue: wait === 0 },
          since: timestamp(entry.since),
          processedOffersSummary: summary(entry),
          role: app.role,
        },
      ];
    });
  }
}

function keyOf(app: AppDefinition): string {
  return `${app.id} ${app.versionInfo.lastConfigChangeAt}`;
}

function summary(entry: Entry): object {
  const reject = [...entry.reasons].map(([reason, declined]) => ({
    reason,
    declined,
    processed: entry.processed,
  }));
  return {
    processedOffersCount: entry.processed,
    unusedOffersCount: entry.unused,
    ...(entry.lastUnusedAt === undefined
      ? {}
      : { lastUnusedOfferAt: timestamp(entry.lastUnusedAt) }),
    ...(entry.lastUsedAt === undefined ? {} : { lastUsedOfferAt: timestamp(entry.lastUsedAt) }),
    rejectSummaryLastOffers: reject,
    rejectSummaryLaunchAttempt: reject,
  };
}
