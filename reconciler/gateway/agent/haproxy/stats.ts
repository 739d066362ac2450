import type { Counters } from '../../../model/split.ts';

/** A row of `show stat`, for a server or for a whole backend. */
export interface StatRow {
  readonly backend: string;
  /** `BACKEND` for the row of the whole backend. */
  readonly server: string;
  readonly status: string;
  readonly weight: number;
  /** `L4OK`, `L7STS` and so on; `INI` or empty before the first check. */
  readonly check: string;
  readonly sessions: number;
  readonly queued: number;
  readonly address: string;
  /** Times the check went from passing to failing. */
  readonly falls: number;
  readonly counted: Counted;
}

export type Counted = Omit<Counters, 'inFlight'>;

/** Columns are found by name: their number and order differ between versions of HAProxy. */
export function parseStats(csv: string): readonly StatRow[] {
  const [head = '', ...lines] = csv.trim().split('\n');
  const names = head.replace(/^#\s*/u, '').split(',');
  const at = new Map(names.map((name, index) => [name, index]));
  return lines
    .filter((line) => line.includes(','))
    .map((line) => {
      const cells = line.split(',');
      const text = (name: string): string => cells[at.get(name) ?? -1] ?? '';
      const count = (name: string): number => Number(text(name)) || 0;
      return rowOf(text, count);
    });
}

/** The check passed last time it ran. An asterisk says that it runs again right now. */
export function checkPasses(row: StatRow): boolean {
  return /^(?:\* )?L[4-7]OK/u.test(row.check);
}

export function isDraining(row: StatRow): boolean {
  return row.status.startsWith('DRAIN');
}

/** Its check fails, so it gets nothing; a server that drains as well shows this, not `DRAIN`. */
export function isDown(row: StatRow): boolean {
  return row.status.startsWith('DOWN');
}

/** Takes requests now; also while the first failure of its check is counted (`UP 1/2`). */
export function isInRotation(row: StatRow): boolean {
  return row.status.startsWith('UP') && row.weight > 0;
}

export function isInMaintenance(row: StatRow): boolean {
  return row.status.startsWith('MAINT');
}

function rowOf(text: (name: string) => string, count: (name: string) => number): StatRow {
  return {
    backend: text('pxname'),
    server: text('svname'),
    status: text('status'),
    weight: count('weight'),
    check: text('check_status'),
    sessions: count('scur'),
    queued: count('qcur'),
    address: text('addr'),
    falls: count('chkdown'),
    counted: {
      // A tcp backend has sessions only.
      requests: text('mode') === 'tcp' ? count('stot') : count('req_tot'),
      status2xx: count('hrsp_2xx'),
      status4xx: count('hrsp_4xx'),
      status5xx: count('hrsp_5xx'),
      connectErrors: count('econ'),
      // With `option redispatch 1` a retry counts as a redispatch.
      retries: count('wretr') + count('wredis'),
      aborts: count('cli_abrt') + count('srv_abrt'),
    },
  };
}
