import { describe, expect, test } from 'vitest';

import type { UnitRecord } from '../../reconciler/model/record.ts';
import { patched } from '../../reconciler/model/record.ts';
import type { PlanInput } from '../../reconciler/plan/input.ts';
import { plan } from '../../reconciler/plan/plan.ts';
import { rolloutKey } from '../../reconciler/plan/reject.ts';
import {
  NOW,
  ROLLOUT,
  SETTLED_APP,
  app,
  asking,
  gateway,
  input,
  member,
  node,
  server,
  split,
  version,
} from './building.ts';

const STABLE = { stable: { vector: { '/s/shop/web/a': 10_000 }, since: 1 }, rejected: [] };
const SETTLED = {
  gateways: {
    '9000': { memory: STABLE, generation: 7, step: { vector: '/s/shop/web/a=10000', since: 1 } },
  },
  apps: { '/s/shop/web/a': { ...SETTLED_APP, wasStable: true as const } },
};

/** Version `a` serves all, as git asks. */
function settled(change: Partial<PlanInput> = {}): PlanInput {
  return input({
    desired: asking([version('a')], [gateway([member('a', 100)])]),
    apps: [app('a')],
    nodes: [node(split({ a: 10_000 }, STABLE), { a: 2 })],
    record: SETTLED,
    ...change,
  });
}

const kinds = (given: PlanInput, at = NOW): readonly string[] =>
  plan(given, at).actions.map((action) => action.kind);

describe('given a world as git asks', () => {
  test('nothing is done', () => {
    const { actions, status } = plan(settled(), NOW);
    expect(actions).toEqual([]);
    expect(status.phase).toBe('converged');
  });

  test('a hold freezes it', () => {
    const hold = { reason: 'paused', message: 'somebody paused it' };
    expect(plan(settled({ apps: [], hold }), NOW)).toMatchObject({
      actions: [],
      status: { phase: 'held', reason: 'paused' },
    });
  });

  test('a new breed is created, with our labels, and how it is to leave is remembered', () => {
    const desired = asking(
      [version('a'), version('b', 1)],
      [gateway([member('a', 80), member('b', 20)])],
    );
    const [record, create, ...more] = plan(settled({ desired }), NOW).actions;
    expect(more).toEqual([]);
    expect(record).toMatchObject({ patch: { apps: { '/s/shop/web/b': { wanted: 1 } } } });
    expect(create).toMatchObject({
      kind: 'create-app',
      id: '/s/shop/web/b',
      definition: { instances: 1, labels: { 'sluice.owner': 'me', 'sluice.digest': '1-b' } },
    });
  });

  test('an app that the list lacks and Marathon has is not made again', () => {
    const details = { '/s/shop/web/a': { tasks: [] } };
    const { actions, status } = plan(settled({ apps: [], details }), NOW);
    expect(actions.filter((action) => action.kind !== 'record')).toEqual([]);
    expect(status).toMatchObject({
      phase: 'held',
      reason: 'identity-lost',
      message:
        '/s/shop/web/a exists in Marathon, but not with our labels: put sluice.owner back, or delete it',
    });
  });

  test('an app that is really gone is made again under the id that its seat knows', () => {
    const seated = '/s/shop/web/a-2';
    const memory = { stable: { vector: { [seated]: 10_000 }, since: 1 }, rejected: [] };
    const own = split({ a: 10_000 }, memory);
    const moved = {
      ...own,
      versions: own.versions.map((one) => ({
        ...one,
        id: seated,
        source: { ...one.source, appId: seated },
      })),
    };
    const given = settled({
      apps: [],
      nodes: [node(moved, {})],
      record: { gateways: {}, apps: {} },
    });
    expect(plan(given, NOW).actions.filter((action) => action.kind === 'create-app')).toMatchObject(
      [{ id: seated }],
    );
  });

  test('missing capacity is repaired at once', () => {
    expect(plan(settled({ apps: [app('a', 1)] }), NOW).actions).toMatchObject([
      { kind: 'scale-app', id: '/s/shop/web/a', instances: 2 },
    ]);
  });

  test('instances that somebody added are kept and told', () => {
    const { actions, status } = plan(settled({ apps: [app('a', 3)] }), NOW);
    expect(actions).toEqual([]);
    expect(status.warnings[0]).toContain('somebody added some');
  });

  test('a proxy that was away first gets the split in force', () => {
    const nodes = [
      node(split({ a: 10_000 }, STABLE), { a: 2 }),
      node(split({ a: 10_000 }, STABLE, 5), { a: 2 }, 'proxy2'),
    ];
    expect(plan(settled({ nodes }), NOW).actions).toMatchObject([
      { kind: 'apply-split', nodes: ['proxy2'], split: { generation: 7 } },
    ]);
  });

  test('of two splits of one generation neither stays', () => {
    const nodes = [
      node(split({ a: 10_000 }, STABLE), { a: 2 }),
      node(split({ a: 9000, b: 1000 }, STABLE), { a: 2 }, 'proxy2'),
    ];
    const write = plan(settled({ nodes }), NOW).actions.find((one) => one.kind === 'apply-split');
    expect(write).toMatchObject({ split: { generation: 8 } });
    expect(write).not.toHaveProperty('nodes');
  });

  test('with every proxy out of sight nothing is written to them', () => {
    const error = { code: 'node-unreachable', message: 'gone' };
    const nodes = [{ node: 'proxy1', error, gateways: [] }];
    const { actions, status } = plan(settled({ nodes }), NOW);
    expect(actions.filter((one) => one.kind === 'apply-split')).toEqual([]);
    expect(status.warnings[0]).toContain('sluice gateway forget proxy1');
  });

  test('an app that was changed behind our back walks back as a new version', () => {
    const changed = { ...app('a'), configAt: 'later', definition: { cmd: 'other' } };
    expect(plan(settled({ apps: [changed] }), NOW).actions).toMatchObject([
      { kind: 'record' },
      { kind: 'create-app', id: '/s/shop/web/a-2' },
    ]);
    const kept = settled({ apps: [changed], keptDrift: [changed.id] });
    expect(plan(kept, NOW).actions).toEqual([]);
  });
});

