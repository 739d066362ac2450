import { createHash } from 'node:crypto';

import type { ActualApp, AppDetail } from '../model/actual.ts';
import type { DesiredGateway } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import { stableText } from '../model/json.ts';
import type { AppRecord } from '../model/record.ts';
import type { Rollout } from '../model/rollout.ts';
import type { GatewayMemory, Rejection } from '../model/split.ts';
import { WHOLE, weightOf } from '../model/weights.ts';
import { isExcused, isOwnFault, readinessNote } from './readiness.ts';
import type { Gateway, Version, World } from './world.ts';
import { hasChecks, hasSeat, isReady, neededOf } from './world.ts';

/** A look is never worth more than this on a version's clock: nobody watched in between. */
const LOOK_WORTH_MS = 30_000;

/** In the place of the last look: the clock stands still. */
const STOPPED = 0;

/** This many tasks of its own fault reject a version before its deadline. */
function failureLimit(version: Version): number {
  return Math.max(3, 2 * version.wanted);
}

/** Short text for one rollout: a rejected version is tried again under another (law 9). */
export function rolloutKey(rollout: Rollout): string {
  return createHash('sha256').update(stableText(rollout)).digest('hex').slice(0, 12);
}

/**
 * What the gateway remembers, with rejections that git has left behind dropped and new ones added.
 * Only a version's own faults count, on a clock that runs only while they can be told (law 9).
 */
export function judged(world: World, gateway: Gateway): GatewayMemory {
  const { desired } = gateway;
  const memory = assumed(world, gateway);
  if (desired === undefined) return memory;
  const rollout = rolloutKey(desired.rollout);
  const asked = askedBy(world, desired);
  const kept = memory.rejected.filter(
    (one) =>
      one.rollout === rollout &&
      asked.some((version) => version.digest === one.digest && serviceKey(version) === one.service),
  );
  const fresh = asked
    .filter((version) => !kept.some((one) => one.digest === version.digest))
    .filter((version) => weightOf(memory.stable?.vector ?? {}, version.id) === 0)
    .flatMap((version) => rejectionOf(world, version, desired.rollout));
  return { ...memory, rejected: [...kept, ...fresh] };
}

/** A person's `retry` where stable is unknown: the heaviest version is taken for it, by name. */
function assumed(world: World, gateway: Gateway): GatewayMemory {
  const { memory, record, weights } = gateway;
  if (record?.assumeStable !== true || memory.stable !== undefined) return memory;
  const [heaviest] = Object.entries(weights).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  if (heaviest === undefined) return memory;
  return { ...memory, stable: { vector: { [heaviest[0]]: WHOLE }, since: world.now } };
}

function askedBy(world: World, desired: DesiredGateway): readonly Version[] {
  const members = desired.routes.flatMap((route) => route.members);
  return world.versions.filter(
    (version) =>
      version.desired !== undefined &&
      members.some(
        (member) =>
          member.kind === 'version' &&
          member.digest === version.digest &&
          serviceKey(member) === serviceKey(version),
      ),
  );
}

function rejectionOf(world: World, version: Version, rollout: Rollout): readonly Rejection[] {
  const detail = world.input.details[version.id];
  const next = clockOf(world, version);
  const failures = next.failures?.length ?? 0;
  const spent = next.progress?.spentMs ?? 0;
  const tooMany = failures >= failureLimit(version) && !isReady(version);
  if (!tooMany && spent <= rollout.deadlineMs) return [];
  const reason = tooMany ? 'tasks-failing' : 'deadline';
  const cause = readinessNote(version, detail);
  const seconds = Math.round(rollout.deadlineMs / 1000);
  return [
    {
      digest: version.digest,
      service: serviceKey(version),
      reason,
      message: tooMany
        ? `${String(failures)} of its tasks failed: ${cause}`
        : `not ready within ${String(seconds)} s: ${cause}`,
      at: world.now,
      revision: world.input.revision,
      rollout: rolloutKey(rollout),
    },
  ];
}

/**
 * The version's clock and failures after this look. They say nothing of a version that is ready for
 * good, nor of one whose verdict has been spoken: another try begins with a clean sheet.
 */
export function clockOf(world: World, version: Version): Pick<AppRecord, 'progress' | 'failures'> {
  const { record, app } = version;
  if (app === undefined || world.input.apps === undefined) {
    return record.failures ? { failures: record.failures } : {};
  }
  if (isReady(version)) {
    const progress = progressRunDown(world, record);
    return {
      ...(progress && { progress }),
      ...(record.failures && { failures: record.failures }),
    };
  }
  const failures = failuresAfter(record, world.input.details[version.id]);
  return {
    progress: progressAfter(world, version, app),
    ...(failures.length > 0 && { failures }),
  };
}

/** Whoever lost an instance through the platform has to start again, and gets the time for it. */
function progressAfter(
  world: World,
  version: Version,
  app: ActualApp,
): NonNullable<AppRecord['progress']> {
  const { record } = version;
  const before = record.progress?.excused;
  const excused = excusedTask(world.input.details[version.id]) ?? before;
  const isRunning = isTimed(world, version, app);
  const spentMs = spentOf(record) + (isRunning ? worth(world, record) : 0);
  return {
    spentMs: excused === before ? spentMs : 0,
    lookedAt: isRunning ? world.now : STOPPED,
    ...(excused !== undefined && { excused }),
  };
}

/**
 * Being ready earns back as much time as it lasts, no more: a version that is ready only for a
 * moment now and then runs out of time all the same.
 */
function progressRunDown(world: World, record: AppRecord): AppRecord['progress'] {
  const spentMs = spentOf(record) - worth(world, record);
  if (spentMs <= 0) return undefined;
  return { ...record.progress, spentMs, lookedAt: world.now };
}

function excusedTask(detail: AppDetail | undefined): string | undefined {
  const last = detail?.lastFailure;
  return last === undefined || isOwnFault(last.state) ? undefined : last.taskId;
}

/** Only what the version itself could mend counts: not proxies, offers, agents or lost health. */
function isTimed(world: World, version: Version, app: ActualApp): boolean {
  if (world.unseen.length > 0 || version.best >= neededOf(version)) return false;
  if (isExcused(world.input.details[version.id])) return false;
  // Good in Marathon and in nobody's rotation: the proxies are late, or nobody holds it yet.
  const isSeated = world.gateways.some(
    (gateway) => hasSeat(gateway, version.id) && gateway.settled,
  );
  const good = hasChecks(app) ? app.tasksHealthy : app.tasksRunning;
  if (!isSeated && version.routed) return good < neededOf(version);
  // A leader change makes Marathon forget all health: that is nobody's fault.
  return version.healthKnown || !hasChecks(app) || app.tasksHealthy === 0;
}

function spentOf(record: AppRecord): number {
  return record.progress?.spentMs ?? 0;
}

function worth(world: World, record: AppRecord): number {
  const since = record.progress?.lookedAt;
  return since === undefined || since === STOPPED
    ? 0
    : Math.min(Math.max(0, world.now - since), LOOK_WORTH_MS);
}

function failuresAfter(record: AppRecord, detail: AppDetail | undefined): readonly string[] {
  const known = record.failures ?? [];
  const last = detail?.lastFailure;
  if (last === undefined || !isOwnFault(last.state) || known.includes(last.taskId)) return known;
  return [...known, last.taskId].slice(-20);
}
