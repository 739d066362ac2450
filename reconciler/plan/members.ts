import type { DesiredGateway } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import type { SplitVersion } from '../model/split.ts';
import { isUsable } from '../model/split.ts';
import type { Vector } from '../model/weights.ts';
import { weightOf } from '../model/weights.ts';
import { versionName } from './composition.ts';
import type { Member } from './path.ts';
import { readinessNote } from './readiness.ts';
import { targetOf } from './target.ts';
import { standingOf } from './versions.ts';
import type { Gateway, Version, World } from './world.ts';
import { hasSeat, isReady, memberId, routesTo, viewsOf } from './world.ts';

export function targetAt(world: World, gateway: Gateway, desired: DesiredGateway): Vector {
  return targetOf(desired, gateway.memory.stable?.vector ?? {}, (m) => memberId(world, m));
}

/** All that the split in force or git names at this gateway. */
export function membersOf(
  world: World,
  gateway: Gateway,
  desired: DesiredGateway,
): ReadonlyMap<string, Member> {
  const members = new Map<string, Member>();
  for (const seat of gateway.inForce?.versions ?? []) {
    // Marathon may be out of sight: the proxies still tell who is usable.
    if (seat.source.kind === 'app') members.set(seat.id, strangerOf(gateway, seat));
  }
  for (const version of world.versions) {
    if (!hasSeat(gateway, version.id) && !routesTo(world, desired, version.id)) continue;
    members.set(version.id, memberOf(world, gateway, version));
  }
  for (const member of desired.routes.flatMap((route) => route.members)) {
    if (member.kind === 'external') members.set(member.address, external(gateway, member.address));
  }
  return members;
}

function memberOf(world: World, gateway: Gateway, version: Version): Member {
  const isSeated = hasSeat(gateway, version.id);
  const slower = slowerGateway(world, gateway, version.id);
  return {
    name: versionName(version),
    wanted: version.wanted,
    ready: version.ready,
    best: isSeated ? version.best : 0,
    guarded: true,
    isReady: isReady(version) && isSeated,
    isSeated,
    healthKnown: version.healthKnown,
    note: readinessNote(version, world.input.details[version.id]),
    rejected: gateway.memory.rejected.some((one) => rejects(one, version)),
    ...(slower !== undefined && { slower }),
  };
}

function strangerOf(gateway: Gateway, seat: SplitVersion): Member {
  const { ready, best } = standingOf([gateway], seat.id, undefined);
  return {
    name: seat.name,
    wanted: ready,
    ready,
    best,
    guarded: true,
    isReady: false,
    isSeated: true,
    healthKnown: false,
    note: 'not seen in Marathon',
    rejected: false,
  };
}

/** A version that several gateways hold passes in none of them the slowest one's step. */
function slowerGateway(world: World, gateway: Gateway, id: string): string | undefined {
  const here = weightOf(gateway.weights, id);
  const slower = world.gateways.find((other) => {
    if (other.name === gateway.name || other.desired === undefined) return false;
    const there = weightOf(other.weights, id);
    const goal = weightOf(targetAt(world, other, other.desired), id);
    const isSettling = there === here && here > 0 && !other.settled;
    return there < goal && (there < here || isSettling);
  });
  return slower?.name;
}

function rejects(
  rejection: { readonly digest: string; readonly service: string },
  version: Version,
): boolean {
  return rejection.digest === version.digest && rejection.service === serviceKey(version);
}

function external(gateway: Gateway, address: string): Member {
  const views = viewsOf(gateway, address);
  const usable = views.length > 0 && views.every((view) => view.servers.some(isUsable));
  return {
    name: address,
    wanted: 1,
    ready: usable ? 1 : 0,
    best: views.some((view) => view.servers.some(isUsable)) ? 1 : 0,
    guarded: false,
    isReady: usable,
    isSeated: hasSeat(gateway, address),
    healthKnown: true,
    note: 'the check of the proxy has not passed',
    rejected: false,
  };
}
