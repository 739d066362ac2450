import { NO_COUNTERS } from '../../../model/split.ts';
import type { Counted, StatRow } from './stats.ts';

const { inFlight: _now, ...nothing } = NO_COUNTERS;
export const NOTHING_COUNTED: Counted = nothing;

/** As it is kept on disk, so that a restarted agent goes on counting where it stood. */
export interface TallyText {
  readonly last: readonly (readonly [string, Counted])[];
  readonly totals: readonly (readonly [string, Counted])[];
}

/**
 * Adds up what HAProxy counts. Its counters belong to a worker and a backend: they start again at 0
 * with every reload and go on when another version moves into the slot. Ours belong to a version.
 */
export class Tally {
  readonly #last: Map<string, Counted>;
  readonly #totals: Map<string, Counted>;

  constructor(kept?: TallyText) {
    this.#last = new Map(kept?.last);
    this.#totals = new Map(kept?.totals);
  }

  /**
   * Takes one reading of a worker. `ownerOf` names the version that a backend belongs to in that
   * worker; what nobody owns is only noted, so that the next owner does not inherit it.
   */
  collect(
    pid: number,
    rows: readonly StatRow[],
    ownerOf: (backend: string) => string | undefined,
  ): void {
    for (const row of rows) {
      if (row.server !== 'BACKEND') continue;
      const place = `${String(pid)} ${row.backend}`;
      const owner = ownerOf(row.backend);
      if (owner !== undefined) {
        const last = this.#last.get(place) ?? NOTHING_COUNTED;
        this.#totals.set(owner, add(this.countedOf(owner), row.counted, last));
      }
      this.#last.set(place, row.counted);
    }
  }

  /** Notes where a worker's counters stand, without counting what happened before. */
  baseline(pid: number, rows: readonly StatRow[]): void {
    const known = [...this.#last.keys()].some((place) => place.startsWith(`${String(pid)} `));
    if (!known) this.collect(pid, rows, () => undefined);
  }

  countedOf(owner: string): Counted {
    return this.#totals.get(owner) ?? NOTHING_COUNTED;
  }

  /** Forgets workers and versions that are gone. */
  retain(pids: ReadonlySet<number>, owners: ReadonlySet<string>): void {
    for (const place of this.#last.keys()) {
      if (!pids.has(Number(place.split(' ')[0]))) this.#last.delete(place);
    }
    for (const owner of this.#totals.keys()) if (!owners.has(owner)) this.#totals.delete(owner);
  }

  toJSON(): TallyText {
    return { last: [...this.#last], totals: [...this.#totals] };
  }
}

function add(total: Counted, now: Counted, last: Counted): Counted {
  const sum = (name: keyof Counted): number => total[name] + Math.max(0, now[name] - last[name]);
  return {
    requests: sum('requests'),
    status2xx: sum('status2xx'),
    status4xx: sum('status4xx'),
    status5xx: sum('status5xx'),
    connectErrors: sum('connectErrors'),
    retries: sum('retries'),
    aborts: sum('aborts'),
  };
}
