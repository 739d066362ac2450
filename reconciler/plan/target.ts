import type { DesiredGateway, RouteMember } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import type { Parts, Vector } from '../model/weights.ts';
import { WHOLE, apportion, fromPercent, total } from '../model/weights.ts';

/** Finds the id of a member's version; undefined where it has none yet. */
export type IdOf = (member: RouteMember) => string;

/**
 * The weights that git asks for, by version id, with the ones that the author left out filled in:
 * what is left of 100 is shared equally in whole per cents, the remainder on the last; only beside
 * routes that still hold all 100 does a new one get 0 (Vamp's rule for a running deployment).
 */
export function targetOf(gateway: DesiredGateway, stable: Vector, idOf: IdOf): Vector {
  const outer = filled(gateway.routes.map((route) => route.weight));
  const target: Record<string, Parts> = {};
  gateway.routes.forEach((route, index) => {
    const inner = filledMembers(route.members, stable, idOf);
    const share = outer[index] ?? 0;
    route.members.forEach((member, at) => {
      const id = idOf(member);
      target[id] = (target[id] ?? 0) + Math.round(((inner[at] ?? 0) * share) / 100);
    });
  });
  const sum = total(target);
  // Fractions of held weights may leave a rest of some parts after rounding.
  return sum > 0 && sum !== WHOLE ? { ...zeroes(target), ...apportion(WHOLE, target) } : target;
}

function zeroes(vector: Vector): Vector {
  return Object.fromEntries(Object.keys(vector).map((id) => [id, 0]));
}

/** Whole per cents, gaps filled. */
function filled(given: readonly (number | undefined)[]): readonly number[] {
  const missing = given.filter((weight) => weight === undefined).length;
  if (missing === 0) return given.map((weight) => weight ?? 0);
  const left = 100 - given.reduce<number>((sum, weight) => sum + (weight ?? 0), 0);
  const each = Math.floor(left / missing);
  let seen = 0;
  return given.map((weight) => {
    if (weight !== undefined) return weight;
    seen += 1;
    return seen === missing ? left - each * (missing - 1) : each;
  });
}

/** Parts of each member, summing to `WHOLE` (or 0 where all weights are 0). */
function filledMembers(
  members: readonly RouteMember[],
  stable: Vector,
  idOf: IdOf,
): readonly Parts[] {
  const given = members.map((member) => member.weight);
  if (given.every((weight) => weight === undefined)) {
    const held = members.map((member) => stable[idOf(member)] ?? 0);
    const sum = held.reduce((a, b) => a + b, 0);
    if (sum > 0 && held.some((parts) => parts === 0)) {
      return held.map((parts) => (parts * WHOLE) / sum);
    }
  }
  return filled(given).map(fromPercent);
}

/** `deployment/cluster/breed` of a member, or its address. */
export function memberKey(member: RouteMember): string {
  return member.kind === 'version' ? serviceKey(member) : member.address;
}
