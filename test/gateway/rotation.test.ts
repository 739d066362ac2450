import { describe, expect, it } from 'vitest';

import {
  chooseSeat,
  fallbackSeats,
  reduceWeights,
  STRIDE,
} from '../../reconciler/gateway/agent/rotation.ts';

function shares(weights: readonly number[], requests: number, out: readonly number[] = []) {
  const seats = reduceWeights(weights).weights.map((weight, at) => ({
    weight,
    usable: !out.includes(at),
  }));
  const counts = weights.map(() => 0);
  for (let count = 1; count <= requests; count += 1) {
    const seat = chooseSeat(seats, count);
    if (seat !== undefined) counts[seat] = (counts[seat] ?? 0) + 1;
  }
  return counts;
}

describe('who takes the next request', () => {
  it.each([
    [[8_000, 2_000], 10_000, [8_000, 2_000]],
    [[9_900, 100], 1_000, [990, 10]],
    [[3_333, 6_667], 10_000, [3_333, 6_667]],
    [[1, 9_999], 10_000, [1, 9_999]],
    [[5_000, 3_000, 2_000], 100, [50, 30, 20]],
    [[10_000, 0], 50, [50, 0]],
  ])('shares %j exactly over %i requests', (weights, requests, expected) => {
    expect(shares(weights, requests)).toEqual(expected);
  });

  it('spreads a small share evenly', () => {
    const seats = [
      { weight: 99, usable: true },
      { weight: 1, usable: true },
    ];
    const hits = Array.from({ length: 1_000 }, (_each, at) => at + 1).filter(
      (count) => chooseSeat(seats, count) === 1,
    );
    expect(hits).toHaveLength(10);
    for (const [at, hit] of hits.slice(1).entries()) expect(hit - (hits[at] ?? 0)).toBe(100);
  });

  it.each([
    [[6_000, 3_000, 1_000], [0], [0, 750, 250]],
    [
      [6_000, 3_000, 1_000],
      [0, 1],
      [0, 0, 1_000],
    ],
    [[5_000, 5_000], [1], [1_000, 0]],
  ])('of %j the seats %j yield in proportion', (weights, out, expected) => {
    expect(shares(weights, 1_000, out)).toEqual(expected);
  });

  it('chooses nobody when nobody with weight is usable', () => {
    expect(
      chooseSeat(
        [
          { weight: 0, usable: true },
          { weight: 5, usable: false },
        ],
        1,
      ),
    ).toBeUndefined();
  });

  it('goes on when the counter wraps', () => {
    expect(chooseSeat([{ weight: 1, usable: true }], 2 ** 32 + 5)).toBe(0);
  });

  it('is coprime with every sum that can be', () => {
    const divisors = Array.from({ length: 10_000 }, (_each, at) => at + 1).filter(
      (sum) => sum > 1 && STRIDE % sum === 0,
    );
    expect(divisors).toEqual([]);
  });
});

describe('the fallback', () => {
  it('is as ranked while the gateway is open', () => {
    expect(fallbackSeats([{ weight: 1 }, { weight: 0 }], [1, 0])).toEqual([1, 0]);
  });
  it('is nobody when all weights are 0', () => {
    expect(fallbackSeats([{ weight: 0 }, { weight: 0 }], [1, 0])).toEqual([]);
  });
});

it('reduces weights by their common divisor and remembers it', () => {
  expect(reduceWeights([9_900, 100, 0])).toEqual({ weights: [99, 1, 0], scale: 100 });
  expect(reduceWeights([0, 0])).toEqual({ weights: [0, 0], scale: 1 });
});
