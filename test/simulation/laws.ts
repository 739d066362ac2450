import type { Action } from '../../reconciler/model/action.ts';
import type { DesiredGateway, DesiredVersion } from '../../reconciler/model/desired.ts';
import { serviceKey } from '../../reconciler/model/desired.ts';
import type { GatewayMemory, NodeView, Split, SplitVersion } from '../../reconciler/model/split.ts';
import { isUsable, vectorOf } from '../../reconciler/model/split.ts';
import type { Vector } from '../../reconciler/model/weights.ts';
import { WHOLE, sameVector, total, vectorKey, weightOf } from '../../reconciler/model/weights.ts';
import type { PlanInput } from '../../reconciler/plan/input.ts';
import type { FakeNode } from '../support/fake-gateways.ts';
import { sharesOf } from '../support/fake-gateways.ts';
import type { FakePlatform } from '../support/fake-platform.ts';
import { behaviourOf } from '../support/fake-platform.ts';

/** A law was broken: this is what a seed fails with. */
export class LawBroken extends Error {
  constructor(law: number | string, message: string) {
    super(`law ${String(law)}: ${message}`);
    this.name = 'LawBroken';
  }
}

/** What really is, as against what the reconciler was shown. */
export interface Truth {
  readonly platform: FakePlatform;
  readonly nodes: readonly FakeNode[];
  readonly owner: string;
  readonly now: number;
  readonly forgotten: readonly string[];
  readonly journalWorks: boolean;
  /** Why nothing may be pruned now, as git is; undefined: the view is whole. */
  readonly incomplete: string | undefined;
  readonly approved: readonly string[];
  /** Since when every proxy shows the vector in force, by gateway. */
  readonly shownSince: ReadonlyMap<string, { readonly key: string; readonly since: number }>;
  /** Since when no proxy gives an app traffic, by app id. */
  readonly outSince: ReadonlyMap<string, number>;
  readonly behaviours: ReadonlyMap<string, string>;
}

/** Checks one write against the laws, in the state in which it is made. */
export function checkAction(action: Action, input: PlanInput, truth: Truth): void {
  switch (action.kind) {
    case 'record':
      for (const record of Object.values(action.patch.gateways ?? {})) {
        if (record) checkRejections(record.memory, truth);
      }
      for (const [name, record] of Object.entries(action.patch.gateways ?? {})) {
        if (record) checkStable(name, record.memory, input, truth);
      }
      return;
    case 'apply-split':
      checkSplit(action.split, input, truth);
      return;
    case 'remove-gateway':
      if (input.desired.gateways.some((one) => one.name === action.gateway)) {
        throw new LawBroken(11, `gateway ${action.gateway} is removed although git has it`);
      }
      checkComplete(`gateway ${action.gateway}`, truth);
      checkAllSeen(action.gateway, input, truth);
      return;
    case 'create-app':
      checkCreation(action.id, input, truth);
      return;
    case 'scale-app':
      checkScale(action.id, action.instances, input, truth);
      return;
    case 'end-platform-change':
      checkUnrouted(action.appId, truth);
      return;
    case 'kill-tasks':
      checkKill(action.appId, action.taskIds, input, truth);
      return;
    case 'delete-app':
      checkLeaving(action.id, input, truth);
      if ((truth.platform.apps.get(action.id)?.instances ?? 0) > 0) {
        throw new LawBroken(5, `${action.id} is deleted while it has instances`);
      }
  }
}

function checkRejections(memory: GatewayMemory, truth: Truth): void {
  for (const one of memory.rejected) {
    const behaviour = truth.behaviours.get(one.digest);
    if (behaviour === 'good' || behaviour === 'slow') {
      throw new LawBroken(9, `${one.service} (${behaviour}) is rejected: ${one.message}`);
    }
  }
}

