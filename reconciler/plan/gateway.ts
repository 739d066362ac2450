import type { Action } from '../model/action.ts';
import type { DesiredGateway, RouteMember, VersionPort } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import type { GatewayRecord } from '../model/record.ts';
import { stableText } from '../model/json.ts';
import type { GatewayMemory, Split, SplitVersion } from '../model/split.ts';
import { isUsable } from '../model/split.ts';
import type { Vector } from '../model/weights.ts';
import { sameVector, total, vectorKey, weightOf } from '../model/weights.ts';
import type { Member, PathDecision } from './path.ts';
import { nextVector } from './path.ts';
import { readinessNote } from './readiness.ts';
import { targetOf } from './target.ts';
import type { Gateway, Version, World } from './world.ts';
import { isReady, memberId, versionOf, viewsOf } from './world.ts';

/** What one gateway should do now, and what it will remember of it. */
export interface GatewayPlan {
  readonly gateway: Gateway;
  readonly target: Vector;
  readonly decision: PathDecision;
  readonly actions: readonly Action[];
  readonly record: GatewayRecord;
  /** At its target, seen everywhere, baked: only then do versions shrink. */
  readonly calm: boolean;
  readonly warnings: readonly string[];
}

/** Versions that are rejected, and the instances that are to leave, by version id. */
export interface Verdicts {
  readonly memory: (gateway: Gateway) => GatewayMemory;
  readonly victims: ReadonlyMap<string, readonly string[]>;
}

/** Plans a gateway that git asks for. */
export function planGateway(
  world: World,
  gateway: Gateway,
  desired: DesiredGateway,
  verdicts: Verdicts,
): GatewayPlan {
  const memory = verdicts.memory(gateway);
  const target = targetOf(desired, memory.stable?.vector ?? {}, (m) => memberId(world, m));
  const members = membersOf(world, gateway, desired, memory);
  const step = stepSeen(gateway, world.now);
  const first = memory.first === true || gateway.inForce === undefined;
  const decision = nextVector({
    target,
    stable: memory.stable,
    first,
    present: gateway.weights,
    settled: gateway.settled,
    unsettled: unsettledBecause(world, gateway),
    members,
    rollout: desired.rollout,
    step: gateway.record?.step,
    now: world.now,
  });
  const remembered = remember(memory, { decision, target, first, now: world.now });
  const record: GatewayRecord = { memory: remembered, ...(step && { step }) };
  const next = nextSplit(world, { gateway, desired, decision, memory: remembered, verdicts });
  const actions = applyActions(gateway, next, decision);
  return {
    gateway,
    target,
    decision,
    actions,
    record,
    calm: decision.arrived === true && actions.length === 0,
    warnings: warningsOf(world, gateway),
  };
}

function warningsOf(world: World, gateway: Gateway): readonly string[] {
  const unseen = world.unseen.map(
    (node) =>
      `proxy ${node} cannot be seen: no weight of ${gateway.name} rises and nothing is retired ` +
      `(if it is gone for good: sluice gateway forget ${node})`,
  );
  const faults = gateway.nodes.flatMap((node) =>
    node.view?.error
      ? [`proxy ${node.node}, port ${gateway.name}: ${node.view.error.message}`]
      : [],
  );
  return [...unseen, ...faults];
}

function unsettledBecause(world: World, gateway: Gateway): { reason: string; message: string } {
  if (world.unseen.length > 0) {
    return {
      reason: 'proxy-unseen',
      message: `proxy ${world.unseen.join(', ')} cannot be seen: no weight rises`,
    };
  }
  const fault = gateway.nodes.find((node) => node.view?.error);
  if (fault?.view?.error) {
    return { reason: fault.view.error.code, message: fault.view.error.message };
  }
  return { reason: 'proxy-behind', message: 'waiting until every proxy shows the split in force' };
}

