import type { ActualApp } from '../model/actual.ts';
import type { Desired, DesiredGateway } from '../model/desired.ts';
import type { UnitRecord } from '../model/record.ts';
import type { NodeView, Split } from '../model/split.ts';

/** Deployments and gateways that have to be planned together, since traffic may move among them. */
export interface Unit {
  /** Stable while its members are: the smallest name among them. */
  readonly key: string;
  readonly desired: Desired;
  readonly apps: readonly ActualApp[] | undefined;
  readonly nodes: readonly NodeView[];
  readonly record: UnitRecord;
}

/**
 * Splits the world into connected parts: a gateway joins the deployments that it routes to in git
 * and those that its split still names. So one pass is the one writer of a gateway, also while its
 * port is handed over from one blueprint to another, and a fault of one unit stops no other.
 */
export function unitsOf(world: {
  readonly desired: Desired;
  readonly apps: readonly ActualApp[] | undefined;
  readonly nodes: readonly NodeView[];
  readonly record: UnitRecord;
  readonly owner: string;
}): readonly Unit[] {
  const sets = new DisjointSets();
  for (const deployment of world.desired.deployments) sets.add(`d:${deployment.name}`);
  for (const app of world.apps ?? []) sets.add(`d:${app.deployment}`);
  for (const gateway of world.desired.gateways) {
    for (const name of feeding(gateway)) sets.join(`g:${gateway.name}`, `d:${name}`);
    sets.add(`g:${gateway.name}`);
  }
  for (const split of splitsOf(world.nodes, world.owner)) {
    sets.add(`g:${split.gateway}`);
    for (const name of named(split)) sets.join(`g:${split.gateway}`, `d:${name}`);
  }
  // What is remembered of a gateway or an app that is gone is forgotten by a unit of its own.
  for (const name of Object.keys(world.record.gateways)) sets.add(`g:${name}`);
  const units = sets.groups().map((group) => unitOf(world, new Set(group)));
  const known = new Set(units.flatMap((unit) => Object.keys(unit.record.apps)));
  const left = Object.keys(world.record.apps).filter((id) => !known.has(id));
  for (const id of left) sets.add(`d:${deploymentIn(id)}`);
  return left.length === 0 ? units : sets.groups().map((group) => unitOf(world, new Set(group)));
}

function feeding(gateway: DesiredGateway): readonly string[] {
  return gateway.routes.flatMap((route) =>
    route.members.flatMap((member) => (member.kind === 'version' ? [member.deployment] : [])),
  );
}

function splitsOf(nodes: readonly NodeView[], owner: string): readonly Split[] {
  return nodes
    .flatMap((node) => node.gateways.map((view) => view.split))
    .filter((split) => split.owner === owner);
}

/** Deployments that a split routes to: the first segment of `deployment/cluster/breed`. */
function named(split: Split): readonly string[] {
  return split.versions.flatMap(({ source }) =>
    source.kind === 'app' ? [source.service.split('/')[0] ?? ''] : [],
  );
}

function unitOf(world: Parameters<typeof unitsOf>[0], group: ReadonlySet<string>): Unit {
  const hasDeployment = (name: string): boolean => group.has(`d:${name}`);
  const hasGateway = (name: string): boolean => group.has(`g:${name}`);
  const apps = world.apps?.filter((app) => hasDeployment(app.deployment));
  const nodes = world.nodes.map((node) => ({
    ...node,
    gateways: node.gateways.filter(
      (view) => view.split.owner === world.owner && hasGateway(view.split.gateway),
    ),
  }));
  const ids = new Set([
    ...(apps ?? []).map((app) => app.id),
    ...splitsOf(nodes, world.owner).flatMap((split) => split.versions.map((one) => one.id)),
    ...Object.keys(world.record.apps).filter((id) => belongs(id, group)),
  ]);
  return {
    key: [...group].sort()[0] ?? '',
    desired: {
      deployments: world.desired.deployments.filter((one) => hasDeployment(one.name)),
      gateways: world.desired.gateways.filter((one) => hasGateway(one.name)),
    },
    apps,
    nodes,
    record: {
      gateways: picked(world.record.gateways, hasGateway),
      apps: picked(world.record.apps, (id) => ids.has(id)),
    },
  };
}

/** `/prefix/deployment/cluster/breed-digest`: a record may outlive its app. */
function belongs(id: string, group: ReadonlySet<string>): boolean {
  return group.has(`d:${deploymentIn(id)}`);
}

function deploymentIn(id: string): string {
  return id.split('/').at(-3) ?? '';
}

function picked<T>(
  all: Readonly<Record<string, T>>,
  wanted: (key: string) => boolean,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => wanted(key)));
}

class DisjointSets {
  readonly #parent = new Map<string, string>();

  add(key: string): void {
    if (!this.#parent.has(key)) this.#parent.set(key, key);
  }

  join(a: string, b: string): void {
    this.add(a);
    this.add(b);
    this.#parent.set(this.#root(a), this.#root(b));
  }

  groups(): readonly (readonly string[])[] {
    const byRoot = new Map<string, string[]>();
    for (const key of this.#parent.keys()) {
      const root = this.#root(key);
      byRoot.set(root, [...(byRoot.get(root) ?? []), key]);
    }
    return [...byRoot.values()].sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1));
  }

  #root(key: string): string {
    let at = key;
    for (let up = this.#parent.get(at); up !== undefined && up !== at; up = this.#parent.get(at)) {
      at = up;
    }
    return at;
  }
}