/** Stable is what git asked for, seen everywhere until its last bake was over. */
function checkStable(name: string, memory: GatewayMemory, input: PlanInput, truth: Truth): void {
  const before = inForceOf(viewsOf(input), name);
  const known = input.record.gateways[name]?.memory.stable ?? before?.memory.stable;
  const next = memory.stable?.vector;
  const desired = input.desired.gateways.find((one) => one.name === name);
  if (next === undefined || known === undefined || before === undefined || !desired) return;
  if (sameVector(next, known.vector) || sameVector(next, before.memory.stable?.vector ?? {}))
    return;
  const shown = truth.shownSince.get(name);
  let bakeMs = 0;
  for (const [id, weight] of Object.entries(next)) {
    if (weight <= weightOf(known.vector, id)) continue;
    const step = desired.rollout.steps.findLast((one) => one.weight <= weight);
    bakeMs = Math.max(bakeMs, (step ?? desired.rollout.steps[0])?.bakeMs ?? 0);
  }
  const since = shown?.key === vectorKey(next) ? shown.since : truth.now;
  if (truth.now - since < bakeMs) {
    throw new LawBroken(
      7,
      `${name}: ${sharesOf(next)} is stable after ${String(truth.now - since)} ms`,
    );
  }
}

/** The split of the highest generation among those that can be seen. */
export function inForceOf(views: readonly NodeView[], gateway: string): Split | undefined {
  return views
    .flatMap((node) => node.gateways.map((view) => view.split))
    .filter((split) => split.gateway === gateway)
    .sort((a, b) => b.generation - a.generation)[0];
}

function viewsOf(input: PlanInput): readonly NodeView[] {
  return input.nodes.filter(
    (node) => !(node.error !== undefined && input.forgotten.includes(node.node)),
  );
}

function checkSplit(split: Split, input: PlanInput, truth: Truth): void {
  const views = viewsOf(input);
  const before = inForceOf(views, split.gateway);
  const sum = total(vectorOf(split));
  if (sum !== 0 && sum !== WHOLE)
    throw new LawBroken(3, `weights of ${split.gateway} sum to ${String(sum)}`);
  checkRejections(split.memory, truth);
  if (before?.generation === split.generation) {
    if (JSON.stringify(before) !== JSON.stringify(split)) {
      throw new LawBroken(6, `another split of generation ${String(split.generation)}`);
    }
    return;
  }
  if (before !== undefined && before.generation > split.generation) {
    throw new LawBroken(6, `generation ${String(split.generation)} goes back`);
  }
  const old = before ? vectorOf(before) : {};
  const desired = input.desired.gateways.find((one) => one.name === split.gateway);
  if (
    desired &&
    sum === 0 &&
    total(old) > 0 &&
    desired.routes.some((r) => r.members.some((m) => m.weight !== 0))
  ) {
    throw new LawBroken(3, `${split.gateway} is closed although git wants it open`);
  }
  for (const version of before?.versions ?? []) {
    if (split.versions.some((one) => one.id === version.id)) continue;
    checkUnrouted(version.id, truth, split.gateway);
  }
  if (desired)
    for (const version of split.versions)
      checkRaise(version, { split, before, desired, input, truth });
  checkStep10({ split, before, desired, input });
}

interface Raise {
  readonly split: Split;
  readonly before: Split | undefined;
  readonly desired: DesiredGateway;
  readonly input: PlanInput;
  readonly truth: Truth;
}

function desiredOf(input: PlanInput, version: SplitVersion): DesiredVersion | undefined {
  const { source } = version;
  if (source.kind !== 'app') return undefined;
  return input.desired.deployments
    .flatMap((deployment) => deployment.versions)
    .find((one) => one.digest === source.digest && serviceKey(one) === source.service);
}

/** What git asks for, by version id, summed over routes whose weights the scenario always gives. */
function targetOf(desired: DesiredGateway, split: Split): Vector {
  const target: Record<string, number> = {};
  for (const route of desired.routes) {
    for (const member of route.members) {
      if (member.kind !== 'version') continue;
      const found = split.versions.findLast(
        ({ source }) =>
          source.kind === 'app' &&
          source.digest === member.digest &&
          source.service === serviceKey(member),
      );
      const share = (route.weight ?? 100) * (member.weight ?? 100);
      if (found) target[found.id] = (target[found.id] ?? 0) + share;
    }
  }
  return target;
}

/** Stable before this write, as the journal or else the split in force has it. */
function stableOf(raise: Raise): Vector | undefined {
  const { input, split, before } = raise;
  return (
    input.record.gateways[split.gateway]?.memory.stable?.vector ?? before?.memory.stable?.vector
  );
}

function usableAt(node: NodeView, gateway: string, id: string): number {
  const view = node.gateways.find((one) => one.split.gateway === gateway);
  return view?.versions.find((one) => one.id === id)?.servers.filter(isUsable).length ?? 0;
}