function membersOf(
  world: World,
  gateway: Gateway,
  desired: DesiredGateway,
  memory: GatewayMemory,
): ReadonlyMap<string, Member> {
  const members = new Map<string, Member>();
  for (const version of world.versions) {
    const inSplit = gateway.inForce?.versions.some((one) => one.id === version.id) ?? false;
    if (!inSplit && !routesTo(world, desired, version.id)) continue;
    members.set(version.id, {
      name: versionName(version),
      wanted: version.wanted,
      ready: version.ready,
      guarded: true,
      isReady: isReady(version) && inSplit,
      healthKnown: version.healthKnown,
      note: readinessNote(version, world.input.details[version.id]),
      rejected: memory.rejected.some((one) => rejects(one, version)),
    });
  }
  for (const member of desired.routes.flatMap((route) => route.members)) {
    if (member.kind === 'external') members.set(member.address, external(gateway, member.address));
  }
  return members;
}

function routesTo(world: World, desired: DesiredGateway, id: string): boolean {
  return desired.routes.some((route) => route.members.some((m) => memberId(world, m) === id));
}

function rejects(
  rejection: { readonly digest: string; readonly service: string },
  version: Version,
): boolean {
  return rejection.digest === version.digest && rejection.service === serviceKey(version);
}

function external(gateway: Gateway, address: string): Member {
  const views = viewsOf(gateway, address);
  const usable = views.length > 0 && views.every((view) => view.servers.some(isUsable));
  return {
    name: address,
    wanted: 1,
    ready: usable ? 1 : 0,
    guarded: false,
    isReady: usable,
    healthKnown: true,
    note: 'the check of the proxy has not passed',
    rejected: false,
  };
}

/** Since when every proxy shows the weights in force; a gap in sight does not start it anew. */
function stepSeen(gateway: Gateway, now: number): GatewayRecord['step'] {
  const vector = vectorKey(gateway.weights);
  if (gateway.record?.step?.vector === vector) return gateway.record.step;
  return gateway.settled ? { vector, since: now } : undefined;
}

function remember(
  memory: GatewayMemory,
  at: {
    readonly decision: PathDecision;
    readonly target: Vector;
    readonly first: boolean;
    readonly now: number;
  },
): GatewayMemory {
  const { rejected } = memory;
  if (at.decision.arrived === true && total(at.target) > 0) {
    const same = memory.stable && sameVector(memory.stable.vector, at.target);
    const stable = same ? memory.stable : { vector: positive(at.target), since: at.now };
    return { rejected, ...(stable && { stable }) };
  }
  return {
    rejected,
    ...(memory.stable && { stable: memory.stable }),
    ...(at.first && { first: true as const }),
  };
}

function positive(vector: Vector): Vector {
  return Object.fromEntries(Object.entries(vector).filter(([, parts]) => parts > 0));
}

interface Composition {
  readonly gateway: Gateway;
  readonly desired: DesiredGateway;
  readonly decision: PathDecision;
  readonly memory: GatewayMemory;
  readonly verdicts: Verdicts;
}

/** The whole split that should be in force, with the generation of the one that is. */
function nextSplit(world: World, of: Composition): Split {
  const { gateway, desired, decision, memory } = of;
  const old = gateway.inForce?.versions ?? [];
  const kept = old.filter((version) => keeps(world, of, version));
  const ids = new Set(kept.map((version) => version.id));
  const added = desired.routes
    .flatMap((route) => route.members)
    .filter((member) => !ids.has(memberId(world, member)))
    .flatMap((member) => entering(world, member));
  const versions = [...kept, ...added].map((version) => ({
    ...version,
    weight: weightOf(decision.vector, version.id),
    draining: of.verdicts.victims.get(version.id) ?? [],
  }));
  return {
    gateway: gateway.name,
    title: desired.title,
    owner: world.input.owner,
    generation: gateway.inForce?.generation ?? 0,
    port: desired.port,
    protocol: desired.protocol,
    versions,
    fallback: fallbackOf(world, versions, memory),
    memory,
  };
}

