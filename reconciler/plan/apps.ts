import type { Action } from '../model/action.ts';
import { serviceKey } from '../model/desired.ts';
import { ownLabels } from '../model/labels.ts';
import type { JsonObject } from '../model/marathon-app.ts';
import type { AppRecord, Pace } from '../model/record.ts';
import { isUsable } from '../model/split.ts';
import type { VersionStatus } from '../model/status.ts';
import { weightOf } from '../model/weights.ts';
import { readinessNote } from './readiness.ts';
import { clockOf } from './reject.ts';
import type { Version, World } from './world.ts';
import { isReady, viewsOf } from './world.ts';

/** What one version's app should do now, and what is remembered of it. */
export interface AppPlan {
  readonly actions: readonly Action[];
  /** Null: forget it. */
  readonly record: AppRecord | null;
  readonly state: VersionStatus['state'];
  readonly note: string;
  readonly lookAgainAt?: number;
  readonly warnings: readonly string[];
}

/** Pace of a version whose rollout nobody remembers: the defaults of design section 7. */
const DEFAULT_PACE: Pace = { drainMs: 30_000, warmMs: 120_000, keepMs: 3_600_000 };

export interface AppContext {
  readonly world: World;
  readonly version: Version;
  readonly rejected: boolean;
  /** All its gateways are at their targets, baked. */
  readonly calm: boolean;
  /** No gateway gives it weight, wants it, or calls it stable; every proxy is seen to agree. */
  readonly out: boolean;
  readonly isStable: boolean;
}

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
  const none = { record: null, state: rejected ? ('rejected' as const) : ('absent' as const) };
  if (desired === undefined || rejected || version.wanted === 0) {
    return { ...none, actions: [], note: '', warnings: [] };
  }
  const labels = {
    ...(desired.definition['labels'] as JsonObject | undefined),
    ...ownLabels(desired, world.input.owner, world.input.revision),
  };
  const definition = { ...desired.definition, id: version.id, instances: version.wanted, labels };
  const why = `${serviceKey(version)} has no app yet`;
  return {
    ...none,
    actions: [{ kind: 'create-app', id: version.id, definition, why }],
    note: 'being created',
    warnings: version.drift.map((aspect) => driftText(version, aspect)),
  };
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
  const { version, world } = of;
  const { record, app, desired } = version;
  const configAt = record.configAt ?? (version.drift.length === 0 ? app?.configAt : undefined);
  const wanted = app?.instances === version.wanted ? version.wanted : record.wanted;
  const draining = drainingSince(of);
  const rollout = desired?.rollout;
  return {
    ...clockOf(world, version),
    ...(configAt !== undefined && { configAt }),
    ...(wanted !== undefined && { wanted }),
    ...((record.wasStable ?? of.isStable) && { wasStable: true as const }),
    ...(draining && { drainingSince: draining }),
    ...(of.rejected && record.outSince !== undefined && { outSince: record.outSince }),
    ...(of.rejected && record.parkedAt !== undefined && { parkedAt: record.parkedAt }),
    ...(rollout && {
      pace: { drainMs: rollout.drainMs, warmMs: rollout.warmMs, keepMs: rollout.keepMs },
    }),
  };
}

function drainingSince(of: AppContext): Readonly<Record<string, number>> | undefined {
  const { world, version } = of;
  const marked = new Set(
    world.gateways.flatMap(
      (gateway) => gateway.inForce?.versions.find((one) => one.id === version.id)?.draining ?? [],
    ),
  );
  if (marked.size === 0) return undefined;
  const known = version.record.drainingSince ?? {};
  return Object.fromEntries([...marked].map((id) => [id, known[id] ?? world.now]));
}

function scaleTo(version: Version, instances: number, why: string): Action {
  return {
    kind: 'scale-app',
    id: version.id,
    instances,
    configAt: version.app?.configAt ?? '',
    why,
  };
}

/** Only a commit shrinks, and never before the last bake (laws 5, 9; design section 6). */
function shrinks(of: AppContext): boolean {
  const { version, calm } = of;
  return calm && version.record.wanted !== undefined && version.record.wanted !== version.wanted;
}

