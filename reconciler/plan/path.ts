import type { Rollout, Step } from '../model/rollout.ts';
import type { Stable } from '../model/split.ts';
import type { Parts, Vector } from '../model/weights.ts';
import {
  WHOLE,
  apportion,
  sameVector,
  toPercent,
  total,
  vectorKey,
  weightOf,
} from '../model/weights.ts';
import type { Capacity } from './load.ts';
import { largestShare } from './load.ts';

/** One gateway's weights and all that decides where they go next. */
export interface PathInput {
  readonly target: Vector;
  readonly stable: Stable | undefined;
  /** The first deployment of the gateway is under way. */
  readonly first: boolean;
  /** The weights in force; `settled` says whether every proxy shows them. */
  readonly present: Vector;
  readonly settled: boolean;
  /** Why `settled` is false, for people. */
  readonly unsettled: { readonly reason: string; readonly message: string };
  readonly members: ReadonlyMap<string, Member>;
  readonly rollout: Rollout;
  /** The vector that every proxy shows, as text, and since when. */
  readonly step: { readonly vector: string; readonly since: number } | undefined;
  readonly now: number;
}

export interface Member extends Capacity {
  readonly name: string;
  readonly isReady: boolean;
  /** The split in force names it. */
  readonly isSeated: boolean;
  /** Usable at the proxy that sees it best. */
  readonly best: number;
  readonly healthKnown: boolean;
  /** Why it is not ready, for people. */
  readonly note: string;
  readonly rejected: boolean;
  /** Another gateway that holds the version and is not yet as far. */
  readonly slower?: string;
}

export interface PathDecision {
  readonly vector: Vector;
  readonly reason: string;
  readonly message: string;
  readonly lookAgainAt?: number;
  /** True where the vector leads back to stable: it waits for nothing (law 17). */
  readonly wayBack?: true;
  /** The present vector is the target, seen everywhere, its last bake passed. */
  readonly arrived?: true;
}

/** Why a weight stays as it is. */
interface Wait {
  readonly reason: string;
  readonly message: string;
  readonly lookAgainAt?: number;
}

/** Decides the weights of a gateway: at most one step from where the proxies are seen. */
export function nextVector(path: PathInput): PathDecision {
  const back = wayBack(path);
  if (back) return back;
  if (sameVector(path.present, path.target)) return atTarget(path);
  if (total(path.target) === 0) {
    return { vector: {}, reason: 'closed', message: 'git sets every weight to 0: closing' };
  }
  // Nobody serves yet: that weighs more than a proxy that is out of sight (law 3 before 6).
  if (total(path.present) === 0) return straight(path, 'first');
  if (!path.settled) return stay(path, path.unsettled);
  if (path.first) return straight(path, 'first');
  if (path.stable === undefined) {
    return stay(path, {
      reason: 'record-lost',
      message:
        'neither the journal nor any proxy knows which weights were stable; ' +
        'the traffic stays where it is until `sluice retry`',
    });
  }
  if (!serves(path, path.stable.vector)) return straight(path, 'rescue');
  return climb(path, path.stable);
}

function stay(path: PathInput, because: Wait): PathDecision {
  return { vector: path.present, ...because };
}

/** Back to stable: a rejection, a trial that git ended, or a commit that asks for just that. */
function wayBack(path: PathInput): PathDecision | undefined {
  const { stable } = path;
  const rejected = [...path.members].filter(
    ([id, member]) => member.rejected && weightOf(path.target, id) > 0,
  );
  if (rejected.length > 0) {
    const names = rejected.map(([, member]) => member.name).join(', ');
    return afterRejection(path, { reason: 'rejected', message: `${names} was rejected` });
  }
  if (stable === undefined || !serves(path, stable.vector)) return undefined;
  if (total(path.present) === 0 && total(path.target) > 0) {
    return goBack(path, stable, { reason: 'split-lost', message: 'the proxies lost their split' });
  }
  if (sameVector(path.target, stable.vector) && !sameVector(path.present, path.target)) {
    return goBack(path, stable, { reason: 'reverted', message: 'git asks for stable again' });
  }
  const abandoned = Object.keys(path.present).filter(
    (id) => weightOf(path.present, id) > 0 && isAbandoned(path, id),
  );
  if (abandoned.length > 0) {
    const message = `git no longer asks for ${abandoned.join(', ')}`;
    return goBack(path, stable, { reason: 'superseded', message });
  }
  return undefined;
}

