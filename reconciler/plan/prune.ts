import { createHash } from 'node:crypto';

import type { ActualApp } from '../model/actual.ts';
import type { Desired } from '../model/desired.ts';
import type { NodeView } from '../model/split.ts';
import type { Hold } from '../model/status.ts';

export interface PruneInput {
  readonly desired: Desired;
  readonly apps: readonly ActualApp[];
  readonly nodes: readonly NodeView[];
  readonly owner: string;
  /** Undefined: every source was read whole. Else why the view is not complete (law 11). */
  readonly incomplete: string | undefined;
  /** App ids and gateway names that a person agreed to lose, list by list. */
  readonly approved: readonly string[];
  /** At once no more than the larger of a number and a share (whole per cent) of the apps. */
  readonly budget: { readonly count: number; readonly share: number };
}

export interface PruneDecision {
  /** App ids and gateway names that may go. */
  readonly mayPrune: readonly string[];
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
  if (list.length === 0) return { mayPrune: [] };
  if (input.incomplete !== undefined) {
    const message = `${String(list.length)} left git, but ${input.incomplete}: nothing is pruned`;
    return { mayPrune: [], hold: { id: holdId(list), reason: 'incomplete-view', message, list } };
  }
  const allowed = Math.max(
    input.budget.count,
    Math.floor((input.apps.length * input.budget.share) / 100),
  );
  const waiting = running.filter((app) => !input.approved.includes(app.id));
  if (waiting.length <= allowed) {
    return { mayPrune: list };
  }
  const message =
    `${String(waiting.length)} of ${String(input.apps.length)} apps left git at once, ` +
    `more than the ${String(allowed)} that may go without a word`;
  return { mayPrune: [], hold: { id: holdId(list), reason: 'prune-budget', message, list } };
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
