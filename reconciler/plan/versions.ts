import type { ActualApp } from '../model/actual.ts';
import type { DesiredVersion } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import { differences } from '../model/marathon-app.ts';
import type { AppRecord } from '../model/record.ts';
import type { VersionView } from '../model/split.ts';
import { isUsable } from '../model/split.ts';
import { weightOf } from '../model/weights.ts';
import type { PlanInput } from './input.ts';
import type { Gateway, GatewayNode } from './world.ts';

export interface Version extends Standing {
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
}

/** How a version stands at the proxies that can be seen. */
export interface Standing {
  /** Usable at every proxy of every gateway that holds it; without a gateway: good in Marathon. */
  readonly ready: number;
  /** Usable at the proxy that sees it best. */
  readonly best: number;
  /** False while Marathon has not said how an instance with health checks does. */
  readonly healthKnown: boolean;
}

/** True if enough instances are usable at every proxy for a weight to rise. */
export function isReady(version: Version): boolean {
  return version.wanted > 0 && version.ready >= neededOf(version);
}

/** Instances that `min_ready` asks for, at least one. */
export function neededOf(version: Version): number {
  const share = version.desired?.rollout.minReady ?? 100;
  return Math.max(1, Math.ceil((version.wanted * share) / 100));
}

export function pairVersions(input: PlanInput, gateways: readonly Gateway[]): readonly Version[] {
  const taken = new Set((input.apps ?? []).map((app) => app.id));
  const versions = input.desired.deployments.flatMap((deployment) =>
    deployment.versions.map((desired) => pairDesired({ input, gateways, taken }, desired)),
  );
  const paired = new Set(versions.map((version) => version.id));
  const leaving = (input.apps ?? [])
    .filter((app) => !paired.has(app.id))
    .map((app) => leavingVersion(input, gateways, app));
  return [...versions, ...leaving];
}

interface Pairing {
  readonly input: PlanInput;
  readonly gateways: readonly Gateway[];
  readonly taken: ReadonlySet<string>;
}

function pairDesired(pairing: Pairing, desired: DesiredVersion): Version {
  const { input, gateways } = pairing;
  const rated = (input.apps ?? [])
    .filter((app) => app.digest === desired.digest && serviceKey(app) === serviceKey(desired))
    .map((app) => ({ app, ...driftOf(input, app, desired) }));
  const rank = (id: string): number => (gateways.some((g) => weightOf(g.weights, id) > 0) ? 0 : 1);
  // Who serves stays; else who is what git asks for.
  rated.sort((a, b) => rank(a.app.id) - rank(b.app.id) || a.aspects.length - b.aspects.length);
  const best = rated.find((one) => !one.replaced);
  const id = best?.app.id ?? newId(pairing, desired);
  const routed = isRouted(input, desired);
  return {
    ...identity(desired),
    ...standingOf(gateways, id, best?.app, routed),
    id,
    desired,
    routed,
    wanted: desired.instances,
    record: input.record.apps[id] ?? {},
    drift: best?.aspects ?? rated[0]?.aspects ?? [],
    ...(best && { app: best.app }),
  };
}

function isRouted(input: PlanInput, desired: DesiredVersion): boolean {
  return input.desired.gateways
    .flatMap((gateway) => gateway.routes.flatMap((route) => route.members))
    .some(
      (member) =>
        member.kind === 'version' &&
        member.digest === desired.digest &&
        serviceKey(member) === serviceKey(desired),
    );
}

function leavingVersion(input: PlanInput, gateways: readonly Gateway[], app: ActualApp): Version {
  return {
    ...identity(app),
    ...standingOf(gateways, app.id, app),
    id: app.id,
    app,
    routed: false,
    wanted: app.instances,
    record: input.record.apps[app.id] ?? {},
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

/** A seat knows under which id a digest runs, also while Marathon's list lacks the app. */
function newId(pairing: Pairing, desired: DesiredVersion): string {
  const { gateways, taken } = pairing;
  const seated = gateways.flatMap((gateway) => gateway.inForce?.versions ?? []);
  // Of two with one digest the later one walks in place of one that was tampered with.
  const known = seated.findLast(
    ({ id, source }) =>
      source.kind === 'app' &&
      source.digest === desired.digest &&
      source.service === serviceKey(desired) &&
      !taken.has(id),
  );
  if (known) return known.id;
  let id = desired.appId;
  for (let count = 2; taken.has(id); count += 1) id = `${desired.appId}-${String(count)}`;
  return id;
}

/**
 * Drift needs a change of configuration after we made the app: only then are definitions compared,
 * so that a default that Marathon fills in differently never redeploys the fleet. `replaced`: it
 * is no longer the version that its digest names, and a new one has to walk.
 */
export function driftOf(
  input: Pick<PlanInput, 'record' | 'keptDrift'>,
  app: ActualApp,
  desired: DesiredVersion,
): { readonly replaced: boolean; readonly aspects: readonly string[] } {
  const made = input.record.apps[app.id]?.configAt;
  if (made === app.configAt) return { replaced: false, aspects: [] };
  const aspects = differences(desired.definition, app.definition);
  const isKept = input.keptDrift?.includes(app.id) ?? false;
  return { replaced: made !== undefined && aspects.length > 0 && !isKept, aspects };
}

export function standingOf(
  gateways: readonly Gateway[],
  id: string,
  app: ActualApp | undefined,
  routed = false,
): Standing {
  const seats = gateways.flatMap((gateway) => seatsOf(gateway, id));
  const isKnown = app !== undefined && isHealthKnown(app);
  if (seats.length === 0) {
    const running = app === undefined ? 0 : hasChecks(app) ? app.tasksHealthy : app.tasksRunning;
    return { ready: routed ? 0 : running, best: running, healthKnown: isKnown };
  }
  const counts = seats.map((seat) => seat.servers.filter(isUsable).length);
  // An instance that is gone but keeps its seat has nothing to say.
  const servers = seats.flatMap((seat) => seat.servers).filter(isUsable);
  const isTold = servers.every((server) => server.health !== 'unknown');
  return {
    ready: Math.min(...counts),
    best: Math.max(...counts),
    healthKnown: app !== undefined && (!hasChecks(app) || (isKnown && isTold)),
  };
}

/** A leader that has just been elected knows of no health at all. */
function isHealthKnown(app: ActualApp): boolean {
  return !hasChecks(app) || app.tasksHealthy + app.tasksUnhealthy >= app.tasksRunning;
}

/** What every reachable node shows of a version; a node that lacks it shows an empty one. */
function seatsOf(gateway: Gateway, id: string): readonly Pick<VersionView, 'servers'>[] {
  if (!gateway.inForce?.versions.some((version) => version.id === id)) return [];
  return gateway.nodes.filter((node) => node.error === undefined).map((node) => seatAt(node, id));
}

function seatAt(node: GatewayNode, id: string): Pick<VersionView, 'servers'> {
  return node.view?.versions.find((row) => row.id === id) ?? { servers: [] };
}

export function hasChecks(app: ActualApp): boolean {
  const checks = app.definition['healthChecks'];
  return Array.isArray(checks) && checks.length > 0;
}