function checkRaise(version: SplitVersion, raise: Raise): void {
  const { split, before, input, truth } = raise;
  const { id } = version;
  const old = before ? vectorOf(before) : {};
  const present = weightOf(old, id);
  if (version.weight <= present) return;
  const stable = stableOf(raise);
  const reachable = viewsOf(input).filter((node) => node.error === undefined);
  if (stable !== undefined && isBackTo(stable, version, split)) return;
  const name = `${split.gateway}: ${sharesOf(old)} -> ${sharesOf(vectorOf(split))}`;
  const { source } = version;
  if (split.memory.rejected.some((one) => source.kind === 'app' && one.digest === source.digest)) {
    throw new LawBroken(9, `${name}: a rejected version rises`);
  }
  if (!truth.journalWorks)
    throw new LawBroken(17, `${name}: raised while the record cannot be written`);
  const wanted = desiredOf(input, version);
  const needed = Math.max(
    1,
    Math.ceil(((wanted?.instances ?? 1) * (wanted?.rollout.minReady ?? 100)) / 100),
  );
  const stableServes = Object.keys(stable ?? {}).some((one) =>
    reachable.some((node) => usableAt(node, split.gateway, one) > 0),
  );
  const isFirst = total(old) === 0 || stable === undefined;
  if (isFirst && present > 0 && weightOf(targetOf(raise.desired, split), id) < version.weight) {
    // Who serves already takes over the share of a version that was rejected.
    return;
  }
  const ready = Math.min(...reachable.map((node) => usableAt(node, split.gateway, id)));
  const best = Math.max(...reachable.map((node) => usableAt(node, split.gateway, id)));
  const isAlone = (isFirst || !stableServes) && present > 0 && best > 0;
  if (ready < needed && !isAlone) {
    throw new LawBroken(4, `${name}: ${id} has ${String(ready)} of ${String(needed)} ready`);
  }
  if (isFirst || !stableServes) return;
  checkEarned(version, { ...raise, stable, ready, name });
}

/** Back to stable, or to what has still a seat of it. */
function isBackTo(stable: Vector, version: SplitVersion, split: Split): boolean {
  if (version.weight <= weightOf(stable, version.id)) return true;
  const isSeated = (id: string): boolean => split.versions.some((one) => one.id === id);
  const lost = Object.keys(stable).some((id) => !isSeated(id));
  const only = split.versions.every((one) => one.weight === 0 || weightOf(stable, one.id) > 0);
  return lost && only;
}

/** Steps, bakes, sight of every proxy, fresh health and the load guard of an ordinary raise. */
function checkEarned(
  version: SplitVersion,
  raise: Raise & { readonly stable: Vector; readonly ready: number; readonly name: string },
): void {
  const { split, before, input, truth, name, stable, ready, desired } = raise;
  const old = before ? vectorOf(before) : {};
  const present = weightOf(old, version.id);
  for (const node of viewsOf(input)) {
    const view = node.gateways.find((one) => one.split.gateway === split.gateway);
    if (node.error || !view?.applied || view.split.generation !== before?.generation) {
      throw new LawBroken(6, `${name}: ${node.node} is not seen to have the split in force`);
    }
  }
  if (input.apps === undefined) throw new LawBroken(7, `${name}: raised while Marathon is unseen`);
  const app = truth.platform.apps.get(version.id);
  if (
    truth.now < truth.platform.healthForgottenUntil &&
    app?.tasks.some((one) => one.health === 'unknown')
  ) {
    throw new LawBroken(7, `${name}: raised while Marathon has forgotten health`);
  }
  const { steps } = desired.rollout;
  const next = steps.find((step) => step.weight > present)?.weight ?? WHOLE;
  if (version.weight > Math.max(next, weightOf(stable, version.id))) {
    throw new LawBroken(7, `${name}: ${version.id} skips the step ${String(next)}`);
  }
  const step = steps.findLast((one) => one.weight <= present) ?? steps[0];
  const shown = truth.shownSince.get(split.gateway);
  if (present > 0 && present > weightOf(stable, version.id)) {
    const since = shown?.key === vectorKey(old) ? shown.since : truth.now;
    if (truth.now - since < (step?.bakeMs ?? 0)) {
      throw new LawBroken(7, `${name}: the step baked for ${String(truth.now - since)} ms only`);
    }
  }
  checkGuard(version, raise, ready);
}

