import { shown } from './fields.ts';
import { isObject, objectsOf } from './json.ts';
import { listed, suggestion } from '../model/nearest.ts';
import type {
  DesiredGateway,
  DesiredRoute,
  DesiredVersion,
  RouteMember,
} from '../model/desired.ts';
import type { Rollout } from '../model/rollout.ts';
import type { Cluster } from './cluster.ts';
import type { Findings } from './diagnostics.ts';
import type { ClusterGateway, ExternalGateway } from './gateway.ts';
import type { Route } from './route.ts';
import type { ResolvedService } from './version.ts';

/** A cluster with its versions; `rollout` is the one in force for it. */
export interface ResolvedCluster {
  readonly cluster: Cluster;
  readonly services: readonly ResolvedService[];
  readonly rollout: Rollout;
  /** The routes that the cluster's gateways give, by port name and breed. */
  readonly weights: ReadonlyMap<string, ReadonlyMap<string, Route>>;
}

/** Ties the gateways of a cluster to its ports and services, and reports what leads nowhere. */
export function resolveClusterGateways(
  cluster: Cluster,
  findings: Findings,
): ResolvedCluster['weights'] {
  const weights = new Map<string, ReadonlyMap<string, Route>>();
  for (const gateway of cluster.gateways) {
    const port = portNameOf(gateway, cluster, findings);
    const routes = gateway.routes.filter((route) => isServiceRoute(route, port, cluster, findings));
    if (port !== undefined) weights.set(port, new Map(routes.map((route) => [route.path, route])));
  }
  return weights;
}

export function portNamesOf(cluster: Cluster): readonly string[] {
  return [...new Set(cluster.services.flatMap(({ breed }) => breed.ports.map(({ name }) => name)))];
}

function portNameOf(
  { portName, spot }: ClusterGateway,
  cluster: Cluster,
  findings: Findings,
): string | undefined {
  const names = portNamesOf(cluster);
  if (!cluster.complete) return portName;
  if (portName === undefined) {
    if (names.length === 1) return names[0];
    const code = 'illegal-anonymous-routing-port-mapping';
    const message = `these routes are for one port, and cluster \`${cluster.name}\` has ${String(names.length)}; write {PORT: {routes: ...}}`;
    return findings.error(spot, code, message);
  }
  if (names.includes(portName)) return portName;
  const have = names.length === 0 ? 'it has none' : `it has ${listed(names)}`;
  const message = `no service of cluster \`${cluster.name}\` has a port \`${shown(portName)}\`; ${have}`;
  return findings.error(spot, 'unresolved-gateway-port', message + suggestion(portName, names));
}

function isServiceRoute(
  route: Route,
  port: string | undefined,
  cluster: Cluster,
  findings: Findings,
): boolean {
  const breeds = cluster.services.map(({ breed }) => breed);
  const breed = breeds.find(({ name }) => name === route.path);
  if (breed === undefined && !cluster.complete) return false;
  if (breed === undefined) {
    const names = breeds.map(({ name }) => name);
    const message = `cluster \`${cluster.name}\` has no breed \`${shown(route.path)}\`; it has ${listed(names)}`;
    const hint = suggestion(route.path, names);
    findings.error(route.spot, 'unresolved-service-route', message + hint);
    return false;
  }
  if (port === undefined || breed.ports.some(({ name }) => name === port)) return true;
  const message = `breed \`${breed.name}\` has no port \`${port}\` to route to`;
  findings.error(route.spot, 'unresolved-gateway-port', message, [breed.spot]);
  return false;
}

/** A gateway of the blueprint with the services behind it; one proxy hop (design section 8). */
export function resolveExternalGateway(
  gateway: ExternalGateway,
  clusters: readonly ResolvedCluster[],
  around: { readonly deployment: string; readonly rollout: Rollout },
  findings: Findings,
): DesiredGateway {
  const { port, spot } = gateway;
  const used = new Set<ResolvedCluster>();
  const routes: DesiredRoute[] = [];
  for (const route of gateway.routes) {
    const target = targetOf(route, clusters, findings);
    if (target === undefined) continue;
    used.add(target.resolved);
    const members = membersOf(target.resolved, target.port, findings);
    routes.push({ weight: route.weight, members });
  }
  const [only] = used;
  const name = String(port.number);
  return {
    name,
    title: `${around.deployment}/${name}`,
    port: port.number,
    protocol: port.protocol,
    routes,
    rollout: used.size === 1 && only !== undefined ? only.rollout : around.rollout,
    origin: findings.positionOf(spot),
  };
}

