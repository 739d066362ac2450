import type { GatewayMemory } from './split.ts';

/**
 * The few facts that cannot be observed (design section 9). Losing it costs time, never safety:
 * what is unsafe to lose travels inside the splits as well.
 */
export interface UnitRecord {
  readonly gateways: Readonly<Record<string, GatewayRecord>>;
  readonly apps: Readonly<Record<string, AppRecord>>;
}

export interface GatewayRecord {
  readonly memory: GatewayMemory;
  /** Generation of the split that carries this memory: a later split knows better. */
  readonly generation?: number;
  /** The vector that every proxy shows, as text, and since when (epoch milliseconds). */
  readonly step?: { readonly vector: string; readonly since: number };
  /** A person's `retry`: take the heaviest version as stable where nothing else is known. */
  readonly assumeStable?: true;
  /** For a gateway that left git: requests counted so far and when that last grew. */
  readonly quiet?: { readonly requests: number; readonly since: number };
}

export interface AppRecord {
  /** lastConfigChangeAt as we made it; another one means that somebody changed the app. */
  readonly configAt?: string;
  /** Instances that git asked for when the app last had exactly that many. */
  readonly wanted?: number;
  /** The version's own clock while it is not ready: time that counts against `deadline`. */
  readonly progress?: {
    readonly spentMs: number;
    readonly lookedAt: number;
    /** The last task that was lost by nobody's fault: the clock began anew then. */
    readonly excused?: string;
  };
  /** Tasks of ours that failed by their own fault, the newest 20. */
  readonly failures?: readonly string[];
  /** Since when no proxy gives it requests, epoch milliseconds; only while it is leaving. */
  readonly outSince?: number;
  /** True if its tasks kept failing when it was rejected: nothing is left to be inspected. */
  readonly crashed?: true;
  /** True once it was part of a stable vector: then it stays warm before it is parked. */
  readonly wasStable?: true;
  /** Since when it has been at 0 instances. */
  readonly parkedAt?: number;
  /** When its draining instances were marked, by task id. */
  readonly drainingSince?: Readonly<Record<string, number>>;
  /** How it is to leave, from its rollout while git still had it. */
  readonly pace?: Pace;
}

export interface Pace {
  readonly drainMs: number;
  readonly warmMs: number;
  readonly keepMs: number;
}

/** Whole new values by key; `null` forgets the key. */
export interface RecordPatch {
  readonly gateways?: Readonly<Record<string, GatewayRecord | null>>;
  readonly apps?: Readonly<Record<string, AppRecord | null>>;
}

export const EMPTY_RECORD: UnitRecord = { gateways: {}, apps: {} };

/** The record after a patch; neither argument is touched. */
export function patched(record: UnitRecord, patch: RecordPatch): UnitRecord {
  return {
    gateways: merged(record.gateways, patch.gateways),
    apps: merged(record.apps, patch.apps),
  };
}

function merged<T>(
  old: Readonly<Record<string, T>>,
  changes: Readonly<Record<string, T | null>> | undefined,
): Readonly<Record<string, T>> {
  const result = new Map(Object.entries(old));
  for (const [key, value] of Object.entries(changes ?? {})) {
    if (value === null) result.delete(key);
    else result.set(key, value);
  }
  return Object.fromEntries(result);
}