function checkGuard(
  version: SplitVersion,
  raise: Raise & { readonly stable: Vector; readonly name: string },
  ready: number,
): void {
  const { split, input, stable, desired } = raise;
  let load = 0;
  for (const one of split.versions) {
    const has = input.apps?.find((app) => app.id === one.id)?.instances ?? Infinity;
    // A leaving one counts with what it has.
    const wanted = Math.min(desiredOf(input, one)?.instances ?? has, has);
    if (wanted === 0 || wanted === Infinity) continue;
    load = Math.max(load, weightOf(stable, one.id) / wanted);
    load = Math.max(load, weightOf(targetOf(desired, split), one.id) / wanted);
  }
  if (version.weight > ready * load * 1.25 + 1) {
    throw new LawBroken(4, `${raise.name}: ${String(ready)} instances would carry too much`);
  }
}

/** A commit that only weighs goes on from where it stands: nobody loses what git still gives him. */
function checkStep10(of: {
  readonly split: Split;
  readonly before: Split | undefined;
  readonly desired: DesiredGateway | undefined;
  readonly input: PlanInput;
}): void {
  const { split, before, desired } = of;
  if (before === undefined || desired === undefined) return;
  if (split.memory.rejected.length > 0) return;
  const digests = split.versions.map(({ source }) => (source.kind === 'app' ? source.digest : ''));
  // Two apps of one digest: somebody tampered with one, and git means the other.
  if (new Set(digests).size < digests.length) return;
  const target = targetOf(desired, split);
  const stable = stableOf({ ...of, desired, before, truth: undefined as never });
  if (stable === undefined) return;
  // With nobody of stable left the candidate takes all (law 3).
  const stableServes = Object.keys(stable).some((id) =>
    viewsOf(of.input).some((node) => usableAt(node, split.gateway, id) > 0),
  );
  if (!stableServes) return;
  const isTrial = (id: string): boolean => !(id in target) && weightOf(stable ?? {}, id) === 0;
  if (before.versions.some((one) => one.weight > 0 && isTrial(one.id))) return;
  if (sameVector(vectorOf(split), stable ?? {})) return;
  for (const { id, weight } of before.versions) {
    if (weightOf(vectorOf(split), id) < Math.min(weight, weightOf(target, id))) {
      throw new LawBroken(10, `${split.gateway}: ${id} loses what git still gives it`);
    }
  }
}

/** Nobody routes to it: weight 0 in what every proxy really does, seen or unseen. */
function checkUnrouted(id: string, truth: Truth, only?: string): void {
  for (const node of truth.nodes) {
    if (truth.forgotten.includes(node.name) && !node.reachable) continue;
    for (const gateway of node.proxy.gateways) {
      if (only !== undefined && gateway.name !== only) continue;
      // An agent that forgot a gateway cannot tell that its proxy is late in closing it.
      if (!node.splits().some((split) => split.gateway === gateway.name)) continue;
      const weight = gateway.versions.find((one) => one.id === id)?.weight ?? 0;
      if (weight > 0)
        throw new LawBroken(5, `${id} leaves with weight ${String(weight)} at ${node.name}`);
    }
  }
}

function checkAllSeen(what: string, input: PlanInput, truth: Truth): void {
  const unseen = truth.nodes.filter(
    (node) => !node.reachable && !input.forgotten.includes(node.name),
  );
  if (unseen.length > 0)
    throw new LawBroken(6, `${what} leaves while ${unseen[0]?.name ?? ''} is unseen`);
}

function checkComplete(what: string, truth: Truth): void {
  if (truth.incomplete !== undefined)
    throw new LawBroken(11, `${what} is pruned although ${truth.incomplete}`);
}

function checkCreation(id: string, input: PlanInput, truth: Truth): void {
  const version = input.desired.deployments
    .flatMap((deployment) => deployment.versions)
    .find((one) => id.startsWith(one.appId));
  if (version === undefined)
    throw new LawBroken(11, `${id} is created but git does not ask for it`);
  for (const record of Object.values(input.record.gateways)) {
    if (
      record.memory.rejected.some((one) => one.digest === version.digest && isAsked(input, one))
    ) {
      const app = truth.platform.apps.get(id);
      if (app === undefined) throw new LawBroken(9, `${id} was rejected and is tried again`);
    }
  }
}

