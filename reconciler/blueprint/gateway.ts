import { readFields, shown } from './fields.ts';
import { nearestRollout, rolloutOf } from './rollout.ts';
import { isEmpty, readRoutes } from './route.ts';
import { textOf } from './tree.ts';
import { notBuiltYet } from './unbuilt.ts';
import { readGatewayPort, readText } from './values.ts';
import type { DesiredGateway, DesiredRoute } from '../model/desired.ts';
import type { Rollout } from '../model/rollout.ts';
import type { Findings } from './diagnostics.ts';
import type { Fields, Shape } from './fields.ts';
import type { Route } from './route.ts';
import type { Node, Spot } from './tree.ts';
import type { Port } from './values.ts';

/** A gateway of a blueprint that listens on a port. */
export interface ExternalGateway {
  readonly port: Port;
  readonly spot: Spot;
  readonly routes: readonly Route[];
}

/** What a gateway of a cluster says about one port of its services. */
export interface ClusterGateway {
  /** Undefined: the anonymous form, for the only port that there is. */
  readonly portName: string | undefined;
  readonly spot: Spot;
  readonly routes: readonly Route[];
}

const COMMON = ['sticky', 'virtual_hosts', 'selector', 'routes'];
const RUNTIME = ['service', 'deployed', 'internal', 'proxy', 'lookup_name', 'metadata', 'kind'];

export const GATEWAY_SHAPE: Shape = {
  what: 'a gateway',
  keys: ['name', 'port', 'rollout', ...COMMON],
  tolerated: RUNTIME,
};

export const EXTERNAL_GATEWAY_SHAPE: Shape = {
  what: 'a gateway of a blueprint',
  keys: ['port', ...COMMON],
  tolerated: RUNTIME,
  elsewhere: { rollout: '`rollout` stands on the cluster or on the blueprint' },
};

export const CLUSTER_GATEWAY_SHAPE: Shape = {
  what: 'a gateway of a cluster',
  keys: COMMON,
  tolerated: RUNTIME,
  elsewhere: {
    rollout: '`rollout` stands on the cluster',
    weight: '`weight` stands below `routes`',
  },
};

/** A gateway document of its own: Vamp's gateways in isolation, in front of `[host:port]` routes. */
export function readGateway(
  node: Node,
  defaults: Rollout,
  findings: Findings,
): DesiredGateway | undefined {
  const fields = readFields(node, GATEWAY_SHAPE, findings);
  if (fields === undefined) return undefined;
  const title = fields.need('name', readText);
  if (title !== undefined) checkGatewayName(title, fields.spotOf('name'), findings);
  refuseUnbuilt(fields, findings);
  const port = fields.need('port', (value) => portOf(value, findings));
  const routes = fields.need('routes', (value) => readRoutes(value, findings)) ?? [];
  if (routes.length === 0 && fields.get('routes') !== undefined) {
    const message = 'a gateway needs at least one route';
    findings.error(fields.spotOf('routes'), 'missing-path-value', message);
  }
  const block = rolloutOf(fields.get('rollout'), findings);
  const desiredRoutes = routes.map((route) => externalRoute(route, findings));
  if (title === undefined || port === undefined) return undefined;
  return {
    name: String(port.number),
    title,
    port: port.number,
    protocol: port.protocol,
    routes: desiredRoutes,
    rollout: nearestRollout([block], defaults).rollout,
    origin: findings.positionOf(fields.spotOf('port')),
  };
}

function portOf(node: Node, findings: Findings): Port | undefined {
  const text = readText(node, '`port`', findings);
  return text === undefined ? undefined : readGatewayPort(text, node.spot, findings);
}

/** One to four segments (vamp-language section 2). */
function checkGatewayName(name: string, spot: Spot, findings: Findings): void {
  if (/^[^\s/[\]]+(?:\/[^\s/[\]]+){0,3}$/.test(name)) return;
  const message = `\`${shown(name)}\` is no gateway name; it has no blanks and no [ ], and up to four parts between /`;
  findings.error(spot, 'unsupported-gateway-name', message);
}

