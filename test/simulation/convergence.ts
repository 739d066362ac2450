import { serviceKey } from '../../reconciler/model/desired.ts';
import type { DesiredGateway, DesiredVersion } from '../../reconciler/model/desired.ts';
import type { Split } from '../../reconciler/model/split.ts';
import { vectorOf } from '../../reconciler/model/split.ts';
import type { Vector } from '../../reconciler/model/weights.ts';
import { sameVector, vectorKey } from '../../reconciler/model/weights.ts';
import { behaviourOf } from '../support/fake-platform.ts';
import type { Compilation } from '../../reconciler/blueprint/compile.ts';
import type { FakeNode } from '../support/fake-gateways.ts';
import type { FakePlatform } from '../support/fake-platform.ts';
import { OWNER } from './owner.ts';

/** What has to be known of a simulation to tell whether it is where git wants it. */
export interface WorldView {
  readonly platform: FakePlatform;
  readonly nodes: readonly FakeNode[];
  readonly now: number;
  readonly memoryLost: boolean;
  readonly tampered: boolean;
  compiled(): Compilation;
}

/** Why the world is not what git's head asks for, or undefined if it is. */
export function expectConverged(world: WorldView): string | undefined {
  const { desired } = world.compiled();
  const versions = desired.deployments.flatMap((one) => one.versions);
  for (const gateway of desired.gateways) {
    const trouble = gatewayTrouble(world, gateway, versions);
    if (trouble !== undefined) return trouble;
  }
  const names = new Set(desired.gateways.map((one) => one.name));
  for (const node of world.nodes) {
    const left = node.splits().find((one) => one.owner === OWNER && !names.has(one.gateway));
    if (left) return `gateway ${left.gateway} is still at ${node.name}`;
  }
  return appTrouble(world, versions);
}

function gatewayTrouble(
  world: WorldView,
  gateway: DesiredGateway,
  versions: readonly DesiredVersion[],
): string | undefined {
  const splits = world.nodes.map((node) =>
    node.splits().find((one) => one.gateway === gateway.name),
  );
  const [split] = splits;
  if (split === undefined) return `${gateway.name} is nowhere`;
  if (splits.some((one) => one?.generation !== split.generation)) {
    return `${gateway.name} differs among the nodes`;
  }
  const views = world.nodes.map((node) =>
    node.view(world.now, OWNER).gateways.find((one) => one.split.gateway === gateway.name),
  );
  if (views.some((view) => !view?.applied)) return `${gateway.name} is not applied`;
  const bad = versions.filter(
    (one) =>
      isBad(one) && isRouted(gateway, one) && !(weightIn(split, one) > 0 && isStable(split, one)),
  );
  if (bad.length > 0) return rejectionTrouble(split, bad);
  // What fails only now and then may have become stable before it was rejected.
  if (versions.some((one) => isRouted(gateway, one) && isFickle(one))) return undefined;
  const target = targetIn(gateway, split);
  if (!sameVector(target, vectorOf(split))) {
    return `${gateway.name} is ${vectorKey(vectorOf(split))}, not ${vectorKey(target)}`;
  }
  return undefined;
}

/** A version that cannot run is refused, and has no traffic if anybody else is there. */
function rejectionTrouble(split: Split, bad: readonly DesiredVersion[]): string | undefined {
  for (const version of bad) {
    const isRejected = split.memory.rejected.some((one) => one.digest === version.digest);
    if (!isRejected) return `${version.service} ${version.digest} is not rejected yet`;
  }
  return undefined;
}

function isBad(version: DesiredVersion): boolean {
  const behaviour = behaviourOf(version.definition);
  return behaviour === 'sick' || behaviour === 'crash';
}

function isFickle(version: DesiredVersion): boolean {
  return behaviourOf(version.definition) === 'late';
}

function isRouted(gateway: DesiredGateway, version: DesiredVersion): boolean {
  return gateway.routes.some((route) =>
    route.members.some((one) => one.kind === 'version' && one.digest === version.digest),
  );
}

function idIn(split: Split, version: { digest: string }): string | undefined {
  return split.versions.findLast(
    ({ source }) => source.kind === 'app' && source.digest === version.digest,
  )?.id;
}

function weightIn(split: Split, version: DesiredVersion): number {
  return split.versions.find((one) => one.id === idIn(split, version))?.weight ?? 0;
}

function isStable(split: Split, version: DesiredVersion): boolean {
  return (split.memory.stable?.vector[idIn(split, version) ?? ''] ?? 0) > 0;
}

function targetIn(gateway: DesiredGateway, split: Split): Vector {
  const target: Record<string, number> = {};
  for (const route of gateway.routes) {
    for (const member of route.members) {
      if (member.kind !== 'version') continue;
      const id = idIn(split, member) ?? `${serviceKey(member)} has no seat`;
      target[id] = (target[id] ?? 0) + (route.weight ?? 100) * (member.weight ?? 100);
    }
  }
  return target;
}

function appTrouble(world: WorldView, versions: readonly DesiredVersion[]): string | undefined {
  const apps = world.platform.ours();
  for (const version of versions) {
    const own = apps.filter(
      (app) => app.digest === version.digest && serviceKey(app) === serviceKey(version),
    );
    if (isBad(version) || isFickle(version)) continue;
    // A tampered app that is stable stays while its sibling is rejected.
    const siblings = versions.some(
      (one) => (isBad(one) || isFickle(one)) && one.deployment === version.deployment,
    );
    if (own.length !== 1 && !(siblings && own.length > 1))
      return `${version.appId} runs ${String(own.length)} times`;
    const instances = Math.max(...own.map((app) => app.instances));
    // Somebody's rescue and a scale-down that nobody remembers look alike: both are kept.
    const mayExceed = world.memoryLost || world.tampered;
    if (instances < version.instances || (instances > version.instances && !mayExceed)) {
      if (siblings && instances > version.instances) continue;
      return `${version.appId} has ${String(instances)} of ${String(version.instances)} instances`;
    }
  }
  const anyBad = versions.some((one) => isBad(one) || isFickle(one));
  const extra = apps.find(
    (app) =>
      !versions.some((one) => one.digest === app.digest && serviceKey(one) === serviceKey(app)),
  );
  // What stable still needs stays for as long as its successor is rejected. Nobody remembers how
  // long an old one was to stay: then it is the default, an hour.
  const isParked = extra?.instances === 0 && world.memoryLost;
  if (extra && !anyBad && !isParked) return `${extra.id} is still there`;
  return undefined;
}
