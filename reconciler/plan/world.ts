import type { DesiredGateway, RouteMember } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import { stableText } from '../model/json.ts';
import type { GatewayRecord } from '../model/record.ts';
import type { GatewayMemory, GatewayView, Split, VersionView } from '../model/split.ts';
import { vectorOf } from '../model/split.ts';
import type { Vector } from '../model/weights.ts';
import { sameVector, weightOf } from '../model/weights.ts';
import { isSame } from './equality.ts';
import type { PlanInput } from './input.ts';
import type { Version } from './versions.ts';
import { pairVersions } from './versions.ts';

export type { Version } from './versions.ts';
export { hasChecks, isReady, neededOf } from './versions.ts';

/** What is desired and what is actual, put side by side. */
export interface World {
  readonly input: PlanInput;
  readonly now: number;
  /** Desired versions first, then the ones that git no longer asks for. */
  readonly versions: readonly Version[];
  readonly gateways: readonly Gateway[];
  readonly unseen: readonly string[];
}

export interface Gateway {
  readonly name: string;
  readonly desired?: DesiredGateway;
  /** The split of the highest generation that any node holds. */
  readonly inForce?: Split;
  readonly memory: GatewayMemory;
  readonly record?: GatewayRecord;
  readonly nodes: readonly GatewayNode[];
  /** Reachable nodes that hold another split or none. */
  readonly behind: readonly string[];
  /** Two splits of one generation are about: a write reached only some, and then another did. */
  readonly forked: boolean;
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

export function versionOf(world: World, id: string): Version | undefined {
  return world.versions.find((version) => version.id === id);
}

export function hasSeat(gateway: Gateway, id: string): boolean {
  return gateway.inForce?.versions.some((version) => version.id === id) ?? false;
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

/** True if `id` has weight in a stable vector of any gateway that git asks for. */
export function isStableAnywhere(world: World, id: string): boolean {
  return world.gateways.some((gateway) => weightOf(gateway.memory.stable?.vector ?? {}, id) > 0);
}

/** True if every proxy is seen to give the version nothing at this gateway (law 6). */
export function isLetGo(world: World, gateway: Gateway, id: string): boolean {
  if (world.unseen.length > 0) return false;
  return gateway.nodes.every((node) => weightOf(node.view?.weights ?? {}, id) === 0);
}

/** True if git gives the version a route at the gateway. */
export function routesTo(world: World, desired: DesiredGateway, id: string): boolean {
  return desired.routes.some((route) => route.members.some((m) => memberId(world, m) === id));
}

export function buildWorld(input: PlanInput, now: number): World {
  // Who was declared gone and answers again counts again.
  const nodes = input.nodes.filter(
    (node) => node.error === undefined || !input.forgotten.includes(node.node),
  );
  const gateways = gatewayNames(input).map((name) => gatewayOf({ ...input, nodes }, name));
  return {
    input,
    now,
    gateways,
    versions: pairVersions(input, gateways),
    unseen: nodes.filter((node) => node.error !== undefined).map((node) => node.node),
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
  const held = newest(nodes);
  const inForce = held[0];
  const weights = inForce ? vectorOf(inForce) : {};
  const desired = input.desired.gateways.find((gateway) => gateway.name === name);
  const record = input.record.gateways[name];
  return {
    name,
    nodes,
    behind: inForce ? behindOf(nodes, inForce) : [],
    forked: held.some((split) => !isSame(split, inForce)),
    weights,
    settled: inForce !== undefined && nodes.every((node) => isSettled(node, inForce, weights)),
    memory: memoryOf(record, inForce),
    ...(desired && { desired }),
    ...(inForce && { inForce }),
    ...(record && { record }),
  };
}

/** The splits of the highest generation, in an order that does not depend on the nodes'. */
function newest(nodes: readonly GatewayNode[]): readonly Split[] {
  const splits = nodes.flatMap((node) => (node.view ? [node.view.split] : []));
  const generation = Math.max(...splits.map((split) => split.generation));
  const top = splits.filter((split) => split.generation === generation);
  if (top.every((split) => isSame(split, top[0]))) return top.slice(0, 1);
  return top.sort((a, b) => (stableText(a) < stableText(b) ? -1 : 1));
}

function behindOf(nodes: readonly GatewayNode[], inForce: Split): readonly string[] {
  return nodes
    .filter((node) => node.error === undefined)
    .filter(({ view }) => view === undefined || !isSame(view.split, inForce))
    .map((node) => node.node);
}

/**
 * The journal's memory and the one that travels in the split differ after a crash or a write that
 * failed between them. The one that goes with the later split is right.
 */
function memoryOf(record: GatewayRecord | undefined, inForce: Split | undefined): GatewayMemory {
  if (record === undefined) return inForce?.memory ?? { rejected: [] };
  if (inForce === undefined) return record.memory;
  const known = record.generation ?? inForce.generation;
  return inForce.generation > known ? inForce.memory : record.memory;
}

function isSettled(node: GatewayNode, inForce: Split, weights: Vector): boolean {
  if (node.error !== undefined || node.view === undefined) return false;
  return (
    node.view.applied && isSame(node.view.split, inForce) && sameVector(node.view.weights, weights)
  );
}