function externalRoute({ path, spot, weight }: Route, findings: Findings): DesiredRoute {
  const [, host = '', digits = ''] = /^\[\s*([^\s[\]/:]+):([0-9]{1,5})\s*\]$/.exec(path) ?? [];
  const port = Number(digits);
  if (host === '' && !path.startsWith('[')) {
    const instead = 'a gateway of its own routes to "[host:port]"';
    notBuiltYet(
      spot,
      `routes to deployments and gateways, as \`${shown(path)}\`, are`,
      instead,
      findings,
    );
  } else if (host === '' || port < 1 || port > 65_535) {
    const message = `\`${shown(path)}\` is no route path; write "[host:port]"`;
    findings.error(spot, 'unsupported-route-path', message);
  }
  const address = `${host.toLowerCase()}:${String(port)}`;
  return { weight, members: [{ kind: 'external', address, weight: undefined }] };
}

/** The `gateways` of a blueprint: a map from ports to one route or to a body. */
export function readExternalGateways(node: Node, findings: Findings): readonly ExternalGateway[] {
  if (node.kind !== 'map') {
    const message = '`gateways` must be a map from ports to routes, such as {8080: web/http}';
    findings.error(node.spot, 'unexpected-type', message);
    return [];
  }
  const gateways: ExternalGateway[] = [];
  for (const { key, keySpot, value } of node.entries) {
    const body =
      value.kind === 'map' ? readFields(value, EXTERNAL_GATEWAY_SHAPE, findings) : undefined;
    if (body !== undefined) refuseUnbuilt(body, findings);
    const given = body?.get('port');
    const port = given ? portOf(given.value, findings) : readGatewayPort(key, keySpot, findings);
    const routes = externalRoutes(value, body, findings);
    if (port !== undefined) gateways.push({ port, spot: keySpot, routes });
  }
  return gateways;
}

function externalRoutes(
  value: Node,
  body: Fields | undefined,
  findings: Findings,
): readonly Route[] {
  if (value.kind !== 'map') return readRoutes(value, findings);
  const routes = body?.need('routes', (node) => readRoutes(node, findings));
  if (routes?.length === 0) {
    findings.error(value.spot, 'missing-path-value', 'a gateway needs at least one route');
  }
  return routes ?? [];
}

/** The `gateways` of a cluster: from port names to bodies, or one anonymous body. */
export function readClusterGateways(node: Node, findings: Findings): readonly ClusterGateway[] {
  if (node.kind !== 'map') {
    const message = '`gateways` of a cluster must be a map from port names to {routes: ...}';
    findings.error(node.spot, 'unexpected-type', message);
    return [];
  }
  const anonymous = node.entries.find(({ key }) => key === 'routes' || key === 'sticky');
  if (anonymous !== undefined) {
    return [{ portName: undefined, spot: anonymous.keySpot, routes: bodyRoutes(node, findings) }];
  }
  return node.entries.map(({ key, keySpot, value }) => ({
    portName: key,
    spot: keySpot,
    routes: bodyRoutes(value, findings),
  }));
}

function bodyRoutes(node: Node, findings: Findings): readonly Route[] {
  const fields = readFields(node, CLUSTER_GATEWAY_SHAPE, findings);
  if (fields === undefined) return [];
  refuseUnbuilt(fields, findings);
  return fields.read('routes', (value) => readRoutes(value, findings)) ?? [];
}

function refuseUnbuilt(fields: Fields, findings: Findings): void {
  const sticky = fields.get('sticky');
  const word = sticky?.value.kind === 'scalar' ? textOf(sticky.value).toLowerCase() : '';
  if (sticky !== undefined && word !== 'none') {
    if (word === 'route' || word === 'instance') {
      notBuiltYet(sticky.keySpot, 'sticky gateways are', 'remove `sticky`', findings);
    } else {
      const message = '`sticky` must be route, instance or none';
      findings.error(sticky.value.spot, 'illegal-gateway-sticky-value', message);
    }
  }
  const hosts = fields.get('virtual_hosts');
  if (hosts !== undefined && !isEmpty(hosts.value)) {
    notBuiltYet(hosts.keySpot, 'virtual hosts are', 'remove `virtual_hosts`', findings);
  }
  const selector = fields.get('selector');
  if (selector !== undefined && !isEmpty(selector.value)) {
    notBuiltYet(selector.keySpot, 'selectors are', 'remove `selector`', findings);
  }
}
