import type { Parts, Vector } from '../model/weights.ts';
import { weightOf } from '../model/weights.ts';

/** What the guard knows of a version; external routes are not guarded (design section 8). */
export interface Capacity {
  /** Instances that git wants, or has while it leaves. */
  readonly wanted: number;
  /** Usable at every proxy. */
  readonly ready: number;
  readonly guarded: boolean;
}

/** A raise may load an instance by this much more than stable or the target ever would (law 4). */
const HEADROOM = 1.25;

/**
 * The largest share that a version may be raised to: its ready instances times 1.25 x the largest
 * share per wanted instance in the stable or the target vector. The guard limits raises, not states.
 */
export function largestShare(
  id: string,
  capacities: ReadonlyMap<string, Capacity>,
  vectors: readonly Vector[],
): Parts {
  const own = capacities.get(id);
  if (own === undefined || !own.guarded) return Number.POSITIVE_INFINITY;
  let load = 0;
  for (const vector of vectors) {
    for (const [other, capacity] of capacities) {
      if (!capacity.guarded || capacity.wanted === 0) continue;
      load = Math.max(load, weightOf(vector, other) / capacity.wanted);
    }
  }
  return Math.floor(own.ready * load * HEADROOM + 1e-9);
}