/** Instances of `version` that should leave now: marked at the proxies first, killed by id later. */
export function victimsOf(of: AppContext): readonly string[] {
  const { version, world } = of;
  if (version.app === undefined || !shrinks(of) || of.rejected) return [];
  const surplus = version.app.instances - version.wanted;
  if (surplus <= 0) return [];
  const servers = new Map<string, boolean>();
  const marked = new Set<string>();
  for (const gateway of world.gateways) {
    for (const view of viewsOf(gateway, version.id)) {
      for (const server of view.servers) {
        servers.set(server.id, (servers.get(server.id) ?? true) && isUsable(server));
        if (server.state === 'draining') marked.add(server.id);
      }
    }
  }
  const rank = (id: string): number => (marked.has(id) ? 0 : servers.get(id) === true ? 2 : 1);
  return [...servers.keys()]
    .sort((a, b) => rank(a) - rank(b) || (a < b ? 1 : -1))
    .slice(0, surplus)
    .sort();
}

function shrink(of: AppContext, goal: number): Pick<AppPlan, 'actions' | 'lookAgainAt' | 'note'> {
  const { version, world } = of;
  const surplus = (version.app?.instances ?? 0) - goal;
  const seated = world.gateways.filter((gateway) =>
    gateway.inForce?.versions.some((one) => one.id === version.id),
  );
  if (seated.length === 0) return killIdle(of, surplus);
  const since = drainingSince(of) ?? {};
  const gone = Object.keys(since).filter((id) => isDrained(of, id, since[id] ?? world.now));
  const waits = Object.keys(since).length - gone.length;
  const note = `${String(surplus)} instances leave, ${String(waits)} still drain`;
  if (gone.length === 0 || world.unseen.length > 0) {
    const ends = Math.min(...Object.values(since)) + drainOf(of);
    return { actions: [], note, ...(waits > 0 && { lookAgainAt: ends }) };
  }
  const why = `${version.id} shrinks to ${String(goal)}: these are drained`;
  const taskIds = gone.slice(0, surplus).sort();
  return { actions: [{ kind: 'kill-tasks', appId: version.id, taskIds, why }], note };
}

/** Out at every proxy: draining there with no session left, or past the drain deadline. */
function isDrained(of: AppContext, taskId: string, since: number): boolean {
  const { world, version } = of;
  const servers = world.gateways
    .flatMap((gateway) => viewsOf(gateway, version.id))
    .flatMap((view) => view.servers.filter((server) => server.id === taskId));
  if (servers.some((server) => server.state !== 'draining' && server.state !== 'down'))
    return false;
  return servers.every((server) => server.sessions === 0) || world.now >= since + drainOf(of);
}

function drainOf(of: AppContext): number {
  return (of.version.desired?.rollout ?? paceOf(of.version)).drainMs;
}

export function paceOf(version: Version): Pace {
  return version.record.pace ?? DEFAULT_PACE;
}

/** Kills instances that no proxy knows, youngest first. */
function killIdle(of: AppContext, surplus: number): Pick<AppPlan, 'actions' | 'note'> {
  const { version, world } = of;
  const tasks = [...(world.input.details[version.id]?.tasks ?? [])]
    .filter((task) => task.state === 'TASK_RUNNING' || task.state === 'TASK_STAGING')
    .sort((a, b) => ((a.startedAt ?? '~') < (b.startedAt ?? '~') ? 1 : -1));
  const taskIds = tasks.slice(0, surplus).map((task) => task.id);
  if (taskIds.length === 0) return { actions: [], note: 'waiting to see its tasks' };
  const why = `${version.id} shrinks by ${String(surplus)}: no proxy routes to it`;
  return { actions: [{ kind: 'kill-tasks', appId: version.id, taskIds, why }], note: why };
}

