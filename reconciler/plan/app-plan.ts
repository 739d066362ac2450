import type { Action } from '../model/action.ts';
import type { AppRecord, Pace } from '../model/record.ts';
import type { VersionStatus } from '../model/status.ts';
import type { Version, World } from './world.ts';
import { viewsOf } from './world.ts';

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

/** Pace of a version whose rollout nobody remembers: the defaults of design section 7. */
const DEFAULT_PACE: Pace = { drainMs: 30_000, warmMs: 120_000, keepMs: 3_600_000 };

/** How a version leaves: by its own rollout, as remembered, or else by that of its successor. */
export function paceOf(world: World, version: Version): Pace {
  const heir = world.versions.find(
    (one) =>
      one.desired !== undefined &&
      one.deployment === version.deployment &&
      one.cluster === version.cluster,
  );
  return version.desired?.rollout ?? version.record.pace ?? heir?.desired?.rollout ?? DEFAULT_PACE;
}

export function scaleTo(version: Version, instances: number, why: string): Action {
  return {
    kind: 'scale-app',
    id: version.id,
    instances,
    configAt: version.app?.configAt ?? '',
    why,
  };
}

/** No session left at any proxy, or past the drain deadline. */
export function isEmptied(world: World, version: Version, outSince: number): boolean {
  const sessions = world.gateways
    .flatMap((gateway) => viewsOf(gateway, version.id))
    .reduce((sum, view) => sum + view.sessions, 0);
  return sessions === 0 || world.now >= outSince + paceOf(world, version).drainMs;
}

/**
 * Marathon never ends the platform change of a version that cannot get healthy, and refuses writes
 * meanwhile (409). Only for versions that have no traffic (law 13).
 */
export function unlocked(version: Version, actions: readonly Action[]): readonly Action[] {
  const change = version.app?.platformChanges[0];
  if (actions.length === 0 || change === undefined) return actions;
  const why = `${version.id} has no traffic, and this platform change keeps it from being stopped`;
  return [{ kind: 'end-platform-change', appId: version.id, change, why }];
}
