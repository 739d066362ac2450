import type { Action } from '../model/action.ts';
import type { ActualApp, AppDetail } from '../model/actual.ts';
import type { Desired } from '../model/desired.ts';
import type { UnitRecord } from '../model/record.ts';
import type { NodeView } from '../model/split.ts';
import type { UnitStatus } from '../model/status.ts';

/** All that one plan may look at. Values only: the same input and time give the same plan. */
export interface PlanInput {
  readonly owner: string;
  /** Head of the source. */
  readonly revision: string;
  /** The deployments and gateways of this unit. */
  readonly desired: Desired;
  /** Undefined when Marathon could not be read in this round: nothing is concluded from it. */
  readonly apps: readonly ActualApp[] | undefined;
  /** Of the apps in motion, by app id. */
  readonly details: Readonly<Record<string, AppDetail>>;
  /** Every node, with the gateways of this unit only. */
  readonly nodes: readonly NodeView[];
  readonly record: UnitRecord;
  /** Apps and gateways that left git and may go now (law 11); see prune.ts. */
  readonly mayPrune: readonly string[];
  /** Apps that somebody changed and that stay as they are until a person agrees (law 11). */
  readonly keptDrift?: readonly string[];
  /** Apps that another reconciler may be using: they stay until a person agrees (law 11). */
  readonly strangers?: readonly string[];
  /** Freezes the unit whole; its status says why. */
  readonly hold?: { readonly reason: string; readonly message: string };
  /** A gateway that left git waits until it had no request for this long. */
  readonly pruneQuietMs: number;
  /** Nodes that a person declared gone. */
  readonly forgotten: readonly string[];
}

export interface Plan {
  readonly actions: readonly Action[];
  readonly status: UnitStatus;
  /** Epoch milliseconds at which time alone may change the plan. */
  readonly lookAgainAt?: number;
}
