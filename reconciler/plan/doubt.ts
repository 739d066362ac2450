import type { UnitRecord } from '../model/record.ts';
import type { Hold } from '../model/status.ts';
import type { PlanInput } from './input.ts';
import type { DriftDecision, PruneDecision, PruneInput } from './prune.ts';
import { decideDrift, decidePrune } from './prune.ts';
import type { StrangerDecision } from './strangers.ts';
import { decideStrangers } from './strangers.ts';

export interface DoubtInput extends PruneInput {
  readonly record: UnitRecord;
  /** Apps that ran before anything was remembered; see strangers.ts. */
  readonly strangers: readonly string[];
}

/** What has to wait for a person before anything is taken away (law 11). */
export interface Doubt {
  readonly prune: PruneDecision;
  readonly drift: DriftDecision;
  readonly strangers: StrangerDecision;
}

export function decideDoubt(input: DoubtInput): Doubt {
  const { apps, approved } = input;
  return {
    prune: decidePrune(input),
    drift: decideDrift(input),
    strangers: decideStrangers({ found: input.strangers, apps, approved }),
  };
}

export function holdsOf(doubt: Doubt | undefined): readonly Hold[] {
  const holds = [doubt?.prune.hold, doubt?.drift.hold, doubt?.strangers.hold];
  return holds.filter((hold) => hold !== undefined);
}

/** What a plan may take away; nothing while Marathon is out of sight. */
export function permitted(
  doubt: Doubt | undefined,
): Pick<PlanInput, 'mayPrune' | 'keptDrift' | 'strangers'> {
  if (doubt === undefined) return { mayPrune: [] };
  const { prune, drift, strangers } = doubt;
  return {
    mayPrune: prune.mayPrune,
    keptDrift: drift.keptDrift,
    strangers: strangers.strangers,
  };
}

/**
 * True if nothing of an approved list, one app id or gateway a line, waits any longer. Approvals of
 * a source (commits, fingerprints) are no list of these and never over.
 */
export function isOver(list: string, doubt: Doubt): boolean {
  const rows = list.split('\n');
  const isOfApps = rows.every((row) => row.startsWith('/') || /^\d{1,5}$/u.test(row));
  const open = new Set([...doubt.prune.left, ...doubt.drift.drifted, ...doubt.strangers.found]);
  return isOfApps && rows.every((row) => !open.has(row));
}