describe('scaling down', () => {
  const smaller = asking([version('a', 1)], [gateway([member('a', 100)])]);

  test('marks a victim at the proxies first', () => {
    const write = plan(settled({ desired: smaller }), NOW).actions.find(
      (one) => one.kind === 'apply-split',
    );
    expect(write).toMatchObject({ split: { versions: [{ draining: ['/s/shop/web/a.1'] }] } });
  });

  const marked = (sessions: number): PlanInput => {
    const force = split({ a: 10_000 }, STABLE);
    const versions = force.versions.map((one) => ({ ...one, draining: ['t1'] }));
    const servers = [server('t0'), server('t1', { state: 'draining', sessions })];
    return settled({
      desired: smaller,
      nodes: [node({ ...force, versions }, { a: servers })],
      record: {
        ...SETTLED,
        apps: { '/s/shop/web/a': { ...SETTLED_APP, wasStable: true, drainingSince: { t1: NOW } } },
      },
    });
  };

  test('kills it by its id once it is drained', () => {
    expect(plan(marked(0), NOW + 1000).actions).toMatchObject([
      { kind: 'kill-tasks', appId: '/s/shop/web/a', taskIds: ['t1'] },
    ]);
  });

  test('waits for open sessions, but not for ever', () => {
    expect(kinds(marked(1), NOW + 1000)).toEqual([]);
    expect(kinds(marked(1), NOW + 6000)).toEqual(['kill-tasks']);
  });
});

describe('a version that git no longer asks for', () => {
  const next = asking([version('b')], [gateway([member('b', 100)])]);
  const memory = { stable: { vector: { '/s/shop/web/b': 10_000 }, since: 1 }, rejected: [] };
  const given = (left: object, old = app('a')): PlanInput =>
    input({
      desired: next,
      apps: [old, app('b')],
      nodes: [node(split({ a: 0, b: 10_000 }, memory), { a: 2, b: 2 })],
      record: {
        gateways: {
          '9000': { memory, generation: 7, step: { vector: '/s/shop/web/b=10000', since: 1 } },
        },
        apps: {
          '/s/shop/web/a': { ...SETTLED_APP, wasStable: true, ...left },
          '/s/shop/web/b': { ...SETTLED_APP, wasStable: true },
        },
      },
    });
  const parked = { ...app('a', 0), tasksRunning: 0 };

  test.each([
    ['stays warm', given({ outSince: NOW - 9999 }), []],
    ['is parked', given({ outSince: NOW - 10_000 }), ['scale-app']],
    ['is kept for a while', given({ outSince: 1, parkedAt: NOW - 1 }, parked), ['apply-split']],
    [
      'is deleted',
      given({ outSince: 1, parkedAt: NOW - 20_000 }, parked),
      ['apply-split', 'delete-app'],
    ],
  ])('%s', (_name, state, expected) => {
    expect(kinds(state).filter((kind) => kind !== 'record')).toEqual(expected);
  });

  test('stays while Marathon is out of sight', () => {
    expect(kinds({ ...given({ outSince: 1 }), apps: undefined })).toEqual([]);
  });
});

