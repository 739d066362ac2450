import type { ActualApp } from '../model/actual.ts';
import type { DesiredGateway, DesiredVersion, RouteMember } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import { differences } from '../model/marathon-app.ts';
import type { AppRecord, GatewayRecord } from '../model/record.ts';
import type { GatewayMemory, GatewayView, Split, VersionView } from '../model/split.ts';
import { isUsable, vectorOf } from '../model/split.ts';
import type { Vector } from '../model/weights.ts';
import { sameVector } from '../model/weights.ts';
import type { PlanInput } from './input.ts';

/** What is desired and what is actual, put side by side. */
export interface World {
  readonly input: PlanInput;
  readonly now: number;
  /** Desired versions first, then the ones that git no longer asks for. */
  readonly versions: readonly Version[];
  readonly gateways: readonly Gateway[];
  readonly unseen: readonly string[];
}

export interface Version {
  /** Id of its app, existing or to be made. */
  readonly id: string;
  readonly deployment: string;
  readonly cluster: string;
  readonly service: string;
  readonly digest: string;
  /** Undefined: git no longer asks for it. */
  readonly desired?: DesiredVersion;
  readonly app?: ActualApp;
  readonly record: AppRecord;
  /** Aspects that somebody changed in Marathon behind our back. */
  readonly drift: readonly string[];
  /** True if a gateway of git routes to it. */
  readonly routed: boolean;
  /** Instances that git asks for; for a leaving one what it has. */
  readonly wanted: number;
  /** Usable at every proxy of every gateway that holds it; without a gateway: good in Marathon. */
  readonly ready: number;
  /** False while Marathon has not said how an instance with health checks does. */
  readonly healthKnown: boolean;
}

export interface Gateway {
  readonly name: string;
  readonly desired?: DesiredGateway;
  /** The split of the highest generation that any node holds. */
  readonly inForce?: Split;
  readonly memory: GatewayMemory;
  readonly record?: GatewayRecord;
  readonly nodes: readonly GatewayNode[];
  /** Reachable nodes that hold an older split or none. */
  readonly behind: readonly string[];
  /** Every node is seen and its proxy does what the split in force says. */
  readonly settled: boolean;
  /** Weights in force. */
  readonly weights: Vector;
}

export interface GatewayNode {
  readonly node: string;
  readonly error?: string;
  readonly view?: GatewayView;
}

/** True if enough instances are usable at every proxy for a weight to rise. */
export function isReady(version: Version): boolean {
  if (version.wanted === 0) return false;
  return version.ready >= neededOf(version);
}

/** Instances that `min_ready` asks for, at least one. */
export function neededOf(version: Version): number {
  const share = version.desired?.rollout.minReady ?? 100;
  return Math.max(1, Math.ceil((version.wanted * share) / 100));
}

export function versionOf(world: World, id: string): Version | undefined {
  return world.versions.find((version) => version.id === id);
}

/** Every proxy's view of a version at a gateway. */
export function viewsOf(gateway: Gateway, id: string): readonly VersionView[] {
  return gateway.nodes.flatMap((node) => node.view?.versions.filter((row) => row.id === id) ?? []);
}

export function memberId(world: World, member: RouteMember): string {
  if (member.kind === 'external') return member.address;
  const found = world.versions.find(
    (version) =>
      version.desired !== undefined &&
      version.digest === member.digest &&
      serviceKey(version) === serviceKey(member),
  );
  return found?.id ?? `${serviceKey(member)}@${member.digest}`;
}

export function buildWorld(input: PlanInput, now: number): World {
  const seenNodes = input.nodes.filter((node) => !input.forgotten.includes(node.node));
  const gateways = gatewayNames(input).map((name) =>
    gatewayOf({ ...input, nodes: seenNodes }, name),
  );
  const versions = pairVersions(input, gateways);
  return {
    input,
    now,
    gateways,
    versions,
    unseen: seenNodes.filter((node) => node.error !== undefined).map((node) => node.node),
  };
}

function gatewayNames(input: PlanInput): readonly string[] {
  const names = new Set(input.desired.gateways.map((gateway) => gateway.name));
  for (const node of input.nodes) {
    for (const view of node.gateways) {
      if (view.split.owner === input.owner) names.add(view.split.gateway);
    }
  }
  return [...names].sort();
}

function gatewayOf(input: PlanInput, name: string): Gateway {
  const nodes: GatewayNode[] = input.nodes.map((node) => {
    const view = node.gateways.find(
      (one) => one.split.gateway === name && one.split.owner === input.owner,
    );
    const error = node.error?.message;
    return { node: node.node, ...(error !== undefined && { error }), ...(view && { view }) };
  });
  const inForce = newest(nodes);
  const behind = nodes
    .filter((node) => node.error === undefined)
    .filter((node) => inForce && node.view?.split.generation !== inForce.generation)
    .map((node) => node.node);
  const weights = inForce ? vectorOf(inForce) : {};
  const desired = input.desired.gateways.find((gateway) => gateway.name === name);
  const record = input.record.gateways[name];
  return {
    name,
    nodes,
    behind,
    weights,
    settled: inForce !== undefined && nodes.every((node) => isSettled(node, inForce, weights)),
    memory: record?.memory ?? inForce?.memory ?? { rejected: [] },
    ...(desired && { desired }),
    ...(inForce && { inForce }),
    ...(record && { record }),
  };
}

function newest(nodes: readonly GatewayNode[]): Split | undefined {
  let split: Split | undefined;
  for (const node of nodes) {
    const own = node.view?.split;
    if (own && own.generation > (split?.generation ?? -1)) split = own;
  }
  return split;
}

