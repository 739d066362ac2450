import { describe, expect, it } from 'vitest';

import {
  absenceLimit,
  dropTask,
  followTasks,
  suspectDown,
  type Endpoint,
  type Evidence,
} from '../../reconciler/gateway/agent/endpoints.ts';
import type { Task } from '../../reconciler/model/actual.ts';
import { appVersion, makeSplit, makeTask } from './splits.ts';

const split = makeSplit({ versions: [appVersion('/a', 10_000)] });

function endpoint(taskId: string, port: number, change: Partial<Endpoint> = {}): Endpoint {
  return {
    version: '/a',
    taskId,
    host: 'h1',
    port,
    health: 'healthy',
    suspect: false,
    ...change,
  };
}

function evidence(tasks: readonly Task[], change: Partial<Evidence> = {}): Evidence {
  return { tasks, gone: new Set(), down: new Set(), ...change };
}

const A1 = endpoint('a.1', 31_001);
const A2 = endpoint('a.2', 31_002);
const LISTED = makeTask('a.1', '/a', 31_001);

interface Row {
  readonly title: string;
  readonly known: readonly Endpoint[];
  readonly evidence: Evidence;
  readonly expected: readonly Endpoint[];
}

const ROWS: readonly Row[] = [
  {
    title: 'lets a running task in',
    known: [],
    evidence: evidence([LISTED]),
    expected: [A1],
  },
  {
    title: 'lets a running task of unknown health in',
    known: [],
    evidence: evidence([{ ...LISTED, health: 'unknown' }]),
    expected: [{ ...A1, health: 'unknown' }],
  },
  {
    title: 'does not let a staging task in',
    known: [],
    evidence: evidence([{ ...LISTED, state: 'TASK_STAGING' }]),
    expected: [],
  },
  {
    title: 'does not let a task in that an event named as ended',
    known: [],
    evidence: evidence([LISTED], { gone: new Set(['a.1']) }),
    expected: [],
  },
  {
    title: 'takes out a task that is being killed',
    known: [A1, A2],
    evidence: evidence([{ ...LISTED, state: 'TASK_KILLING' }, makeTask('a.2', '/a', 31_002)]),
    expected: [A2],
  },
  {
    title: 'keeps a task that Mesos lost sight of',
    known: [A1],
    evidence: evidence([{ ...LISTED, state: 'TASK_UNREACHABLE' }]),
    expected: [A1],
  },
  {
    title: 'keeps a task in a state that nobody knows',
    known: [A1],
    evidence: evidence([{ ...LISTED, state: 'TASK_DREAMING' }]),
    expected: [A1],
  },
  {
    title: 'remembers health that Marathon forgot',
    known: [{ ...A1, health: 'unhealthy' }],
    evidence: evidence([{ ...LISTED, health: 'unknown' }]),
    expected: [{ ...A1, health: 'unhealthy' }],
  },
  {
    title: 'believes definite health',
    known: [A1],
    evidence: evidence([{ ...LISTED, health: 'unhealthy' }]),
    expected: [{ ...A1, health: 'unhealthy' }],
  },
  {
    title: 'takes out a task whose host:port another running task holds',
    known: [A1],
    evidence: evidence([makeTask('b.1', '/b', 31_001)]),
    expected: [],
  },
  {
    title: 'keeps everybody when the whole app is missing from the answer',
    known: [A1, A2],
    evidence: evidence([makeTask('b.1', '/b', 32_000)]),
    expected: [A1, A2],
  },
  {
    title: 'keeps everybody when the answer is empty',
    known: [A1],
    evidence: evidence([]),
    expected: [A1],
  },
  {
    title: 'takes out a task that is gone from an answer that still lists its app',
    known: [A1, A2],
    evidence: evidence([LISTED]),
    expected: [A1],
  },
  {
    title: 'keeps a task whose address is missing from the answer',
    known: [A1],
    evidence: evidence([{ ...LISTED, ports: [] }]),
    expected: [A1],
  },
  {
    title: 'treats another address as another server',
    known: [A1],
    evidence: evidence([makeTask('a.1', '/a', 31_009)]),
    expected: [{ ...A1, port: 31_009 }],
  },
  {
    title: 'forgets the servers of a version that left the split',
    known: [A1, { ...A1, version: '/gone', taskId: 'x' }],
    evidence: evidence([LISTED]),
    expected: [A1],
  },
  {
    title: 'lets a server that was down return when Marathon confirms it and its check passes',
    known: [{ ...A1, suspect: true }],
    evidence: evidence([LISTED]),
    expected: [A1],
  },
  {
    title: 'does not let a server return whose check still fails',
    known: [{ ...A1, suspect: true }],
    evidence: evidence([LISTED], { down: new Set(['a.1']) }),
    expected: [{ ...A1, suspect: true }],
  },
  {
    title: 'does not let a server return that Marathon does not confirm',
    known: [{ ...A1, suspect: true }],
    evidence: evidence([]),
    expected: [{ ...A1, suspect: true }],
  },
];

