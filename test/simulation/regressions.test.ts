import { expect, test } from 'vitest';

import { simulate } from './simulation.ts';

/** Seeds that once broke a law, by what was wrong. */
const REGRESSIONS: readonly (readonly [number, string])[] = [
  [3, 'a journal that was lost: how long an old version stays is its successor’s pace'],
  [4, 'a rejected version is quiet once it is parked'],
  [11, 'a lone proxy that comes back empty in the middle of a canary gets stable first'],
  [18, 'a raise waits for the journal'],
  [63, 'a tampered app that is stable stays while its sibling is rejected'],
  [89, 'an app that was tampered with twice'],
  [120, 'of two apps of one digest the untouched one is kept'],
  [232, 'nobody times a version that no gateway routes to'],
  [315, 'stable has no seat at a proxy that lost its disk: the weights still sum to 100'],
  [371, 'the guard counts a leaving version with what it has'],
  [433, 'an app that left git before its first look'],
  [574, 'a seat stays while a proxy that still gives it traffic is out of sight'],
  [599, 'what git asked for before is remembered while a version is away'],
  [652, 'a proxy that comes back with an old split holds what it routes to'],
  [1009, 'an instance that is gone but keeps its seat does not make health unknown'],
  [1351, 'who lost an instance through the platform gets the time to start again'],
];

test.each(REGRESSIONS)('seed %i: %s', async (seed) => {
  const world = await simulate(seed);
  expect(world.isConverged()).toBe(true);
});
