/**
 * Prime, larger than any sum of weights (10,000 parts) and so coprime with every one of them, also
 * with the sums that remain while versions are out: any `sum` consecutive requests hold exactly
 * `weight` of each version, spread evenly. HAProxy's configuration has the same number.
 */
export const STRIDE = 17_681;

/** HAProxy's gpc0 is an unsigned 32-bit counter; the embedded proxy wraps where that one does. */
export const COUNTER_MODULUS = 2 ** 32;

export interface Seat {
  readonly weight: number;
  /** Has at least one server that may take a request now. */
  readonly usable: boolean;
}

/**
 * Divides by the greatest common divisor: 9900:100 becomes 99:1, the shortest cycle in which the
 * shares are exact. `scale` gives the parts back.
 */
export function reduceWeights(weights: readonly number[]): {
  readonly weights: readonly number[];
  readonly scale: number;
} {
  let scale = 0;
  for (const weight of weights) scale = gcd(scale, weight);
  if (scale === 0) return { weights: weights.map(() => 0), scale: 1 };
  return { weights: weights.map((weight) => weight / scale), scale };
}

/**
 * Which seat takes request number `count`. Seats that are not usable yield to the others in
 * proportion. Undefined if no seat with weight is usable: then the fallback decides.
 */
export function chooseSeat(seats: readonly Seat[], count: number): number | undefined {
  let sum = 0;
  for (const seat of seats) if (seat.usable) sum += seat.weight;
  if (sum === 0) return undefined;
  let point = ((count % COUNTER_MODULUS) * STRIDE) % sum;
  for (const [index, seat] of seats.entries()) {
    if (!seat.usable) continue;
    if (point < seat.weight) return index;
    point -= seat.weight;
  }
  return undefined;
}

/**
 * Who serves when nobody with weight can, best first. A gateway whose weights are all 0 is closed on
 * purpose (law 3): nobody then.
 */
export function fallbackSeats(seats: readonly { weight: number }[], ranking: readonly number[]) {
  return seats.some((seat) => seat.weight > 0) ? ranking : [];
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