/** A version keeps its seat while it has weight, is wanted, is stable, or runs on while leaving. */
function keeps(world: World, of: Composition, version: SplitVersion): boolean {
  if (weightOf(of.decision.vector, version.id) > 0) return true;
  if (weightOf(of.gateway.weights, version.id) > 0) return true;
  if (weightOf(of.memory.stable?.vector ?? {}, version.id) > 0) return true;
  if (version.source.kind === 'external') return routesTo(world, of.desired, version.id);
  if (world.input.apps === undefined) return true;
  const app = versionOf(world, version.id)?.app;
  return app !== undefined && (app.instances > 0 || app.tasksRunning > 0);
}

function entering(world: World, member: RouteMember): readonly SplitVersion[] {
  if (member.kind === 'external') {
    const at = member.address.lastIndexOf(':');
    const source = {
      kind: 'external' as const,
      host: member.address.slice(0, at),
      port: Number(member.address.slice(at + 1)),
    };
    return [{ id: member.address, name: member.address, weight: 0, source, draining: [] }];
  }
  const version = versionOf(world, memberId(world, member));
  const port = version?.desired?.ports.find((one) => one.name === member.port);
  if (version?.app === undefined || version.app.instances === 0 || port === undefined) return [];
  return [enteringVersion(version, port)];
}

function enteringVersion(version: Version, port: VersionPort): SplitVersion {
  return {
    id: version.id,
    name: versionName(version),
    weight: 0,
    source: {
      kind: 'app',
      appId: version.id,
      service: serviceKey(version),
      digest: version.digest,
      portIndex: port.index,
    },
    ...(port.check && { check: port.check }),
    draining: [],
  };
}

/** `simpleservice:0.9@1a2b3c4d`: readable, and apart for two images under one breed name. */
export function versionName(version: {
  readonly service: string;
  readonly digest: string;
}): string {
  return `${version.service}@${version.digest.slice(2, 10)}`;
}

/** Stable's versions, then the others that git wants, never a rejected one (law 3). */
function fallbackOf(
  world: World,
  versions: readonly SplitVersion[],
  memory: GatewayMemory,
): readonly string[] {
  const stable = memory.stable?.vector ?? {};
  const rank = (version: SplitVersion): number => weightOf(stable, version.id);
  return versions
    .filter((version) => rank(version) > 0 || isWanted(world, version, memory))
    .sort((a, b) => rank(b) - rank(a))
    .map((version) => version.id);
}

function isWanted(world: World, version: SplitVersion, memory: GatewayMemory): boolean {
  const { source } = version;
  if (source.kind === 'external') return true;
  if (memory.rejected.some((r) => r.digest === source.digest && r.service === source.service)) {
    return false;
  }
  return versionOf(world, version.id)?.desired !== undefined;
}

function applyActions(gateway: Gateway, next: Split, decision: PathDecision): readonly Action[] {
  const { inForce } = gateway;
  const changed = inForce === undefined || !sameContent(inForce, next);
  const lagging = gateway.behind.length > 0;
  if (inForce !== undefined && lagging && decision.wayBack !== true) {
    // A lagging proxy first gets the split in force and lowers nobody else (law 6).
    return [
      {
        kind: 'apply-split',
        split: inForce,
        nodes: gateway.behind,
        why: `${gateway.behind.join(', ')} lacks the split in force`,
        wayBack: true,
      },
    ];
  }
  if (!changed) return [];
  const weightsMove = !sameVector(gateway.weights, decision.vector);
  return [
    {
      kind: 'apply-split',
      split: { ...next, generation: next.generation + 1 },
      why: weightsMove ? decision.message : `versions of port ${gateway.name} changed`,
      ...(decision.wayBack && { wayBack: true as const }),
    },
  ];
}

function sameContent(a: Split, b: Split): boolean {
  return stableText({ ...a, generation: 0 }) === stableText({ ...b, generation: 0 });
}
