import { describe, expect, test } from 'vitest';

import type { Vector } from '../../reconciler/model/weights.ts';
import { vectorKey } from '../../reconciler/model/weights.ts';
import type { Member, PathInput } from '../../reconciler/plan/path.ts';
import { nextVector } from '../../reconciler/plan/path.ts';
import { NOW, ROLLOUT } from './building.ts';

function someone(change: Partial<Member> = {}): Member {
  return {
    name: 'v',
    wanted: 2,
    ready: 2,
    guarded: true,
    isReady: true,
    isSeated: true,
    best: 2,
    healthKnown: true,
    note: 'not ready yet',
    rejected: false,
    ...change,
  };
}

const DOWN = { ready: 0, best: 0, isReady: false };

function path(
  present: Vector,
  target: Vector,
  change: Partial<PathInput> & { readonly who?: Readonly<Record<string, Partial<Member>>> } = {},
): PathInput {
  const { who = {}, ...rest } = change;
  const ids = new Set(['a', 'b', 'c', ...Object.keys(who)]);
  return {
    target,
    stable: { vector: { a: 10_000 }, since: 0 },
    first: false,
    present,
    settled: true,
    unsettled: { reason: 'proxy-behind', message: '' },
    members: new Map([...ids].map((id) => [id, someone(who[id])])),
    rollout: ROLLOUT,
    step: { vector: vectorKey(present), since: NOW - 60_000 },
    now: NOW,
    ...rest,
  };
}

describe('one step at a time', () => {
  test.each([
    ['the first step', { a: 10_000 }, { a: 0, b: 10_000 }, { a: 9000, b: 1000 }],
    ['the second', { a: 9000, b: 1000 }, { a: 0, b: 10_000 }, { a: 5000, b: 5000 }],
    ['the last', { a: 5000, b: 5000 }, { a: 0, b: 10_000 }, { a: 0, b: 10_000 }],
    ['no farther than the target', { a: 10_000 }, { a: 9500, b: 500 }, { a: 9500, b: 500 }],
    ['between two steps, the next one', { a: 8000, b: 2000 }, { b: 10_000 }, { a: 5000, b: 5000 }],
    [
      'two rise together',
      { a: 10_000 },
      { a: 2000, b: 4000, c: 4000 },
      { a: 8000, b: 1000, c: 1000 },
    ],
    [
      'back towards stable, at once',
      { a: 5000, b: 5000 },
      { a: 9000, b: 1000 },
      { a: 9000, b: 1000 },
    ],
    ['closing', { a: 10_000 }, { a: 0 }, {}],
  ])('%s', (_name, present, target, expected) => {
    expect(vectorKey(nextVector(path(present, target)).vector)).toBe(vectorKey(expected));
  });

  test.each([
    ['not ready', 'not-ready', { who: { b: DOWN } }],
    ['Marathon has forgotten health', 'health-unknown', { who: { b: { healthKnown: false } } }],
    ['too few instances', 'capacity', { who: { b: { ready: 0 } } }],
    ['another port is slower', 'slower-gateway', { who: { b: { slower: '9001' } } }],
    ['a proxy is behind', 'proxy-behind', { settled: false }],
    ['nobody knows what was stable', 'record-lost', { stable: undefined }],
    ['baking', 'bake', { step: { vector: 'a=9000 b=1000', since: NOW - 4999 } }],
    ['not seen yet', 'seen', { step: undefined }],
  ] as const)('%s: nothing rises', (_name, reason, change) => {
    const decision = nextVector(path({ a: 9000, b: 1000 }, { a: 0, b: 10_000 }, change));
    expect(decision).toMatchObject({ reason, vector: { a: 9000, b: 1000 } });
  });

  test('a bake tells when it is over', () => {
    const step = { vector: 'a=9000 b=1000', since: NOW - 1000 };
    const decision = nextVector(path({ a: 9000, b: 1000 }, { b: 10_000 }, { step }));
    expect(decision.lookAgainAt).toBe(NOW + 4000);
  });

  test('the target arrives after its last bake', () => {
    const present = { a: 8000, b: 2000 };
    const baking = { vector: vectorKey(present), since: NOW - 1000 };
    expect(nextVector(path(present, present, { step: baking })).reason).toBe('bake');
    expect(nextVector(path(present, present)).arrived).toBe(true);
    expect(nextVector(path(present, present, { settled: false })).arrived).toBeUndefined();
  });
});

describe('the way back', () => {
  test.each([
    ['rejected', 'rejected', { a: 0, b: 10_000 }, { who: { b: { rejected: true } } }],
    ['superseded', 'superseded', { c: 10_000 }, {}],
    ['superseded by a commit that sets it to 0', 'superseded', { a: 0, b: 0, c: 10_000 }, {}],
    ['reverted', 'reverted', { a: 10_000, b: 0 }, {}],
  ])('%s: at once, though a proxy is unseen', (_name, reason, target, change) => {
    const decision = nextVector(path({ a: 5000, b: 5000 }, target, { ...change, settled: false }));
    expect(decision).toEqual({
      vector: { a: 10_000 },
      reason,
      message: expect.any(String),
      wayBack: true,
    });
  });

  test('on_failure: hold stays', () => {
    const decision = nextVector(
      path(
        { a: 5000, b: 5000 },
        { b: 10_000 },
        { who: { b: { rejected: true } }, rollout: { ...ROLLOUT, onFailure: 'hold' } },
      ),
    );
    expect(decision).toMatchObject({ vector: { a: 5000, b: 5000 }, reason: 'rejected' });
  });

  test('stable down and the candidate rejected: the traffic stays', () => {
    const who = { a: DOWN, b: { rejected: true } };
    const decision = nextVector(path({ a: 5000, b: 5000 }, { b: 10_000 }, { who }));
    expect(decision.reason).toBe('stable-down');
  });

  test('stable down and the candidate ready: it takes all', () => {
    const decision = nextVector(path({ a: 9000, b: 1000 }, { b: 10_000 }, { who: { a: DOWN } }));
    expect(decision).toMatchObject({ vector: { b: 10_000 }, reason: 'rescue' });
  });

  test('who lost its seat gives its share to the rest of stable', () => {
    const stable = { vector: { a: 7000, c: 3000 }, since: 0 };
    const who = { c: { ...DOWN, isSeated: false } };
    const decision = nextVector(path({ b: 10_000 }, { d: 10_000 }, { stable, who }));
    expect(decision.vector).toEqual({ a: 10_000 });
  });
});

describe('a first deployment', () => {
  const first = { stable: undefined, first: true };
  test.each([
    ['straight to the target', {}, { a: 7000, b: 3000 }, {}],
    ['the first that is ready serves all', { b: DOWN }, { a: 10_000 }, {}],
    ['though a proxy is unseen', {}, { a: 7000, b: 3000 }, { settled: false }],
    ['a rejected one is left out', { b: { rejected: true } }, { a: 10_000 }, {}],
    ['nobody is ready', { a: DOWN, b: DOWN }, {}, {}],
  ])('%s', (_name, who, expected, change) => {
    const decision = nextVector(path({}, { a: 7000, b: 3000 }, { ...first, who, ...change }));
    expect(decision.vector).toEqual(expected);
  });

  test('who serves gives nothing away while it is short of an instance', () => {
    const who = { a: { isReady: false, best: 1 } };
    const target = { a: 7000, b: 3000 };
    expect(nextVector(path({ a: 10_000 }, target, { ...first, who })).vector).toEqual(target);
  });

  test('a lost split is served by stable first', () => {
    expect(nextVector(path({}, { b: 10_000 })).vector).toEqual({ a: 10_000 });
  });
});