describe('who is in rotation', () => {
  it.each(ROWS)('$title', (row) => {
    expect(followTasks(row.known, split, row.evidence)).toEqual({ endpoints: row.expected });
  });

  it('drops at once what an event named', () => {
    expect(dropTask([A1, A2], 'a.1')).toEqual([A2]);
  });

  it('suspects those whose check fails', () => {
    expect(suspectDown([A1, A2], new Set(['a.2']))).toEqual([A1, { ...A2, suspect: true }]);
  });

  it.each([
    [1, 2],
    [10, 2],
    [15, 3],
    [100, 20],
  ])('of %i servers at most %i may go on mere absence', (servers, limit) => {
    expect(absenceLimit(servers)).toBe(limit);
  });
});

describe('mass absence', () => {
  const five = [1, 2, 3, 4, 5].map((at) => endpoint(`a.${String(at)}`, 31_000 + at));

  it('takes nobody out when more than two of five are missing at once, and says so', () => {
    const followed = followTasks(five, split, evidence([LISTED, makeTask('a.2', '/a', 31_002)]));
    expect(followed.endpoints.map((each) => each.taskId).sort()).toEqual([
      'a.1',
      'a.2',
      'a.3',
      'a.4',
      'a.5',
    ]);
    expect(followed.alarm?.code).toBe('mass-absence');
  });

  it('does not count those whose check at the proxy fails', () => {
    const followed = followTasks(
      five,
      split,
      evidence([LISTED, makeTask('a.2', '/a', 31_002)], { down: new Set(['a.5']) }),
    );
    expect(followed.endpoints.map((each) => each.taskId)).toEqual(['a.1', 'a.2']);
    expect(followed.alarm).toBeUndefined();
  });

  it('does not count those whose host:port another task holds', () => {
    const others = [makeTask('b.3', '/b', 31_003), makeTask('b.4', '/b', 31_004)];
    const followed = followTasks(
      five,
      split,
      evidence([LISTED, makeTask('a.2', '/a', 31_002), ...others]),
    );
    expect(followed.endpoints.map((each) => each.taskId)).toEqual(['a.1', 'a.2']);
  });

  it('does not count those that were draining', () => {
    const leaving = makeSplit({
      versions: [{ ...appVersion('/a', 10_000), draining: ['a.3', 'a.4', 'a.5'] }],
    });
    const followed = followTasks(five, leaving, evidence([LISTED, makeTask('a.2', '/a', 31_002)]));
    expect(followed.endpoints).toHaveLength(2);
  });
});

it('reports a task that lacks the port of the split', () => {
  const followed = followTasks([], split, evidence([{ ...LISTED, ports: [] }]));
  expect(followed.alarm?.code).toBe('no-such-port');
});

it('answers the same for the same', () => {
  const known = Object.freeze([Object.freeze(A1)]);
  const seen = Object.freeze(evidence(Object.freeze([LISTED])));
  expect(followTasks(known, split, seen)).toEqual(followTasks(known, split, seen));
});
