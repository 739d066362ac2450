import { createHash } from 'node:crypto';

import type { ActualApp } from '../model/actual.ts';
import type { Desired } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import type { UnitRecord } from '../model/record.ts';
import type { NodeView } from '../model/split.ts';
import type { Hold } from '../model/status.ts';
import { driftOf } from './versions.ts';

export interface PruneInput {
  readonly desired: Desired;
  readonly apps: readonly ActualApp[];
  readonly nodes: readonly NodeView[];
  readonly owner: string;
  /** Undefined: every source was read whole. Else why the view is not complete (law 11). */
  readonly incomplete: string | undefined;
  /** App ids and gateway names that a person agreed to lose, list by list. */
  readonly approved: readonly string[];
  readonly budget: Budget;
}

/** At once no more than the larger of a number and a share (whole per cent) of the apps. */
export interface Budget {
  readonly count: number;
  readonly share: number;
}

export interface PruneDecision {
  /** App ids and gateway names that may go. */
  readonly mayPrune: readonly string[];
  /** All that left git, whether it may go or not. */
  readonly left: readonly string[];
  readonly hold?: Hold;
}

/**
 * What left git and may go: nothing on an incomplete view, and what would at once take away more
 * than the budget waits whole until a person approves exactly this list (law 11).
 */
export function decidePrune(input: PruneInput): PruneDecision {
  const apps = input.apps.filter((app) => !isDesired(input.desired, app));
  const running = apps.filter((app) => app.instances > 0);
  const gateways = leftGateways(input);
  const list = [...apps.map((app) => app.id), ...gateways].sort();
  if (list.length === 0) return { mayPrune: [], left: [] };
  if (input.incomplete !== undefined) {
    const message = `${String(list.length)} left git, but ${input.incomplete}: nothing is pruned`;
    const hold = { id: holdId(list), reason: 'incomplete-view', message, list };
    return { mayPrune: [], left: list, hold };
  }
  const allowed = allowedOf(input.budget, input.apps.length);
  const waiting = running.filter((app) => !input.approved.includes(app.id));
  if (waiting.length <= allowed) {
    return { mayPrune: list, left: list };
  }
  const message =
    `${String(waiting.length)} of ${String(input.apps.length)} apps left git at once, ` +
    `more than the ${String(allowed)} that may go without a word`;
  const hold = { id: holdId(list), reason: 'prune-budget', message, list };
  return { mayPrune: [], left: list, hold };
}

export interface DriftInput {
  readonly desired: Desired;
  readonly apps: readonly ActualApp[];
  readonly record: UnitRecord;
  readonly approved: readonly string[];
  readonly budget: Budget;
}

export interface DriftDecision {
  /** Apps that stay as they are until a person agrees. */
  readonly keptDrift: readonly string[];
  /** All that somebody changed, whether it is kept or not. */
  readonly drifted: readonly string[];
  readonly hold?: Hold;
}

/**
 * Apps that somebody changed walk back as new versions; more than the budget at once may be a
 * mistake of ours or of Marathon's, and waits whole (law 11).
 */
export function decideDrift(input: DriftInput): DriftDecision {
  const drifted = driftedApps(input);
  const waiting = drifted.filter((id) => !input.approved.includes(id));
  const allowed = allowedOf(input.budget, input.apps.length);
  if (waiting.length <= allowed) return { keptDrift: [], drifted };
  const message =
    `${String(waiting.length)} of ${String(input.apps.length)} apps were changed in Marathon, ` +
    `more than the ${String(allowed)} that may be replaced without a word`;
  const hold = { id: holdId(waiting), reason: 'drift-budget', message, list: waiting };
  return { keptDrift: waiting, drifted, hold };
}

function driftedApps({ desired, apps, record }: DriftInput): readonly string[] {
  const versions = desired.deployments.flatMap((deployment) => deployment.versions);
  return versions
    .flatMap((version) => {
      const same = apps.filter(
        (app) => app.digest === version.digest && serviceKey(app) === serviceKey(version),
      );
      const changed = same.filter((app) => driftOf({ record }, app, version).replaced);
      // Where another app runs the version already, the changed one is only leaving.
      return changed.length === same.length ? changed.map((app) => app.id) : [];
    })
    .sort();
}

function allowedOf(budget: Budget, apps: number): number {
  return Math.max(budget.count, Math.floor((apps * budget.share) / 100));
}

/** Names exactly this list: another one needs another approval. */
export function holdId(list: readonly string[]): string {
  return createHash('sha256').update(list.join('\n')).digest('hex').slice(0, 8);
}

function isDesired(desired: Desired, app: ActualApp): boolean {
  return desired.deployments.some((deployment) =>
    deployment.versions.some(
      (one) => one.deployment === app.deployment && one.cluster === app.cluster,
    ),
  );
}

function leftGateways(input: PruneInput): readonly string[] {
  const wanted = new Set(input.desired.gateways.map((gateway) => gateway.name));
  const held = input.nodes
    .flatMap((node) => node.gateways.map((view) => view.split))
    .filter((split) => split.owner === input.owner && !wanted.has(split.gateway));
  return [...new Set(held.map((split) => split.gateway))];
}
