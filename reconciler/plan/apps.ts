import { serviceKey } from '../model/desired.ts';
import { LABELS, ownLabels } from '../model/labels.ts';
import type { Json, JsonObject, MarathonApp } from '../model/marathon-app.ts';
import type { AppRecord, Pace } from '../model/record.ts';
import type { AppContext, AppPlan } from './app-plan.ts';
import { isEmptied, paceOf, scaleTo, unlocked } from './app-plan.ts';
import { readinessNote } from './readiness.ts';
import { clockOf } from './reject.ts';
import { drainingSince, killIdle, shrink, shrinks } from './shrink.ts';
import type { Version, World } from './world.ts';
import { isReady } from './world.ts';

/** Plans the app of a version that git asks for. */
export function planApp(of: AppContext): AppPlan {
  const { world, version, rejected } = of;
  const { app, desired } = version;
  if (world.input.apps === undefined || desired === undefined) {
    return { actions: [], record: version.record, state: 'kept', note: '', warnings: [] };
  }
  if (app === undefined) return planMissing(of);
  const record = rememberApp(of);
  const base = { record, warnings: driftWarnings(of), ...stateOf(of) };
  if (rejected) return { ...planRejected(of, record), warnings: base.warnings };
  if (app.instances < version.wanted) {
    const why = `${version.id} has ${String(app.instances)} of ${String(version.wanted)} instances`;
    return { ...base, actions: [scaleTo(version, version.wanted, why)] };
  }
  if (app.instances > version.wanted && shrinks(of)) {
    return { ...base, ...shrink(of, version.wanted) };
  }
  return { ...base, actions: [] };
}

function planMissing(of: AppContext): AppPlan {
  const { world, version, rejected } = of;
  const { desired } = version;
  if (desired === undefined || rejected || version.wanted === 0) {
    const state = rejected ? 'rejected' : 'absent';
    return { state, record: null, actions: [], note: '', warnings: [] };
  }
  if (isUnlisted(world, version)) {
    const note = `${version.id} exists in Marathon, but not with our labels: put ${LABELS.owner} back, or delete it`;
    return { state: 'absent', record: version.record, actions: [], note, warnings: [] };
  }
  const labels = {
    ...labelsOf(desired.definition),
    ...ownLabels(desired, world.input.owner, world.input.revision),
  };
  const definition = { ...desired.definition, id: version.id, instances: version.wanted, labels };
  const why = `${serviceKey(version)} has no app yet`;
  return {
    state: 'absent',
    // How it is to leave is known before it is there.
    record: { wanted: version.wanted, pace: paceFrom(desired.rollout) },
    actions: [{ kind: 'create-app', id: version.id, definition, why }],
    note: 'being created',
    warnings: version.drift.map((aspect) => driftText(version, aspect)),
  };
}

/** Seated, not in the list, and yet there: its identity is lost or the list is wrong (law 8). */
export function isUnlisted(world: World, version: Version): boolean {
  return version.app === undefined && world.input.details[version.id] !== undefined;
}

function labelsOf(definition: MarathonApp): JsonObject {
  const labels = definition['labels'];
  return isObject(labels) ? labels : {};
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function driftText(version: Version, aspect: string): string {
  return `somebody changed ${aspect} of ${version.service} in Marathon: it walks back as a new version`;
}

function driftWarnings(of: AppContext): readonly string[] {
  const { version } = of;
  const { app, record, wanted } = version;
  const texts = version.drift.map(
    (aspect) => `${version.id}: ${aspect} is not as git says, and nobody knows since when`,
  );
  if (app && app.instances > wanted && (record.wanted ?? wanted) === wanted && !of.rejected) {
    texts.push(
      `${version.id} has ${String(app.instances)} instances, git asks for ${String(wanted)}: ` +
        'somebody added some; they are kept until the next commit to this service',
    );
  }
  return texts;
}

function stateOf(of: AppContext): Pick<AppPlan, 'state' | 'note'> {
  const { version, world } = of;
  if (isReady(version)) return { state: 'ready', note: '' };
  return { state: 'starting', note: readinessNote(version, world.input.details[version.id]) };
}

/** The record of a wanted version after this look. */
function rememberApp(of: AppContext): AppRecord {
  const { version } = of;
  const { record, app, desired } = version;
  const configAt = version.drift.length === 0 ? app?.configAt : record.configAt;
  // Nobody remembers what git asked for before: from here on another number is a commit.
  const isKnown = record.wanted !== undefined && app?.instances !== version.wanted;
  return {
    ...judgement(of),
    ...(configAt !== undefined && { configAt }),
    wanted: isKnown ? record.wanted : version.wanted,
    ...((record.wasStable ?? of.isStable) && { wasStable: true as const }),
    ...(desired && { pace: paceFrom(desired.rollout) }),
  };
}

/** What only counts while a verdict is open, or while instances leave. */
function judgement(of: AppContext): AppRecord {
  const { version, world, rejected, isStable } = of;
  const isOpen = !rejected && !isStable && version.routed;
  const draining = drainingSince(of);
  return {
    ...(isOpen && clockOf(world, version)),
    ...(draining && { drainingSince: draining }),
    ...(rejected && rejectedSince(version.record)),
  };
}

function rejectedSince(record: AppRecord): Pick<AppRecord, 'outSince' | 'crashed'> {
  const crashed = record.crashed ?? (record.failures !== undefined && record.failures.length > 0);
  return {
    ...(record.outSince !== undefined && { outSince: record.outSince }),
    ...(crashed && { crashed: true as const }),
  };
}

function paceFrom({ drainMs, warmMs, keepMs }: Pace): Pace {
  return { drainMs, warmMs, keepMs };
}

/** A rejected candidate keeps one instance without traffic, to be inspected, then is parked. */
function planRejected(of: AppContext, record: AppRecord): Omit<AppPlan, 'warnings'> {
  const { version, world, out } = of;
  const app = version.app;
  const base = { state: 'rejected' as const, actions: [] };
  if (app === undefined || !out) return { ...base, record, note: 'losing its traffic' };
  const outSince = record.outSince ?? world.now;
  const next = { ...record, outSince };
  const parkAt = outSince + paceOf(world, version).keepMs;
  if (!isEmptied(world, version, outSince)) return { ...base, record: next, note: 'draining' };
  if (app.instances === 0) return { ...base, record: next, note: 'parked' };
  if (world.now >= parkAt || record.crashed === true) {
    const why = `${version.id} was rejected: parked until git stops asking for it`;
    const actions = unlocked(version, [scaleTo(version, 0, why)]);
    return { ...base, record: next, note: 'being parked', actions };
  }
  const note = 'one instance is kept for inspection';
  if (app.instances > 1) {
    const idle = killIdle(of, 1);
    return { ...base, record: next, ...idle, actions: unlocked(version, idle.actions) };
  }
  return { ...base, record: next, note, lookAgainAt: parkAt };
}
