import { expect, test } from 'vitest';

import type { DesiredVersion } from '../../reconciler/model/desired.ts';
import { asLive } from '../../reconciler/plan/as-live.ts';
import { diff } from '../../reconciler/plan/diff.ts';
import { app, asking, gateway, input, member, node, split, version } from './building.ts';

const BEFORE = asking([version('a', 3)], [gateway([member('a', 100)])]);

function compared(after: typeof BEFORE): ReturnType<typeof diff> {
  return diff({ ...asLive(BEFORE, 'me'), desired: after, owner: 'me' });
}

test('a revision does not differ from itself', () => {
  expect(compared(BEFORE)).toEqual({ differences: [], loads: [], notes: [] });
});

test('a second breed with a weight is a new version and moves traffic', () => {
  const after = asking(
    [version('a', 3), version('b', 1)],
    [gateway([member('a', 80), member('b', 20)])],
  );
  const found = compared(after);
  expect(found.differences.map((one) => [one.object, one.aspect, one.from, one.to])).toEqual([
    ['web/b', 'absent', '-', '1 instance'],
    [expect.stringContaining('a'), 'weight', '100 %', '80 %'],
    [expect.stringContaining('b'), 'weight', '0 %', '20 %'],
  ]);
});

test('another number of instances is a scale and nothing else', () => {
  const after = asking([version('a', 5)], [gateway([member('a', 100)])]);
  expect(compared(after).differences).toEqual([
    { subject: 'shop', object: 'web/a', aspect: 'scale', from: '3', to: '5', effect: 'scale' },
  ]);
});

test('a changed secret is named and never shown', () => {
  const holds = (value: string, digest: string): DesiredVersion => ({
    ...version('a'),
    digest,
    definition: { cmd: 'a', env: { DB_PASSWORD: value, LEVEL: value } },
  });
  const live = { ...app('a'), definition: holds('hunter2', '1-a').definition };
  const { differences } = diff({
    ...input(),
    desired: asking([holds('swordfish', '1-z')], []),
    apps: [live],
    nodes: [],
  });
  const env = differences.filter((one) => one.aspect.startsWith('env'));
  expect(env.map((one) => [one.aspect, one.from, one.to])).toEqual([
    ['env DB_PASSWORD', '(secret)', '(secret)'],
    ['env LEVEL', 'hunter2', 'swordfish'],
  ]);
});

test('a port that left git closes, and a foreign one does not exist', () => {
  const own = split({ a: 10_000 }, { rejected: [] });
  const foreign = { ...own, gateway: '9999', owner: 'somebody else' };
  const given = { ...input(), apps: [], nodes: [node(own, {}), node(foreign, {}, 'proxy2')] };
  expect(diff(given).differences.map((one) => [one.object, one.aspect, one.effect])).toEqual([
    ['port 9000', 'left-git', 'leave'],
  ]);
});