function afterRejection(path: PathInput, because: Wait): PathDecision {
  if (path.stable === undefined) {
    // Nothing to go back to: whoever else is ready serves (a first deployment).
    const others = straight(path, 'first');
    return { ...others, ...because, message: `${because.message}; ${others.message}` };
  }
  if (path.rollout.onFailure === 'hold') return stay(path, because);
  if (!serves(path, path.stable.vector)) {
    const message = `${because.message}, but stable has no usable instance: the traffic stays`;
    return stay(path, { reason: 'stable-down', message });
  }
  return goBack(path, path.stable, because);
}

/** A trial: it has traffic, git no longer asks for it, and it never became stable. */
function isAbandoned(path: PathInput, id: string): boolean {
  return weightOf(path.target, id) === 0 && weightOf(path.stable?.vector ?? {}, id) === 0;
}

/** True if any proxy has a usable server of a version with weight in `vector`. */
function serves(path: PathInput, vector: Vector): boolean {
  return Object.keys(vector).some(
    (id) => weightOf(vector, id) > 0 && (path.members.get(id)?.best ?? 0) > 0,
  );
}

function goBack(path: PathInput, stable: Stable, because: Wait): PathDecision {
  // A proxy that lost its disk may no longer have a seat for all of them.
  const seated = Object.entries(stable.vector).filter(([id]) => path.members.get(id)?.isSeated);
  const vector = apportion(WHOLE, Object.fromEntries(seated));
  if (sameVector(path.present, vector)) {
    return stay(path, { ...because, message: `${because.message}; the traffic is at stable` });
  }
  return {
    vector,
    reason: because.reason,
    message: `${because.message}: back to stable (${describe(vector, path)})`,
    wayBack: true,
  };
}

function atTarget(path: PathInput): PathDecision {
  const reason = 'at-target';
  if (!path.settled) return stay(path, path.unsettled);
  if (path.stable && sameVector(path.stable.vector, path.present)) {
    return { ...stay(path, { reason, message: 'the weights are as git asks' }), arrived: true };
  }
  const ends = bakeEnd(path);
  if (ends !== undefined && ends > path.now) {
    return stay(path, {
      reason: 'bake',
      message: 'the target is reached; its last bake is running',
      lookAgainAt: ends,
    });
  }
  if (ends === undefined)
    return stay(path, { reason: 'seen', message: 'every proxy shows the target; noting the time' });
  return { ...stay(path, { reason, message: 'the weights are as git asks' }), arrived: true };
}

/**
 * Until when the present weights bake, undefined until it is on record since when they are seen.
 * A first deployment has no steps and so nothing to bake.
 */
function bakeEnd(path: PathInput): number | undefined {
  if (path.step?.vector !== vectorKey(path.present)) return undefined;
  if (path.first) return path.step.since;
  let bakeMs = 0;
  for (const [id, parts] of Object.entries(path.present)) {
    if (parts <= weightOf(path.stable?.vector ?? {}, id)) continue;
    bakeMs = Math.max(bakeMs, stepAt(path.rollout, parts).bakeMs);
  }
  return path.step.since + bakeMs;
}

/** The step that a weight stands on: between two steps it is the lower one. */
export function stepAt(rollout: Rollout, parts: Parts): Step {
  let found = rollout.steps[0] ?? { weight: WHOLE, bakeMs: 0 };
  for (const step of rollout.steps) if (step.weight <= parts) found = step;
  return found;
}

/**
 * No steps: straight to the target with who is ready; the first ready version serves all until the
 * others are. For a first deployment, and where stable has no usable server left.
 */
function straight(path: PathInput, reason: 'first' | 'rescue'): PathDecision {
  const asked = Object.keys(path.target).filter(
    (id) => weightOf(path.target, id) > 0 && path.members.get(id)?.rejected !== true,
  );
  const able = asked.filter((id) => mayServe(path, id));
  const shares = able.map((id) => [id, weightOf(path.target, id)] as const);
  const vector = apportion(WHOLE, Object.fromEntries(shares));
  if (total(vector) === 0 || sameVector(vector, path.present)) {
    const waiting = asked.filter((id) => !able.includes(id)).map((id) => waitNote(path, id));
    return stay(path, { reason: 'not-ready', message: waiting.join('; ') });
  }
  const what = reason === 'first' ? 'first deployment' : 'stable has no usable instance';
  return { vector, reason, message: `${what}: ${describe(vector, path)}` };
}

