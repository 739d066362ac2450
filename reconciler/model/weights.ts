/**
 * A share of a gateway's traffic in hundredths of a per cent: `WHOLE` is all of it. Whole per cents
 * of an outer gateway times whole per cents of an inner one are exact in this unit.
 */
export type Parts = number;

export const WHOLE: Parts = 10_000;

/** Weights by version id. A version that is missing has none. */
export type Vector = Readonly<Record<string, Parts>>;

/** Turns whole per cents, as blueprints write them, into parts. */
export function fromPercent(percent: number): Parts {
  return Math.round(percent * 100);
}

/** The text that people read: `20 %`, `0.5 %`. */
export function toPercent(parts: Parts): string {
  return `${String(parts / 100)} %`;
}

export function weightOf(vector: Vector, id: string): Parts {
  return vector[id] ?? 0;
}

export function total(vector: Vector): Parts {
  let sum = 0;
  for (const parts of Object.values(vector)) sum += parts;
  return sum;
}

/** One text for one vector, zeroes left out: equal vectors have equal texts. */
export function vectorKey(vector: Vector): string {
  return Object.entries(vector)
    .filter(([, parts]) => parts > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, parts]) => `${id}=${String(parts)}`)
    .join(' ');
}

export function sameVector(a: Vector, b: Vector): boolean {
  return vectorKey(a) === vectorKey(b);
}

/**
 * Shares `amount` in proportion to `by`, in whole parts, by largest remainder (ties go to the
 * earlier key), so that the result sums to `amount` exactly. Nothing to share by: an empty vector.
 */
export function apportion(amount: Parts, by: Vector): Vector {
  const whole = total(by);
  if (whole === 0) return {};
  const rows = Object.entries(by)
    .filter(([, share]) => share > 0)
    .map(([id, share], index) => {
      const exact = (amount * share) / whole;
      return { id, index, parts: Math.floor(exact), rest: exact - Math.floor(exact) };
    });
  let left = amount;
  for (const row of rows) left -= row.parts;
  const byRest = [...rows].sort((a, b) => b.rest - a.rest || a.index - b.index);
  for (const row of byRest.slice(0, left)) row.parts += 1;
  return Object.fromEntries(rows.map((row) => [row.id, row.parts]));
}
