import type { Diagnostic } from './position.ts';
import type { Parts } from './weights.ts';

/**
 * State of a unit of planning.
 * - `converged`: nothing is to be done; old versions may still be warm or parked.
 * - `progressing`: actions are under way or awaited.
 * - `baking`: a step is being held for its bake.
 * - `held`: deliberately changes nothing, the reason says why and what ends it.
 * - `rejected`: a version was refused for its own faults; traffic is back at stable.
 */
export type Phase = 'converged' | 'progressing' | 'baking' | 'held' | 'rejected';

/** What people see of one unit: the deployments and gateways that are planned together. */
export interface UnitStatus {
  /** Names of its deployments, or the gateway's title where it has none. */
  readonly unit: string;
  readonly phase: Phase;
  /** Machine-readable, kebab-case: `not-ready`, `bake`, `capacity`, `rejected` ... */
  readonly reason: string;
  /** One sentence for people. */
  readonly message: string;
  /** Full commit id that is wanted. */
  readonly revision: string;
  readonly lookAgainAt?: number;
  readonly gateways: readonly GatewayStatus[];
  readonly versions: readonly VersionStatus[];
  /** Alarms and drift reports, one sentence each. */
  readonly warnings: readonly string[];
}

export interface GatewayStatus {
  readonly name: string;
  readonly title: string;
  readonly port: number;
  readonly nodes: readonly {
    readonly node: string;
    readonly state: 'settled' | 'behind' | 'unseen';
    readonly message?: string;
  }[];
  /** Position on the path of the version that is rising, if one is. */
  readonly step?: {
    readonly version: string;
    /** Counts from 1; 0: before the first step. */
    readonly index: number;
    readonly of: number;
    /** Epoch milliseconds at which the bake of this step is over. */
    readonly bakesUntil?: number;
  };
  readonly routes: readonly RouteStatus[];
}

export interface RouteStatus {
  /** App id or `host:port`. */
  readonly id: string;
  /** As the response header shows it. */
  readonly name: string;
  /** What git asks for. */
  readonly target: Parts;
  /** What the split in force says. */
  readonly asked: Parts;
  /** What the proxies show (the lowest of them). */
  readonly seen: Parts;
  /** Requests counted at all proxies since they know the version. */
  readonly requests: number;
  readonly errors: number;
}

export interface VersionStatus {
  readonly id: string;
  readonly deployment: string;
  readonly cluster: string;
  readonly service: string;
  readonly digest: string;
  readonly wanted: number;
  readonly instances: number;
  /** Instances usable at every proxy; without a gateway: healthy in Marathon. */
  readonly ready: number;
  readonly state:
    | 'absent'
    | 'starting'
    | 'ready'
    | 'leaving'
    | 'warm'
    | 'parked'
    | 'rejected'
    | 'kept';
  /** Why it is not ready, or when it goes; empty if there is nothing to say. */
  readonly note: string;
}

/** The whole answer of `/status` and `sluice status --output json`. */
export interface Status {
  readonly at: number;
  readonly owner: string;
  readonly source: {
    readonly state: string;
    readonly message: string;
    readonly revision?: string;
    /** Files that do not compile and therefore keep their last good state. */
    readonly faulty: readonly string[];
    readonly diagnostics: readonly Diagnostic[];
  };
  readonly platform: { readonly state: 'up' | 'down'; readonly message: string };
  readonly units: readonly UnitStatus[];
  /** Doubt of law 11 that waits for `sluice approve ID`. */
  readonly holds: readonly Hold[];
}

/** Something that waits for a person, bound to exactly what it lists. */
export interface Hold {
  readonly id: string;
  readonly reason: string;
  readonly message: string;
  readonly list: readonly string[];
}