/** A rejected candidate keeps one instance without traffic, to be inspected, then is parked. */
function planRejected(of: AppContext, record: AppRecord): Omit<AppPlan, 'warnings'> {
  const { version, world, out } = of;
  const app = version.app;
  const base = { state: 'rejected' as const, actions: [] };
  if (app === undefined || !out) return { ...base, record, note: 'losing its traffic' };
  const outSince = record.outSince ?? world.now;
  const next = { ...record, outSince };
  const parkAt = outSince + paceOf(version).keepMs;
  if (!isEmptied(world, version, outSince)) return { ...base, record: next, note: 'draining' };
  if (app.instances === 0) return { ...base, record: next, note: 'parked' };
  const isCrashing = version.ready === 0 && (record.failures?.length ?? 0) > 0;
  if (world.now >= parkAt || isCrashing) {
    const why = `${version.id} was rejected: parked until git stops asking for it`;
    return { ...base, record: next, note: 'being parked', actions: [scaleTo(version, 0, why)] };
  }
  const note = 'one instance is kept for inspection';
  if (app.instances > 1) {
    return { ...base, record: next, ...killIdle(of, app.instances - 1) };
  }
  return { ...base, record: next, note, lookAgainAt: parkAt };
}

/** No session left at any proxy, or past the drain deadline. */
export function isEmptied(world: World, version: Version, outSince: number): boolean {
  const sessions = world.gateways
    .flatMap((gateway) => viewsOf(gateway, version.id))
    .reduce((sum, view) => sum + view.sessions, 0);
  return sessions === 0 || world.now >= outSince + paceOf(version).drainMs;
}

/** Plans the app of a version that git no longer asks for: out, drained, warm, parked, deleted. */
export function planLeaving(of: AppContext, mayGo: boolean): AppPlan {
  const { version, world, out } = of;
  const { app, record } = version;
  const plan = { actions: [], record, warnings: [], state: 'leaving' as const };
  if (app === undefined) return { ...plan, record: null, note: 'gone' };
  if (!out) return { ...plan, record: withoutClock(of), note: 'still has a seat at a gateway' };
  if (!mayGo) return { ...plan, state: 'kept', note: 'left git; waits for an approval' };
  const pace = paceOf(version);
  const outSince = record.outSince ?? world.now;
  const next: AppRecord = { ...withoutClock(of), outSince };
  if (app.instances === 0 && app.tasksRunning + app.tasksStaged === 0) {
    return planParked(of, next);
  }
  const warmUntil = outSince + (record.wasStable ? pace.warmMs : 0);
  if (world.now < warmUntil) {
    return {
      ...plan,
      record: next,
      state: 'warm',
      note: 'instant way back',
      lookAgainAt: warmUntil,
    };
  }
  if (!isEmptied(world, version, outSince)) {
    const lookAgainAt = outSince + pace.drainMs;
    return { ...plan, record: next, note: 'open sessions', lookAgainAt };
  }
  if (app.instances === 0) return { ...plan, record: next, note: 'stopping' };
  const why = `${version.id} left git and has no traffic: parked`;
  return { ...plan, record: next, note: 'being parked', actions: [scaleTo(version, 0, why)] };
}

function withoutClock(of: AppContext): AppRecord {
  const { record } = of.version;
  return {
    ...(record.configAt !== undefined && { configAt: record.configAt }),
    ...((record.wasStable ?? of.isStable) && { wasStable: true as const }),
    ...(record.pace && { pace: record.pace }),
    ...(record.parkedAt !== undefined && { parkedAt: record.parkedAt }),
  };
}

function planParked(of: AppContext, record: AppRecord): AppPlan {
  const { version, world } = of;
  const parkedAt = record.parkedAt ?? world.now;
  const goes = parkedAt + paceOf(version).keepMs;
  const next = { ...record, parkedAt };
  const plan = { record: next, warnings: [], state: 'parked' as const };
  if (world.now < goes)
    return { ...plan, actions: [], note: 'kept at 0 instances', lookAgainAt: goes };
  const why = `${version.id} was parked long enough`;
  return { ...plan, actions: [{ kind: 'delete-app', id: version.id, why }], note: 'being deleted' };
}

/** True if `id` has weight in a stable vector of any gateway. */
export function isStableAnywhere(world: World, id: string): boolean {
  return world.gateways.some((gateway) => weightOf(gateway.memory.stable?.vector ?? {}, id) > 0);
}
