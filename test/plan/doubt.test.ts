import { describe, expect, test } from 'vitest';

import { plan } from '../../reconciler/plan/plan.ts';
import { decideDrift, decidePrune, holdId } from '../../reconciler/plan/prune.ts';
import { decideStrangers, findStrangers } from '../../reconciler/plan/strangers.ts';
import { unitsOf } from '../../reconciler/plan/units.ts';
import { NOW, app, asking, gateway, input, member, node, split, version } from './building.ts';

const BUDGET = { count: 2, share: 20 };
const NOTHING = { deployments: [], gateways: [] };

describe('prune', () => {
  const ask = (names: readonly string[], change: object = {}) =>
    decidePrune({
      desired: NOTHING,
      apps: names.map((name) => app(name)),
      nodes: [],
      owner: 'me',
      incomplete: undefined,
      approved: [],
      budget: BUDGET,
      ...change,
    });
  const ids = (names: readonly string[]) => names.map((name) => `/s/shop/web/${name}`);

  test('within the budget', () => {
    expect(ask(['a', 'b'])).toEqual({ mayPrune: ids(['a', 'b']), left: ids(['a', 'b']) });
  });

  test('over the budget it waits whole', () => {
    const decision = ask(['a', 'b', 'c']);
    expect(decision.mayPrune).toEqual([]);
    expect(decision.hold).toMatchObject({ reason: 'prune-budget', list: ids(['a', 'b', 'c']) });
  });

  test('an approval binds its list', () => {
    const approved = ids(['a', 'b', 'c']);
    expect(ask(['a', 'b', 'c'], { approved }).mayPrune).toEqual(approved);
    expect(ask(['d', 'e', 'f'], { approved }).mayPrune).toEqual([]);
  });

  test('an incomplete view prunes nothing', () => {
    const decision = ask(['a'], { incomplete: 'shop.yml is faulty' });
    expect(decision.mayPrune).toEqual([]);
    expect(decision.hold?.reason).toBe('incomplete-view');
  });

  test('a version whose cluster is still there retires, it is not pruned', () => {
    expect(ask(['a'], { desired: asking([version('b')], []) }).left).toEqual([]);
  });

  test('gateways that left git, of our own only', () => {
    const own = node(split({}), {});
    const foreign = node({ ...split({}), gateway: '7000', owner: 'other' }, {});
    expect(ask([], { nodes: [own, foreign] }).mayPrune).toEqual(['9000']);
  });

  test('another list is another hold', () => {
    expect(holdId(['a'])).not.toBe(holdId(['a', 'b']));
  });
});

describe('drift', () => {
  const names = ['a', 'b', 'c'];
  const record = {
    gateways: {},
    apps: Object.fromEntries(names.map((name) => [`/s/shop/web/${name}`, { configAt: 'before' }])),
  };
  const decide = (changed: readonly string[], approved: readonly string[] = []) =>
    decideDrift({
      desired: asking(
        names.map((name) => version(name)),
        [],
      ),
      apps: names.map((name) => ({
        ...app(name),
        definition: { cmd: changed.includes(name) ? 'other' : name },
      })),
      record,
      approved,
      budget: BUDGET,
    });

  test('a little walks back by itself', () => {
    expect(decide(['a', 'b'])).toMatchObject({ keptDrift: [] });
  });

  test('more than the budget stays until a person agrees', () => {
    const { keptDrift, hold } = decide(names);
    expect(keptDrift).toHaveLength(3);
    expect(hold?.reason).toBe('drift-budget');
    expect(decide(names, keptDrift).keptDrift).toEqual([]);
  });
});

describe('units', () => {
  test('a port that is handed over joins both blueprints', () => {
    const news = { ...version('n'), deployment: 'news' };
    const desired = {
      deployments: [{ name: 'news', revision: 'r', versions: [news], origin: news.origin }],
      gateways: [gateway([{ ...member('n', 100), deployment: 'news' } as never])],
    };
    const apps = [app('a')];
    const nodes = [node(split({ a: 10_000 }), {})];
    const empty = { gateways: {}, apps: {} };
    const units = unitsOf({ desired, apps, nodes, record: empty, owner: 'me' });
    expect(units.map((unit) => unit.key)).toEqual(['d:news']);
    expect(units[0]?.apps).toEqual(apps);
  });

  test('what is remembered of nothing has a unit that forgets it', () => {
    const record = {
      gateways: { '9000': { memory: { rejected: [] } } },
      apps: { '/s/gone/web/x': {} },
    };
    const units = unitsOf({ desired: NOTHING, apps: [], nodes: [], record, owner: 'me' });
    expect(units.map((unit) => unit.key).sort()).toEqual(['d:gone', 'g:9000']);
  });
});

describe('apps that run before anything is remembered', () => {
  const desired = asking([version('a')], [gateway([member('a', 100)])]);
  const seen = { desired, owner: 'me' };

  test('are strangers if git does not ask for them and no proxy seats them', () => {
    const apps = [app('a'), app('b'), app('seated'), { ...app('parked'), instances: 0 }];
    const nodes = [node(split({ a: 10_000, seated: 0 }, { rejected: [] }), {})];
    expect(findStrangers({ ...seen, apps, nodes })).toEqual(['/s/shop/web/b']);
  });

  test('stay until a person agrees to lose exactly them', () => {
    const found = ['/s/shop/web/b', '/s/shop/web/gone'];
    const apps = [app('a'), app('b')];
    const list = ['/s/shop/web/b'];
    expect(decideStrangers({ found, apps, approved: [] })).toEqual({
      strangers: list,
      found: list,
      hold: {
        id: holdId(list),
        reason: 'unknown-apps',
        message:
          '1 app with our owner label ran before this reconciler remembered anything, ' +
          'and git does not ask for them: another reconciler may be using them',
        list,
      },
    });
    expect(decideStrangers({ found, apps, approved: list })).toEqual({
      strangers: [],
      found: list,
    });
  });

  test('are neither parked nor deleted meanwhile', () => {
    const given = input({
      desired,
      apps: [app('a'), app('b')],
      nodes: [node(split({ a: 10_000 }, { rejected: [] }), { a: 2 })],
      strangers: ['/s/shop/web/b'],
    });
    const kinds = plan(given, NOW).actions.map((action) => action.kind);
    expect(kinds).not.toContain('scale-app');
    expect(kinds).not.toContain('delete-app');
  });
});
