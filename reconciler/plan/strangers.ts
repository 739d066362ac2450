import type { ActualApp } from '../model/actual.ts';
import type { Desired } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import type { NodeView } from '../model/split.ts';
import type { Hold } from '../model/status.ts';
import { holdId } from './prune.ts';

/**
 * Apps with our owner label that run, that git does not ask for, and that no proxy of ours seats. To
 * a reconciler that has just begun to remember they may be another one's, in the middle of its
 * rollout: the same owner on another host, or a host that was restored without its state.
 */
export function findStrangers(input: {
  readonly desired: Desired;
  readonly apps: readonly ActualApp[];
  readonly nodes: readonly NodeView[];
  readonly owner: string;
}): readonly string[] {
  const wanted = new Set(
    input.desired.deployments
      .flatMap((deployment) => deployment.versions)
      .map((one) => `${serviceKey(one)}@${one.digest}`),
  );
  const seated = new Set(
    input.nodes
      .flatMap((node) => node.gateways.map((view) => view.split))
      .filter((split) => split.owner === input.owner)
      .flatMap((split) => split.versions.map((one) => one.id)),
  );
  return input.apps
    .filter((app) => app.instances > 0 && !seated.has(app.id))
    .filter((app) => !wanted.has(`${serviceKey(app)}@${app.digest}`))
    .map((app) => app.id)
    .sort();
}

export interface StrangerDecision {
  /** Stay as they are until a person agrees to lose them. */
  readonly strangers: readonly string[];
  /** Those that still run, answered for or not. */
  readonly found: readonly string[];
  readonly hold?: Hold;
}

/** Of those that were found in the beginning, the ones that still run and nobody has answered for. */
export function decideStrangers(input: {
  readonly found: readonly string[];
  readonly apps: readonly ActualApp[];
  readonly approved: readonly string[];
}): StrangerDecision {
  const running = new Set(input.apps.filter((app) => app.instances > 0).map((app) => app.id));
  const found = input.found.filter((id) => running.has(id));
  const list = found.filter((id) => !input.approved.includes(id));
  if (list.length === 0) return { strangers: [], found };
  const message =
    `${list.length === 1 ? '1 app' : `${String(list.length)} apps`} with our owner label ran ` +
    'before this reconciler remembered anything, and git does not ask for them: ' +
    'another reconciler may be using them';
  const hold = { id: holdId(list), reason: 'unknown-apps', message, list };
  return { strangers: list, found, hold };
}