function targetOf(
  { path, spot }: Route,
  clusters: readonly ResolvedCluster[],
  findings: Findings,
): { readonly resolved: ResolvedCluster; readonly port: string } | undefined {
  const [clusterName = '', port = '', ...more] = path.split('/');
  if (clusterName === '' || port === '' || more.length > 0) {
    const message = `a gateway of a blueprint routes to \`cluster/port\`, found \`${shown(path)}\``;
    return findings.error(spot, 'unsupported-route-path', message);
  }
  const resolved = clusters.find(({ cluster }) => cluster.name === clusterName);
  if (resolved === undefined) {
    const names = clusters.map(({ cluster }) => cluster.name);
    const message = `there is no cluster \`${shown(clusterName)}\` here; there is ${listed(names)}`;
    const hint = suggestion(clusterName, names);
    return findings.error(spot, 'unresolved-gateway-port', message + hint);
  }
  const ports = portNamesOf(resolved.cluster);
  if (ports.includes(port) || !resolved.cluster.complete) return { resolved, port };
  const have = ports.length === 0 ? 'it has none' : `it has ${listed(ports)}`;
  const message = `cluster \`${clusterName}\` has no port \`${shown(port)}\`; ${have}`;
  return findings.error(spot, 'unresolved-gateway-port', message + suggestion(port, ports));
}

function membersOf(
  { services, weights }: ResolvedCluster,
  port: string,
  findings: Findings,
): readonly RouteMember[] {
  const routes = weights.get(port) ?? new Map<string, Route>();
  const given = [...routes.values()].reduce((sum, route) => sum + (route.weight ?? 0), 0);
  const members: RouteMember[] = [];
  for (const resolved of services) {
    const { version } = resolved;
    const listens = version.ports.find(({ name }) => name === port);
    if (listens === undefined) continue;
    const route = routes.get(version.service);
    checkInstances(resolved, route, given, findings);
    warnWithoutCheck(resolved, listens, findings);
    const { deployment, cluster, service, digest } = version;
    const weight = route?.weight;
    members.push({ kind: 'version', deployment, cluster, service, digest, port, weight });
  }
  return members;
}

/** A share for nobody: it would go to the others, and the weights on the page would be a lie. */
function checkInstances(
  { service, version }: ResolvedService,
  route: Route | undefined,
  given: number,
  findings: Findings,
): void {
  if (version.instances > 0) return;
  const instances = service.scale?.instancesSpot ?? service.breed.spot;
  if (route?.weight !== undefined && route.weight > 0) {
    const message = `\`${version.service}\` has a weight of ${String(route.weight)}% and 0 instances`;
    findings.error(route.weightSpot, 'weight-without-instances', message, [instances]);
  } else if (route?.weight === undefined && given === 0) {
    const message = `\`${version.service}\` has 0 instances and would get an equal share; give it a weight of 0%`;
    findings.error(instances, 'weight-without-instances', message);
  }
}

function warnWithoutCheck(
  { service, version }: ResolvedService,
  port: DesiredVersion['ports'][number],
  findings: Findings,
): void {
  const { definition } = version;
  const isChecked =
    objectsOf(definition['healthChecks']).some(
      (check) => (check['portIndex'] ?? 0) === port.index,
    ) || objectsOf(definition['readinessChecks']).some((check) => check['portName'] === port.name);
  if (isChecked || isObject(definition['check'])) return;
  const spot = service.breed.ports.find(({ name }) => name === port.name)?.spot;
  const message = `nothing checks port \`${port.name}\` of \`${version.service}\`: an instance counts as ready once its port takes connections; add \`health_checks\``;
  findings.warning(spot ?? service.breed.spot, 'no-health-check', message);
}
