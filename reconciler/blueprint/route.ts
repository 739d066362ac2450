import { readFields, shown, unexpectedType } from './fields.ts';
import { isNull, textOf } from './tree.ts';
import { notBuiltYet } from './unbuilt.ts';
import { readPercentage, readText } from './values.ts';
import type { Findings } from './diagnostics.ts';
import type { Fields, Shape } from './fields.ts';
import type { Node, Spot } from './tree.ts';

/** One row of a gateway's `routes`; what its path means depends on the gateway. */
export interface Route {
  readonly path: string;
  readonly spot: Spot;
  readonly weight: number | undefined;
  readonly weightSpot: Spot;
}

export const ROUTE_SHAPE: Shape = {
  what: 'a route',
  keys: ['weight', 'condition', 'condition_strength', 'rewrites', 'balance', 'selector'],
  tolerated: ['metadata', 'targets', 'lookup_name', 'kind'],
};

/** `routes`: one path as text, a list of paths and maps, or a map from paths to bodies. */
export function readRoutes(node: Node, findings: Findings): readonly Route[] {
  const nodes = node.kind === 'list' ? node.items : [node];
  const routes = nodes.flatMap((item) => routesOf(item, findings));
  checkSum(routes, findings);
  checkRepeats(routes, findings);
  return routes;
}

function routesOf(node: Node, findings: Findings): readonly Route[] {
  if (node.kind === 'scalar' && !isNull(node)) return [bareRoute(textOf(node), node.spot)];
  if (node.kind === 'map') {
    return node.entries.map(({ key, keySpot, value }) => ({
      ...bareRoute(key, keySpot),
      ...readBody(key, { spot: keySpot, value }, findings),
    }));
  }
  unexpectedType(node, 'routes must be a map from paths to weights, or a list of paths', findings);
  return [];
}

function bareRoute(path: string, spot: Spot): Route {
  return { path, spot, weight: undefined, weightSpot: spot };
}

function readBody(
  path: string,
  at: { readonly spot: Spot; readonly value: Node },
  findings: Findings,
): Partial<Route> | undefined {
  const { spot, value } = at;
  if (isNull(value)) {
    const message = `route \`${shown(path)}\` needs a body; write {} or {weight: 100%}`;
    return findings.error(spot, 'missing-path-value', message);
  }
  if (value.kind === 'scalar' && /^[0-9 ]+%?$/.test(value.source)) {
    const message = `a route takes a map; write {weight: ${value.source.trim().replace('%', '')}%}`;
    return findings.error(value.spot, 'unexpected-type', message);
  }
  if (value.kind === 'scalar') {
    const instead = 'write {weight: ...}';
    return notBuiltYet(value.spot, 'references to stored routes are', instead, findings);
  }
  const fields = readFields(value, ROUTE_SHAPE, findings);
  if (fields === undefined) return undefined;
  refuseUnbuilt(fields, findings);
  const weight = fields.read('weight', readPercentage);
  return { weight, weightSpot: fields.spotOf('weight') };
}

/** Keys that change where requests go; empty ones come with artifacts that Vamp exported. */
function refuseUnbuilt(fields: Fields, findings: Findings): void {
  const refuse = (key: string, what: string): void => {
    const entry = fields.get(key);
    if (entry === undefined || isEmpty(entry.value)) return;
    notBuiltYet(entry.keySpot, what, `remove \`${key}\``, findings);
  };
  refuse('condition', 'conditions are');
  refuse('rewrites', 'rewrites are');
  refuse('selector', 'selectors are');
  if ((fields.read('condition_strength', readPercentage) ?? 0) > 0) {
    refuse('condition_strength', 'conditions are');
  }
  const balance = fields.read('balance', readText);
  if (balance !== undefined && balance !== 'default') {
    refuse('balance', 'a choice of the balancing algorithm is');
  }
}

export function isEmpty(node: Node): boolean {
  if (node.kind === 'list') return node.items.length === 0;
  if (node.kind === 'map') return node.entries.length === 0;
  return node.value === null || node.value === '';
}

/**
 * The weights given must sum to 0 or 100 (Vamp: GatewayRouteWeightError). What is left out is
 * filled by the planner only beside routes that leave room, which here is all or nothing.
 */
function checkSum(routes: readonly Route[], findings: Findings): void {
  const given = routes.filter((route) => route.weight !== undefined);
  const sum = given.reduce((total, route) => total + (route.weight ?? 0), 0);
  const last = given.at(-1);
  if (last === undefined || sum === 0 || sum === 100) return;
  const parts = given.map((route) => `${String(route.weight)}%`).join(' + ');
  const message = `the weights of these routes sum to ${String(sum)}% (${parts}); they must sum to 100%, or to 0% to close the gateway`;
  findings.error(last.weightSpot, 'gateway-route-weight', message);
}

function checkRepeats(routes: readonly Route[], findings: Findings): void {
  const first = new Map<string, Route>();
  for (const route of routes) {
    const before = first.get(route.path);
    if (before === undefined) first.set(route.path, route);
    else {
      const message = `route \`${shown(route.path)}\` stands here a second time`;
      findings.error(route.spot, 'duplicate-route', message, [before.spot]);
    }
  }
}