function isSettled(node: GatewayNode, inForce: Split, weights: Vector): boolean {
  if (node.error !== undefined || node.view === undefined) return false;
  return (
    node.view.applied &&
    node.view.split.generation === inForce.generation &&
    sameVector(node.view.weights, weights)
  );
}

function pairVersions(input: PlanInput, gateways: readonly Gateway[]): readonly Version[] {
  const taken = new Set((input.apps ?? []).map((app) => app.id));
  const versions: Version[] = [];
  for (const deployment of input.desired.deployments) {
    for (const desired of deployment.versions) {
      versions.push(pairDesired({ input, gateways, taken }, desired));
    }
  }
  const paired = new Set(versions.map((version) => version.id));
  for (const app of input.apps ?? []) {
    if (!paired.has(app.id)) versions.push(leavingVersion({ input, gateways, taken }, app));
  }
  return versions;
}

interface Pairing {
  readonly input: PlanInput;
  readonly gateways: readonly Gateway[];
  readonly taken: ReadonlySet<string>;
}

function pairDesired(pairing: Pairing, desired: DesiredVersion): Version {
  const { input, gateways } = pairing;
  const same = (input.apps ?? []).filter(
    (app) => app.digest === desired.digest && serviceKey(app) === serviceKey(desired),
  );
  const rated = same.map((app) => ({ app, ...driftOf(input, app, desired) }));
  const inSplit = (id: string): number => (gateways.some((g) => g.weights[id]) ? 0 : 1);
  rated.sort((a, b) => inSplit(a.app.id) - inSplit(b.app.id));
  const best = rated.find((one) => !one.replaced);
  const id = best?.app.id ?? newId(pairing, desired);
  const routed = input.desired.gateways.some((gateway) =>
    gateway.routes.some((route) =>
      route.members.some(
        (m) =>
          m.kind === 'version' &&
          m.digest === desired.digest &&
          serviceKey(m) === serviceKey(desired),
      ),
    ),
  );
  return {
    ...identity(desired),
    ...readiness({ gateways, id, routed }, best?.app),
    id,
    desired,
    routed,
    wanted: desired.instances,
    record: input.record.apps[id] ?? {},
    drift: best?.aspects ?? rated.find((one) => one.replaced)?.aspects ?? [],
    ...(best && { app: best.app }),
  };
}

function leavingVersion(pairing: Pairing, app: ActualApp): Version {
  return {
    ...identity(app),
    ...readiness({ gateways: pairing.gateways, id: app.id, routed: false }, app),
    id: app.id,
    app,
    routed: false,
    wanted: app.instances,
    record: pairing.input.record.apps[app.id] ?? {},
    drift: [],
  };
}

function identity(
  of: DesiredVersion | ActualApp,
): Pick<Version, 'deployment' | 'cluster' | 'service' | 'digest'> {
  return {
    deployment: of.deployment,
    cluster: of.cluster,
    service: of.service,
    digest: of.digest,
  };
}

/** While Marathon is out of sight the splits still know under which id a digest runs. */
function newId(pairing: Pairing, desired: DesiredVersion): string {
  if (pairing.input.apps === undefined) {
    for (const gateway of pairing.gateways) {
      for (const version of gateway.inForce?.versions ?? []) {
        const { source } = version;
        if (source.kind !== 'app' || source.digest !== desired.digest) continue;
        if (source.service === serviceKey(desired)) return version.id;
      }
    }
  }
  let id = desired.appId;
  for (let count = 2; pairing.taken.has(id); count += 1) id = `${desired.appId}-${String(count)}`;
  return id;
}

/**
 * Drift needs a change of configuration after we made the app: only then are definitions compared,
 * so that a default that Marathon fills in differently never redeploys the fleet. `replaced`: it
 * is no longer the version that its digest names, and a new one has to walk.
 */
function driftOf(
  input: PlanInput,
  app: ActualApp,
  desired: DesiredVersion,
): { readonly replaced: boolean; readonly aspects: readonly string[] } {
  const made = input.record.apps[app.id]?.configAt;
  if (made === app.configAt) return { replaced: false, aspects: [] };
  const aspects = differences(desired.definition, app.definition);
  return { replaced: made !== undefined && aspects.length > 0, aspects };
}

function readiness(
  at: { readonly gateways: readonly Gateway[]; readonly id: string; readonly routed: boolean },
  app: ActualApp | undefined,
): Pick<Version, 'ready' | 'healthKnown'> {
  const views = at.gateways.flatMap((gateway) => seats(gateway, at.id));
  if (views.length === 0) {
    if (at.routed || app === undefined) return { ready: 0, healthKnown: app !== undefined };
    return { ready: hasChecks(app) ? app.tasksHealthy : app.tasksRunning, healthKnown: true };
  }
  const checked = app !== undefined && hasChecks(app);
  const servers = views.flatMap((view) => view.servers);
  return {
    ready: Math.min(...views.map((view) => view.servers.filter(isUsable).length)),
    healthKnown: !checked || servers.every((server) => server.health !== 'unknown'),
  };
}

/** What every reachable node shows of a version; a node that lacks it shows an empty one. */
function seats(gateway: Gateway, id: string): readonly Pick<VersionView, 'servers'>[] {
  if (!gateway.inForce?.versions.some((version) => version.id === id)) return [];
  return gateway.nodes
    .filter((node) => node.error === undefined)
    .map((node) => node.view?.versions.find((row) => row.id === id) ?? { servers: [] });
}

export function hasChecks(app: ActualApp): boolean {
  const checks = app.definition['healthChecks'];
  return Array.isArray(checks) && checks.length > 0;
}
