import type { AppRecord } from '../model/record.ts';
import type { AppContext, AppPlan } from './app-plan.ts';
import { isEmptied, paceOf, scaleTo, unlocked } from './app-plan.ts';
import { isReady } from './world.ts';

/** Plans the app of a version that git no longer asks for: out, drained, warm, parked, deleted. */
export function planLeaving(of: AppContext, mayGo: boolean): AppPlan {
  const { version, world, out } = of;
  const { app, record } = version;
  const plan = { actions: [], record, warnings: [], state: 'leaving' as const };
  if (app === undefined) return { ...plan, record: null, note: 'gone' };
  if (!out) return { ...plan, record: withoutClock(of), note: 'still has a seat at a gateway' };
  if (!mayGo) return { ...plan, state: 'kept', note: 'left git; waits for an approval' };
  const heir = heirNote(of);
  if (heir !== undefined) return { ...plan, record: withoutClock(of), note: heir };
  const pace = paceOf(world, version);
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
  const actions = unlocked(version, [scaleTo(version, 0, why)]);
  return { ...plan, record: next, note: 'being parked', actions };
}

function withoutClock(of: AppContext): AppRecord {
  const { record } = of.version;
  return {
    ...(record.configAt !== undefined && { configAt: record.configAt }),
    ...(record.wanted !== undefined && { wanted: record.wanted }),
    ...((record.wasStable ?? of.isStable) && { wasStable: true as const }),
    ...(record.pace && { pace: record.pace }),
    ...(record.parkedAt !== undefined && { parkedAt: record.parkedAt }),
  };
}

function planParked(of: AppContext, record: AppRecord): AppPlan {
  const { version, world } = of;
  const parkedAt = record.parkedAt ?? world.now;
  const goes = parkedAt + paceOf(world, version).keepMs;
  const next = { ...record, parkedAt };
  const plan = { record: next, warnings: [], state: 'parked' as const };
  if (world.now < goes)
    return { ...plan, actions: [], note: 'kept at 0 instances', lookAgainAt: goes };
  const why = `${version.id} was parked long enough`;
  return { ...plan, actions: [{ kind: 'delete-app', id: version.id, why }], note: 'being deleted' };
}

/** Without a gateway nobody shifts traffic: the old version stays until the new one runs. */
function heirNote({ world, version }: AppContext): string | undefined {
  const heir = world.versions.find(
    (one) =>
      one.desired !== undefined &&
      !one.routed &&
      one.deployment === version.deployment &&
      one.cluster === version.cluster &&
      !isReady(one),
  );
  return heir && `until ${heir.id} is ready`;
}
