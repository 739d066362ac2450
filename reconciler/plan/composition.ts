import type { Action } from '../model/action.ts';
import type { DesiredGateway, RouteMember, VersionPort } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import type { GatewayMemory, Split, SplitVersion } from '../model/split.ts';
import { sameVector, weightOf } from '../model/weights.ts';
import { isSame } from './equality.ts';
import type { PathDecision } from './path.ts';
import type { Gateway, Version, World } from './world.ts';
import { isLetGo, memberId, routesTo, versionOf } from './world.ts';

/** The instances that are to leave, by version id. */
export type Victims = ReadonlyMap<string, readonly string[]>;

/** What one gateway's next split is made of. */
export interface Composition {
  readonly gateway: Gateway;
  readonly desired: DesiredGateway;
  readonly decision: PathDecision;
  readonly memory: GatewayMemory;
  readonly victims: Victims;
}

/** The whole split that should be in force, with the generation of the one that is. */
export function nextSplit(world: World, of: Composition): Split {
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
    draining: of.victims.get(version.id) ?? [],
  }));
  return {
    gateway: gateway.name,
    title: desired.title,
    owner: world.input.owner,
    generation: Math.max(gateway.inForce?.generation ?? 0, gateway.record?.generation ?? 0),
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
  if (!isLetGo(world, of.gateway, version.id)) return true;
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

export function applyActions(
  gateway: Gateway,
  next: Split,
  decision: PathDecision,
): readonly Action[] {
  const { inForce, behind, forked } = gateway;
  const isLagging = inForce !== undefined && behind.length > 0 && !forked;
  if (isLagging && decision.wayBack !== true) {
    // A lagging proxy first gets the split in force and lowers nobody else (law 6).
    const why = `${behind.join(', ')} lacks the split in force`;
    return [{ kind: 'apply-split', split: inForce, nodes: behind, why, wayBack: true }];
  }
  if (inForce !== undefined && !forked && sameContent(inForce, next)) return [];
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
  return isSame({ ...a, generation: 0 }, { ...b, generation: 0 });
}