/** Who serves already and is only short of instances for a moment gives nothing away. */
function mayServe(path: PathInput, id: string): boolean {
  const member = path.members.get(id);
  if (member === undefined) return false;
  return member.isReady || (weightOf(path.present, id) > 0 && member.best > 0);
}

function waitNote(path: PathInput, id: string): string {
  const member = path.members.get(id);
  return member ? `${member.name}: ${member.note}` : `${id}: not created yet`;
}

/** One step up for every rising version that has earned it; the falling ones give. */
function climb(path: PathInput, stable: Stable): PathDecision {
  const raises: Record<string, Parts> = {};
  const waits: Wait[] = [];
  for (const [id, goal] of Object.entries(path.target)) {
    const present = weightOf(path.present, id);
    if (goal <= present) continue;
    const next = raiseOf(path, stable, id);
    if (typeof next === 'number') raises[id] = next - present;
    else waits.push(next);
  }
  if (total(raises) === 0) {
    return stay(path, waits[0] ?? { reason: 'at-target', message: 'nothing rises' });
  }
  const surplus: Record<string, Parts> = {};
  for (const [id, parts] of Object.entries(path.present)) {
    if (parts > weightOf(path.target, id)) surplus[id] = parts - weightOf(path.target, id);
  }
  const gives = apportion(total(raises), surplus);
  const vector: Record<string, Parts> = {};
  for (const id of new Set([...Object.keys(path.present), ...Object.keys(raises)])) {
    vector[id] = weightOf(path.present, id) + (raises[id] ?? 0) - (gives[id] ?? 0);
  }
  return { vector, reason: 'step', message: `next step: ${describe(vector, path)}` };
}

/** The weight that a version rises to now, or why it has to wait. */
function raiseOf(path: PathInput, stable: Stable, id: string): Parts | Wait {
  const member = path.members.get(id);
  const present = weightOf(path.present, id);
  const goal = weightOf(path.target, id);
  const held = weightOf(stable.vector, id);
  // Up to its stable share it only takes back what was its own.
  if (present < held && serves(path, { [id]: held })) return Math.min(goal, held);
  if (!member?.isReady) return { reason: 'not-ready', message: waitNote(path, id) };
  const wait = evidenceOf(member) ?? bakeOver(path, present, held);
  if (wait !== undefined) return wait;
  const step = path.rollout.steps.find((one) => one.weight > present)?.weight ?? WHOLE;
  const cap = largestShare(id, path.members, [stable.vector, path.target]);
  const next = Math.min(goal, step, cap);
  if (next > present) return next;
  const message = `${member.name}: ${String(member.ready)} ready instances carry no more than ${toPercent(present)}`;
  return { reason: 'capacity', message };
}

function evidenceOf(member: Member): Wait | undefined {
  if (!member.healthKnown) {
    const message = `${member.name}: Marathon has not said yet how its instances are`;
    return { reason: 'health-unknown', message };
  }
  if (member.slower !== undefined) {
    const message = `${member.name}: port ${member.slower} has not come as far yet`;
    return { reason: 'slower-gateway', message };
  }
  return undefined;
}

function bakeOver(path: PathInput, present: Parts, held: Parts): Wait | undefined {
  if (present <= held) return undefined;
  const key = vectorKey(path.present);
  if (path.step?.vector !== key) {
    return { reason: 'seen', message: 'noting since when every proxy shows this step' };
  }
  const ends = path.step.since + stepAt(path.rollout, present).bakeMs;
  if (ends <= path.now) return undefined;
  return { reason: 'bake', message: `baking at ${toPercent(present)}`, lookAgainAt: ends };
}

function describe(vector: Vector, path: PathInput): string {
  return Object.entries(vector)
    .filter(([, parts]) => parts > 0)
    .map(([id, parts]) => `${path.members.get(id)?.name ?? id} ${toPercent(parts)}`)
    .join(', ');
}