describe('a rejected version whose tasks keep failing', () => {
  const rejection = {
    digest: '1-b',
    service: 'shop/web/b',
    reason: 'tasks-failing',
    message: '',
    at: 1,
    revision: 'r',
    rollout: rolloutKey(ROLLOUT),
  };
  const memory = { ...STABLE, rejected: [rejection] };

  test('is parked at once, and stays on record as crashed', () => {
    const crashing = { ...app('b'), tasksRunning: 0, tasksHealthy: 0 };
    const given = settled({
      desired: asking([version('a'), version('b')], [gateway([member('a', 80), member('b', 20)])]),
      apps: [app('a'), crashing],
      nodes: [node(split({ a: 10_000, b: 0 }, memory), { a: 2 })],
      record: {
        gateways: { '9000': { memory, generation: 7 } },
        apps: {
          ...SETTLED.apps,
          '/s/shop/web/b': { ...SETTLED_APP, failures: ['t1', 't2', 't3', 't4'] },
        },
      },
    });
    const { actions } = plan(given, NOW);
    expect(actions.filter((one) => one.kind === 'scale-app')).toMatchObject([
      { id: '/s/shop/web/b', instances: 0 },
    ]);
    expect(actions[0]).toMatchObject({ patch: { apps: { '/s/shop/web/b': { crashed: true } } } });
  });
});

describe('the clock of a candidate that is ready only now and then', () => {
  const desired = asking(
    [version('a'), version('b')],
    [gateway([member('a', 80), member('b', 20)])],
  );
  const down = [server('b1', { state: 'down' }), server('b2', { state: 'down' })];

  /** One look every two seconds; `isUp` says how the candidate is at each. Rejected after so many looks. */
  function looksUntilRejected(isUp: (look: number) => boolean): number | undefined {
    let record = {
      ...SETTLED,
      apps: { ...SETTLED.apps, '/s/shop/web/b': SETTLED_APP },
    } as UnitRecord;
    for (let look = 0; look < 200; look += 1) {
      const sick = { ...app('b'), tasksUnhealthy: 2 };
      const given = settled({
        desired,
        apps: [app('a'), isUp(look) ? app('b') : sick],
        nodes: [node(split({ a: 10_000, b: 0 }, STABLE), { a: 2, b: isUp(look) ? 2 : down })],
        record,
      });
      const { actions, status } = plan(given, NOW + look * 2000);
      if (status.phase === 'rejected') return look;
      for (const action of actions) {
        if (action.kind === 'record') record = patched(record, { apps: action.patch.apps ?? {} });
      }
    }
    return undefined;
  }

  test('never ready: its deadline of 60 s ends it', () => {
    expect(looksUntilRejected(() => false)).toBe(31);
  });

  test('ready for a quarter of the time: it runs out of time all the same', () => {
    expect(looksUntilRejected((look) => look % 4 === 0)).toBe(62);
  });

  test('ready but for short gaps: it is not rejected', () => {
    expect(looksUntilRejected((look) => look % 4 !== 0)).toBe(undefined);
  });
});

describe('what is remembered', () => {
  test('of gone gateways and apps is forgotten', () => {
    const record = {
      gateways: { ...SETTLED.gateways, '9999': { memory: STABLE } },
      apps: { ...SETTLED.apps, '/s/shop/web/gone': {} },
    };
    expect(plan(settled({ record }), NOW).actions).toMatchObject([
      { patch: { gateways: { '9999': null }, apps: { '/s/shop/web/gone': null } } },
    ]);
  });

  test('the split knows better when it is later than the journal', () => {
    const rejected = [
      {
        digest: '1-b',
        service: 'shop/web/b',
        reason: 'deadline',
        message: '',
        at: 1,
        revision: 'r',
        rollout: 'x',
      },
    ];
    const later = split({ a: 10_000 }, { ...STABLE, rejected }, 8);
    const write = plan(settled({ nodes: [node(later, { a: 2 })] }), NOW).actions;
    // Git does not ask for it any more: the rejection is dropped, by one more write.
    expect(write).toMatchObject([{ kind: 'record' }, { split: { memory: { rejected: [] } } }]);
  });
});
