import { describe, expect, test } from 'vitest';

import type { RouteMember } from '../../reconciler/model/desired.ts';
import { largestShare } from '../../reconciler/plan/load.ts';
import { targetOf } from '../../reconciler/plan/target.ts';
import { gateway, member } from './building.ts';

const idOf = (one: RouteMember): string => (one.kind === 'version' ? one.service : one.address);

describe('weights that the author left out', () => {
  test.each([
    ['one route has all', [undefined], {}, [10_000]],
    ['two share', [undefined, undefined], {}, [5000, 5000]],
    ['three: the rest is on the last', [undefined, undefined, undefined], {}, [3300, 3300, 3400]],
    ['given and left out', [80, undefined], {}, [8000, 2000]],
    ['all given', [90, 10], {}, [9000, 1000]],
    ['closed', [0, 0], {}, [0, 0]],
    [
      'beside a route that holds all, a new one has 0',
      [undefined, undefined],
      { a: 10_000 },
      [10_000, 0],
    ],
    [
      'beside two that hold all',
      [undefined, undefined, undefined],
      { a: 7000, b: 3000 },
      [7000, 3000, 0],
    ],
    ['nobody is new: shared anew', [undefined, undefined], { a: 7000, b: 3000 }, [5000, 5000]],
  ] as const)('%s', (_name, weights, stable, expected) => {
    const names = ['a', 'b', 'c'];
    const members = weights.map((weight, index) => member(names[index] ?? '', weight));
    const target = targetOf(gateway(members), stable, idOf);
    expect(names.slice(0, weights.length).map((name) => target[name])).toEqual(expected);
  });

  test('outer and inner weights multiply', () => {
    const routes = [
      { weight: 30, members: [member('a', 50), member('b', 50)] },
      { weight: 70, members: [member('c', undefined)] },
    ];
    const target = targetOf({ ...gateway([]), routes }, {}, idOf);
    expect(target).toEqual({ a: 1500, b: 1500, c: 7000 });
  });
});

describe('the load guard', () => {
  const old = { wanted: 4, ready: 4, guarded: true };
  test.each([
    ['all instances ready carry the target', 4, 10_000, 12_500],
    ['half of them carry 62.5 %', 2, 10_000, 6250],
    ['none carries nothing', 0, 10_000, 0],
    ['a small target is guarded by stable', 1, 1000, 3125],
  ])('%s', (_name, ready, share, expected) => {
    const capacities = new Map([
      ['old', old],
      ['new', { wanted: 4, ready, guarded: true }],
    ]);
    expect(largestShare('new', capacities, [{ old: 10_000 }, { new: share }])).toBe(expected);
  });

  test('what is not ours is not guarded', () => {
    const capacities = new Map([['h:1', { wanted: 1, ready: 0, guarded: false }]]);
    expect(largestShare('h:1', capacities, [])).toBe(Infinity);
  });
});
