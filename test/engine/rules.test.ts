import { expect, test } from 'vitest';
import type { AppDefinition } from '../../reconciler/engine/definition.ts';
import { DEFAULT_IMAGES, commandForImage, withDefaults } from '../../reconciler/engine/images.ts';
import { assertInput } from '../../reconciler/engine/input-rules.ts';
import { labelSelector } from '../../reconciler/engine/query.ts';
import { normalise } from '../../reconciler/engine/normalise.ts';
import { delayMs } from '../../reconciler/engine/queue.ts';
import { newTasksAllowed, planUpgrade } from '../../reconciler/engine/rolling.ts';
import { AppInput } from '../../reconciler/engine/schema.ts';
import { stepsOf } from '../../reconciler/engine/steps.ts';
import { assertValid, parseInput } from '../../reconciler/engine/validate.ts';
import { Refusal } from '../../reconciler/engine/refusal.ts';

const VERSION = '2026-01-01T00:00:00.000Z';

function definition(input: Record<string, unknown>, former?: AppDefinition): AppDefinition {
  let next = 10_000;
  const parsed = parseInput(AppInput, { cmd: 'true', id: '/x', ...input });
  return normalise(
    { ...parsed, id: parsed.id ?? '' },
    {
      version: VERSION,
      versionInfo: { lastScalingAt: VERSION, lastConfigChangeAt: VERSION },
      former,
      pickServicePort: () => next++,
    },
  );
}

const FILLED = {
  id: '/x',
  cmd: 'true',
  instances: 1,
  cpus: 1,
  mem: 128,
  disk: 0,
  gpus: 0,
  executor: '',
  networks: [{ mode: 'host' }],
  portDefinitions: [{ port: 10_000, protocol: 'tcp', name: 'default' }],
  requirePorts: false,
  backoffSeconds: 1,
  backoffFactor: 1.15,
  maxLaunchDelaySeconds: 300,
  upgradeStrategy: { minimumHealthCapacity: 1, maximumOverCapacity: 1 },
  killSelection: 'YOUNGEST_FIRST',
  unreachableStrategy: { inactiveAfterSeconds: 0, expungeAfterSeconds: 0 },
  labels: {},
  role: '*',
  version: VERSION,
  versionInfo: { lastScalingAt: VERSION, lastConfigChangeAt: VERSION },
};

test('an app of one command comes back with every default and no empty field', () => {
  expect(definition({ id: 'x', env: {}, constraints: [], healthChecks: [], user: null })).toEqual(
    FILLED,
  );
});

test('the older forms of ports, uris and docker network become the present ones', () => {
  const old = definition({
    cmd: null,
    uris: ['http://a/b.tar.gz', 'http://a/c'],
    container: {
      docker: {
        image: 'i',
        network: 'BRIDGE',
        portMappings: [{ containerPort: 80, name: 'http', protocol: 'tcp,udp' }],
      },
    },
    healthChecks: [{ path: '/h' }],
  });
  expect(old).toEqual({
    ...Object.fromEntries(
      Object.entries(FILLED).filter(([key]) => key !== 'cmd' && key !== 'portDefinitions'),
    ),
    networks: [{ mode: 'container/bridge' }],
    container: {
      type: 'DOCKER',
      volumes: [],
      docker: { image: 'i', forcePullImage: false, privileged: false, parameters: [] },
      portMappings: [
        {
          containerPort: 80,
          hostPort: 0,
          servicePort: 10_000,
          protocol: 'udp,tcp',
          name: 'http',
          labels: {},
        },
      ],
    },
    fetch: [
      { uri: 'http://a/b.tar.gz', extract: true, executable: false, cache: false },
      { uri: 'http://a/c', extract: false, executable: false, cache: false },
    ],
    healthChecks: [
      {
        protocol: 'HTTP',
        path: '/h',
        portIndex: 0,
        gracePeriodSeconds: 300,
        intervalSeconds: 60,
        timeoutSeconds: 20,
        maxConsecutiveFailures: 3,
        delaySeconds: 15,
        ipProtocol: 'IPv4',
        ignoreHttp1xx: false,
      },
    ],
  });
});

test('a port of 0 gets the service port of the former definition, or a new one', () => {
  const former = definition({ ports: [12_345] });
  const now = definition({ ports: [0, 0] }, former);
  expect(now.portDefinitions).toEqual([
    { port: 12_345, protocol: 'tcp' },
    { port: 10_000, protocol: 'tcp' },
  ]);
});

test('an empty list of port definitions means no ports', () => {
  expect(definition({ portDefinitions: [] }).portDefinitions).toEqual([]);
});

