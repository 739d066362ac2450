import type { Step } from '../model/rollout.ts';
import type { GatewayStatus, RouteStatus, VersionStatus } from '../model/status.ts';
import type { Vector } from '../model/weights.ts';
import { vectorKey, weightOf } from '../model/weights.ts';
import type { PathDecision } from './path.ts';
import type { Gateway, GatewayNode, Version, World } from './world.ts';
import { viewsOf } from './world.ts';

/** The deployments of a unit, or its gateways where it has none. */
export function unitName(world: World): string {
  const names = new Set([
    ...world.input.desired.deployments.map((deployment) => deployment.name),
    ...world.versions.map((version) => version.deployment),
  ]);
  if (names.size > 0) return [...names].sort().join(', ');
  return world.gateways
    .map((one) => one.desired?.title ?? one.inForce?.title ?? one.name)
    .join(', ');
}

export function gatewayStatus(
  gateway: Gateway,
  target: Vector,
  decision?: PathDecision,
): GatewayStatus {
  const ids = new Set([
    ...(gateway.inForce?.versions.map((version) => version.id) ?? []),
    ...Object.keys(target),
  ]);
  const step = stepOf(gateway, target, decision);
  return {
    name: gateway.name,
    title: gateway.desired?.title ?? gateway.inForce?.title ?? gateway.name,
    port: gateway.desired?.port ?? gateway.inForce?.port ?? 0,
    nodes: gateway.nodes.map((node) => nodeStatus(gateway, node)),
    ...(step && { step }),
    routes: [...ids].map((id) => routeStatus(gateway, target, id)),
  };
}

function nodeStatus(gateway: Gateway, node: GatewayNode): GatewayStatus['nodes'][number] {
  const message = node.error ?? node.view?.error?.message;
  const text = message === undefined ? {} : { message };
  if (node.error !== undefined) return { node: node.node, state: 'unseen', ...text };
  const current = node.view?.split.generation === gateway.inForce?.generation;
  const settled = current && node.view?.applied === true;
  return { node: node.node, state: settled ? 'settled' : 'behind', ...text };
}

function stepOf(
  gateway: Gateway,
  target: Vector,
  decision: PathDecision | undefined,
): GatewayStatus['step'] | undefined {
  const steps = gateway.desired?.rollout.steps ?? [];
  const stable = gateway.memory.stable?.vector;
  if (stable === undefined || decision === undefined) return undefined;
  const rising = Object.keys(target).find((id) => weightOf(target, id) > weightOf(stable, id));
  if (rising === undefined) return undefined;
  const seen = weightOf(gateway.weights, rising);
  const path = steps.filter((step) => step.weight < weightOf(target, rising));
  const ends = bakesUntil(gateway, steps, seen);
  return {
    version: gateway.inForce?.versions.find((one) => one.id === rising)?.name ?? rising,
    index:
      seen >= weightOf(target, rising)
        ? path.length + 1
        : path.filter((s) => s.weight <= seen).length,
    of: path.length + 1,
    ...(ends !== undefined && { bakesUntil: ends }),
  };
}

function bakesUntil(gateway: Gateway, steps: readonly Step[], seen: number): number | undefined {
  const since = gateway.record?.step;
  if (seen === 0 || since?.vector !== vectorKey(gateway.weights)) return undefined;
  const step = steps.findLast((one) => one.weight <= seen) ?? steps[0];
  return since.since + (step?.bakeMs ?? 0);
}

function routeStatus(gateway: Gateway, target: Vector, id: string): RouteStatus {
  const version = gateway.inForce?.versions.find((one) => one.id === id);
  const seen = gateway.nodes.flatMap((n) => (n.view ? [weightOf(n.view.weights, id)] : []));
  const counters = viewsOf(gateway, id).map((view) => view.counters);
  return {
    id,
    name: version?.name ?? id,
    target: weightOf(target, id),
    asked: version?.weight ?? 0,
    seen: seen.length > 0 ? Math.min(...seen) : 0,
    requests: counters.reduce((sum, one) => sum + one.requests, 0),
    errors: counters.reduce((sum, one) => sum + one.status5xx + one.connectErrors, 0),
  };
}

export function versionStatus(
  version: Version,
  state: VersionStatus['state'],
  note: string,
): VersionStatus {
  return {
    id: version.id,
    deployment: version.deployment,
    cluster: version.cluster,
    service: version.service,
    digest: version.digest,
    wanted: version.desired?.instances ?? 0,
    instances: version.app?.instances ?? 0,
    ready: version.ready,
    state,
    note,
  };
}