function isAsked(
  input: PlanInput,
  of: { readonly digest: string; readonly rollout: string },
): boolean {
  return input.desired.gateways.some((gateway) =>
    gateway.routes.some((route) =>
      route.members.some((one) => one.kind === 'version' && one.digest === of.digest),
    ),
  );
}

function checkScale(id: string, instances: number, input: PlanInput, truth: Truth): void {
  const app = truth.platform.apps.get(id);
  const before = app?.instances ?? 0;
  if (instances >= before) return;
  if (instances > 0)
    throw new LawBroken(5, `${id} is scaled down: Marathon would choose the victims`);
  checkLeaving(id, input, truth);
  const drain = 6000;
  const out = truth.outSince.get(id);
  const open = truth.nodes.some(
    (node) =>
      node.reachable &&
      node
        .view(truth.now, truth.owner)
        .gateways.some((view) => view.versions.some((one) => one.id === id && one.sessions > 0)),
  );
  if (open && (out === undefined || truth.now - out < drain)) {
    throw new LawBroken(5, `${id} is parked with open sessions`);
  }
}

function checkLeaving(id: string, input: PlanInput, truth: Truth): void {
  checkAllSeen(id, input, truth);
  checkUnrouted(id, truth);
  for (const node of truth.nodes) {
    for (const split of node.splits()) {
      if (!node.reachable || split.owner !== truth.owner) continue;
      if (inForceOf(viewsOf(input), split.gateway)?.generation !== split.generation) continue;
      const isWanted = input.desired.gateways.some((one) => one.name === split.gateway);
      if (isWanted && weightOf(split.memory.stable?.vector ?? {}, id) > 0) {
        throw new LawBroken(5, `${id} leaves although it is stable at ${split.gateway}`);
      }
    }
  }
  const app = input.apps?.find((one) => one.id === id);
  if (app === undefined) throw new LawBroken(8, `${id} is not known to be ours`);
  const isKept = input.desired.deployments.some((deployment) =>
    deployment.versions.some(
      (one) => one.deployment === app.deployment && one.cluster === app.cluster,
    ),
  );
  if (!isKept) checkComplete(id, truth);
}

function checkKill(id: string, taskIds: readonly string[], input: PlanInput, truth: Truth): void {
  checkAllSeen(id, input, truth);
  const counting = truth.nodes.filter(
    (node) => node.reachable || !truth.forgotten.includes(node.name),
  );
  const isRouted = counting.some((node) =>
    node.proxy.gateways.some((gateway) =>
      gateway.versions.some((one) => one.id === id && one.weight > 0),
    ),
  );
  if (!isRouted) return;
  for (const node of truth.nodes) {
    const servers = node
      .view(truth.now, truth.owner)
      .gateways.flatMap((view) => view.versions.find((one) => one.id === id)?.servers ?? [])
      .filter((server) => taskIds.includes(server.id));
    const serving = servers.find((one) => one.state !== 'draining' && one.state !== 'down');
    if (serving) {
      throw new LawBroken(5, `${serving.id} is killed while ${serving.state} at ${node.name}`);
    }
  }
  const record = input.record.apps[id];
  for (const taskId of taskIds) {
    const since = record?.drainingSince?.[taskId];
    const open = truth.nodes.some((node) =>
      node
        .view(truth.now, truth.owner)
        .gateways.some((view) =>
          view.versions.some((one) =>
            one.servers.some((server) => server.id === taskId && server.sessions > 0),
          ),
        ),
    );
    if (open && (since === undefined || truth.now - since < 6000)) {
      throw new LawBroken(5, `${taskId} is killed with open sessions`);
    }
  }
  checkNotBaking(id, input);
}

/** Stable is never scaled down before the last bake has passed. */
function checkNotBaking(id: string, input: PlanInput): void {
  for (const gateway of input.desired.gateways) {
    const split = inForceOf(viewsOf(input), gateway.name);
    const stable = split?.memory.stable?.vector ?? {};
    if (split === undefined || weightOf(stable, id) === 0) continue;
    if (!sameVector(vectorOf(split), stable)) {
      throw new LawBroken(5, `${id} shrinks while ${gateway.name} is on its way`);
    }
  }
}

export function behaviourByDigest(input: PlanInput): readonly (readonly [string, string])[] {
  return input.desired.deployments
    .flatMap((deployment) => deployment.versions)
    .map((version) => [version.digest, behaviourOf(version.definition)] as const);
}