test.each([
  ['an id that climbs', { id: '/a/../b' }, '/id'],
  ['an id with capitals', { id: '/A' }, '/id'],
  ['an id with an empty part', { id: '/a//b' }, '/id'],
  ['an id that ends in a reserved word', { id: '/a/tasks' }, '/id'],
  ['neither command nor image', { cmd: null }, ''],
  ['command and arguments', { args: ['a'] }, ''],
  ['a check of a port that is not there', { healthChecks: [{ portIndex: 3 }] }, '/healthChecks(0)'],
  [
    'a readiness check of an unknown port',
    { readinessChecks: [{}] },
    '/readinessChecks(0)/portName',
  ],
  ['a port given twice', { ports: [80, 80] }, '/ports'],
  ['ports that disagree', { ports: [80], portDefinitions: [{ port: 81 }] }, '/portDefinitions'],
  [
    'two kinds of networks',
    { networks: [{ mode: 'host' }, { mode: 'container/bridge' }] },
    '/networks',
  ],
  ['no role at all', { acceptedResourceRoles: [] }, '/acceptedResourceRoles'],
  ['a secret without a store for it', { env: { A: { secret: 's' } } }, '/secrets'],
  ['an app that depends on itself', { dependencies: ['/x'] }, '/dependencies'],
  [
    'expunging before inactivity',
    { unreachableStrategy: { inactiveAfterSeconds: 2, expungeAfterSeconds: 1 } },
    '/unreachableStrategy',
  ],
  ['an unknown constraint', { constraints: [['hostname', 'NEAR']] }, '/constraints(0)'],
  [
    'two ports of one name',
    { portDefinitions: [{ name: 'a' }, { name: 'a' }] },
    '/portDefinitions',
  ],
])('%s is refused with its path', (_what, input, path) => {
  let refusal: unknown;
  try {
    assertInput(parseInput(AppInput, input));
    assertValid(definition(input));
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(Refusal);
  expect(refusal).toMatchObject({
    status: 422,
    body: { message: 'Object is not valid', details: [{ path }] },
  });
});

// Wanted, old, strategy -> capacity and first kills, as Marathon's documentation of the upgrade
// has them.
test.each([
  [10, 10, 1, 1, false, 20, 0],
  [10, 10, 0.1, 1, false, 20, 9],
  [2, 2, 0.5, 0, false, 2, 1],
  [1, 1, 0.5, 0, false, 2, 0],
  [5, 5, 0.5, 0, true, 5, 2],
  [1, 1, 0, 0, false, 1, 1],
  [2, 5, 1, 0, false, 3, 3],
])(
  'upgrading to %i from %i at %d/%d (resident %s) has capacity %i and kills %i first',
  (wanted, old, minimumHealthCapacity, maximumOverCapacity, resident, maxCapacity, killNow) => {
    const start = { wanted, old, healthyRunning: old, resident };
    expect(planUpgrade({ ...start, minimumHealthCapacity, maximumOverCapacity })).toEqual({
      maxCapacity,
      killNow,
    });
  },
);

test('new tasks start as far as the capacity beside the old ones goes', () => {
  expect(
    [10, 5, 0].map((old) => newTasksAllowed({ maxCapacity: 12, killNow: 0 }, 10, old)),
  ).toEqual([2, 7, 10]);
});

test('the launch delay grows by the factor up to its limit', () => {
  const app = { backoffSeconds: 1, backoffFactor: 2, maxLaunchDelaySeconds: 5 };
  expect([0, 1, 2, 3, 4, 5].map((failures) => delayMs(app, failures))).toEqual([
    0, 1000, 2000, 4000, 5000, 5000,
  ]);
});

test('a plan stops, then starts, then scales in the order of dependencies', () => {
  const on = definition({ id: '/db' });
  const user = definition({ id: '/web', dependencies: ['/db'] });
  const gone = definition({ id: '/old' });
  expect(
    stepsOf([
      { id: '/web', from: undefined, to: user },
      { id: '/old', from: gone, to: undefined },
      { id: '/db', from: on, to: { ...on, instances: 3 } },
    ]),
  ).toEqual([
    { actions: [{ action: 'StopApplication', app: '/old' }] },
    { actions: [{ action: 'StartApplication', app: '/web' }] },
    { actions: [{ action: 'ScaleApplication', app: '/db' }] },
    { actions: [{ action: 'ScaleApplication', app: '/web' }] },
  ]);
});

test('only the number of instances scales in place; a label restarts; nothing needs no step', () => {
  const app = definition({});
  const actions = [
    { ...app, instances: 2 },
    { ...app, labels: { a: 'b' } },
    { ...app, labels: { a: 'b' }, instances: 0 },
    { ...app, executorResources: { cpus: 1 } },
  ].map((to) => stepsOf([{ id: '/x', from: app, to }])[0]?.actions[0]?.action);
  expect(actions).toEqual([
    'ScaleApplication',
    'RestartApplication',
    'ScaleApplication',
    undefined,
  ]);
});

test.each([
  ['a', true],
  ['b', false],
  ['a==1', true],
  ['a!=1', false],
  ['a in (1,2), c', true],
  ['a notin (1, 2)', false],
  ['c==x\\,y', true],
])('the label selector %s gives %s', (selector, expected) => {
  expect(labelSelector(selector)({ a: '1', c: 'x,y' })).toBe(expected);
});

test('a label selector that cannot be read is refused', () => {
  expect(() => labelSelector('a === b')).toThrow(Refusal);
});

test('an image finds its command by the first pattern that fits, tag or not', () => {
  const images = { 'a/b:1': 'one', 'a/b:*': 'any', 'c.d/e*': ['f'] };
  expect(
    ['a/b:1', 'a/b:2', 'a/b', 'c.d/e:9', 'cxd/e', 'z/a/b:1'].map((image) =>
      commandForImage(images, image),
    ),
  ).toEqual(['one', 'any', 'any', ['f'], undefined, undefined]);
});

test('own patterns are tried before the built-in ones, and may replace them', () => {
  const own = { '*/simpleservice:*': 'mine', 'magneticio/simpleservice:*': 'theirs' };
  const images = withDefaults({ ...DEFAULT_IMAGES, ...own });
  expect(Object.keys(images)[0]).toBe('*/simpleservice:*');
  expect(images['magneticio/simpleservice:*']).toBe('theirs');
  expect(commandForImage(images, 'mhausenblas/simpleservice:0.4.0')).toBe('mine');
});
