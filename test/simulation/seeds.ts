import { expect, test } from 'vitest';

import { simulate } from './simulation.ts';

const ONE = process.env['SEED'];
const COUNT = Number(process.env['SEEDS'] ?? 500);

/** Every second seed, so that two workers share them; `SEED=n` replays one and tells its story. */
export function runSeeds(half: 0 | 1): void {
  const all =
    ONE === undefined ? Array.from({ length: COUNT }, (_, index) => index + 1) : [Number(ONE)];
  const seeds = all.filter((seed) => seed % 2 === half);
  test(`the laws hold in ${String(seeds.length)} worlds`, { timeout: 1_200_000 }, async () => {
    for (const seed of seeds) {
      const world = await simulate(seed);
      expect(world.trouble).toBeDefined();
      if (ONE !== undefined) console.log(world.story.join('\n'));
    }
  });
}
