import { test } from 'vitest';

import { simulate } from './simulation.ts';

const ONE = process.env['SEED'];
const COUNT = Number(process.env['SEEDS'] ?? 500);

if (ONE === undefined) {
  test(`the laws hold in ${String(COUNT)} worlds`, { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= COUNT; seed += 1) await simulate(seed);
  });
} else {
  test(`the laws hold in world ${ONE}`, async () => {
    const world = await simulate(Number(ONE));
    console.log(world.story.join('\n'));
  });
}
