import { describe, expect, it } from 'vitest';
import { canonical, differences } from '../../reconciler/model/marathon-app.ts';
import type { MarathonApp } from '../../reconciler/model/marathon-app.ts';

const FILLED = {
  cpus: 1,
  mem: 128,
  disk: 0,
  gpus: 0,
  executor: '',
  requirePorts: false,
  backoffSeconds: 1,
  backoffFactor: 1.15,
  networks: [{ mode: 'host' }],
  upgradeStrategy: { minimumHealthCapacity: 1, maximumOverCapacity: 1 },
};

/** What a server of 1.8 returns for `{cmd: 'sleep 1'}`. */
const HOST_1_8: MarathonApp = {
  id: '/a',
  cmd: 'sleep 1',
  backoffFactor: 1.15,
  backoffSeconds: 1,
  cpus: 1,
  disk: 0,
  executor: '',
  gpus: 0,
  instances: 1,
  killSelection: 'YOUNGEST_FIRST',
  labels: {},
  maxLaunchDelaySeconds: 300,
  mem: 128,
  networks: [{ mode: 'host' }],
  portDefinitions: [{ name: 'default', port: 10_017, protocol: 'tcp' }],
  requirePorts: false,
  unreachableStrategy: { inactiveAfterSeconds: 0, expungeAfterSeconds: 0 },
  upgradeStrategy: { maximumOverCapacity: 1, minimumHealthCapacity: 1 },
  version: 'v',
  versionInfo: { lastScalingAt: 'v', lastConfigChangeAt: 'v' },
  tasksRunning: 1,
  deployments: [],
};

/** What a server of 1.1 returns for a docker app in bridge mode. */
const BRIDGE_1_1: MarathonApp = {
  id: '/web',
  cmd: null,
  args: null,
  user: null,
  env: { PORT: '8080' },
  instances: 2,
  cpus: 0.5,
  mem: 64,
  disk: 0,
  executor: '',
  constraints: [['hostname', 'UNIQUE']],
  uris: ['https://example.invalid/a.tgz'],
  fetch: [{ uri: 'https://example.invalid/a.tgz', extract: true, executable: false, cache: false }],
  storeUrls: [],
  backoffSeconds: 1,
  backoffFactor: 1.15,
  maxLaunchDelaySeconds: 3600,
  container: {
    type: 'DOCKER',
    volumes: [],
    docker: {
      image: 'web:1',
      network: 'BRIDGE',
      portMappings: [
        { containerPort: 8080, hostPort: 0, servicePort: 10_000, protocol: 'tcp', labels: {} },
      ],
      privileged: false,
      parameters: [],
      forcePullImage: false,
    },
  },
  healthChecks: [
    {
      path: '/health',
      protocol: 'HTTP',
      portIndex: '0',
      gracePeriodSeconds: 300,
      intervalSeconds: 10,
      timeoutSeconds: 20,
      maxConsecutiveFailures: 3,
      ignoreHttp1xx: false,
    },
  ],
  readinessChecks: [],
  dependencies: [],
  upgradeStrategy: { minimumHealthCapacity: 1, maximumOverCapacity: 1 },
  labels: { 'sluice.owner': 'a', team: 'blue' },
  acceptedResourceRoles: null,
  ipAddress: null,
  residency: null,
  ports: [10_000],
  portDefinitions: [{ port: 10_000, protocol: 'tcp', labels: {} }],
  requirePorts: false,
};

const BRIDGE_WANTED: MarathonApp = {
  cpus: 0.5,
  mem: 64,
  env: { PORT: 8080 },
  labels: { team: 'blue' },
  constraints: [['hostname', 'UNIQUE']],
  fetch: [{ uri: 'https://example.invalid/a.tgz' }],
  networks: [{ mode: 'container/bridge' }],
  container: {
    type: 'DOCKER',
    docker: { image: 'web:1' },
    portMappings: [{ containerPort: 8080 }],
  },
  healthChecks: [{ path: '/health', intervalSeconds: 10 }],
};

describe('The canonical form', () => {
  it.each<[string, MarathonApp, object]>([
    ['fills what never changed', {}, {}],
    [
      'drops nulls and what only servers say',
      { user: null, version: 'v', tasks: [], uris: [] },
      {},
    ],
    [
      'drops empty collections',
      { env: {}, labels: {}, constraints: [], healthChecks: [], args: [], secrets: {}, fetch: [] },
      {},
    ],
    ['keeps that there are no ports', { portDefinitions: [] }, { portDefinitions: [] }],
    [
      'turns ports into port definitions',
      { ports: [0, 80] },
      {
        portDefinitions: [
          { port: 0, protocol: 'tcp' },
          { port: 80, protocol: 'tcp' },
        ],
      },
    ],
    [
      'turns uris into fetch',
      { uris: ['a.tar.gz', 'a.jar'] },
      {
        fetch: [
          { uri: 'a.tar.gz', extract: true, executable: false, cache: false },
          { uri: 'a.jar', extract: false, executable: false, cache: false },
        ],
      },
    ],
    [
      'sorts sets, without duplicates',
      {
        constraints: [
          ['rack', 'GROUP_BY', 2],
          ['hostname', 'UNIQUE'],
          ['hostname', 'UNIQUE'],
        ],
        acceptedResourceRoles: ['b', 'a'],
      },
      {
        constraints: [
          ['hostname', 'UNIQUE'],
          ['rack', 'GROUP_BY', '2'],
        ],
        acceptedResourceRoles: ['a', 'b'],
      },
    ],
    [
      'keeps secrets of the environment as references',
      { env: { A: 1, B: true, C: { secret: 'c' } } },
      { env: { A: '1', B: 'true', C: { secret: 'c' } } },
    ],
    [
      'makes dependencies absolute',
      { id: '/shop/web', dependencies: ['db', '../auth', '/x'] },
      { id: '/shop/web', dependencies: ['/auth', '/shop/db', '/x'] },
    ],
    [
      'knows the network of a user-defined name',
      {
        ipAddress: { networkName: 'dcos', labels: {} },
        container: {
          docker: { image: 'a', network: 'USER', portMappings: [{ containerPort: 80 }] },
        },
      },
      {
        networks: [{ mode: 'container', name: 'dcos' }],
        container: {
          type: 'DOCKER',
          docker: { image: 'a' },
          portMappings: [{ containerPort: 80, protocol: 'tcp' }],
        },
      },
    ],
    [
      'forgets a container that Marathon adds by itself',
      { container: { type: 'MESOS', volumes: [] } },
      {},
    ],
  ])('%s', (_what, app, expected) => {
    expect(canonical(app)).toEqual({ ...FILLED, ...expected });
  });

  it('is a fixed point', () => {
    for (const app of [HOST_1_8, BRIDGE_1_1, BRIDGE_WANTED]) {
      expect(canonical(canonical(app))).toEqual(canonical(app));
    }
  });

  it('leaves its argument alone', () => {
    const before = JSON.stringify(BRIDGE_1_1);
    canonical(BRIDGE_1_1);

    expect(JSON.stringify(BRIDGE_1_1)).toBe(before);
  });
});

describe('No difference', () => {
  it.each<[string, MarathonApp, MarathonApp]>([
    ['to what 1.8 returns', { cmd: 'sleep 1' }, HOST_1_8],
    ['to what 1.1 returns', BRIDGE_WANTED, BRIDGE_1_1],
    [
      'in ports that Marathon chooses',
      { portDefinitions: [{ name: 'http', port: 0 }] },
      { portDefinitions: [{ name: 'http', port: 10_003, protocol: 'tcp', labels: {} }] },
    ],
    [
      'in service ports, host ports of a bridge and the order of protocols',
      {
        networks: [{ mode: 'container/bridge' }],
        container: {
          docker: { image: 'a' },
          portMappings: [{ containerPort: 53, servicePort: 0, protocol: 'tcp,udp' }],
        },
      },
      {
        networks: [{ mode: 'container/bridge' }],
        container: {
          type: 'DOCKER',
          volumes: [],
          docker: { image: 'a', forcePullImage: false, privileged: false, parameters: [] },
          portMappings: [
            {
              containerPort: 53,
              hostPort: 0,
              servicePort: 10_001,
              protocol: 'udp,tcp',
              labels: {},
            },
          ],
        },
      },
    ],
    [
      'in the port that Marathon adds to a bridge',
      { networks: [{ mode: 'container/bridge' }], container: { docker: { image: 'a' } } },
      {
        networks: [{ mode: 'container/bridge' }],
        container: {
          docker: { image: 'a' },
          portMappings: [
            {
              containerPort: 0,
              hostPort: 0,
              servicePort: 10_001,
              protocol: 'tcp',
              name: 'default',
              labels: {},
            },
          ],
        },
      },
    ],
    [
      'in a container that Marathon adds',
      { networks: [{ mode: 'container', name: 'dcos' }] },
      {
        networks: [{ mode: 'container', name: 'dcos' }],
        container: {
          type: 'MESOS',
          volumes: [],
          portMappings: [
            { containerPort: 0, servicePort: 10_000, protocol: 'tcp', name: 'default', labels: {} },
          ],
        },
      },
    ],
    [
      'in defaults that depend on the version',
      { cmd: 'a' },
      {
        cmd: 'a',
        maxLaunchDelaySeconds: 3600,
        unreachableStrategy: { inactiveAfterSeconds: 300, expungeAfterSeconds: 600 },
        killSelection: 'YOUNGEST_FIRST',
        role: 'slave_public',
      },
    ],
    [
      'in what fills up a strategy that git states in part',
      { unreachableStrategy: { inactiveAfterSeconds: 60 } },
      { unreachableStrategy: { inactiveAfterSeconds: 60, expungeAfterSeconds: 120 } },
    ],
    [
      'in the defaults of resident apps',
      {
        container: {
          type: 'MESOS',
          volumes: [{ containerPath: 'd', mode: 'rw', persistent: { size: 1 } }],
        },
      },
      {
        container: {
          type: 'MESOS',
          volumes: [{ containerPath: 'd', mode: 'RW', persistent: { size: 1 } }],
        },
        upgradeStrategy: { minimumHealthCapacity: 0.5, maximumOverCapacity: 0 },
        residency: { relaunchEscalationTimeoutSeconds: 3600, taskLostBehavior: 'WAIT_FOREVER' },
        unreachableStrategy: 'disabled',
      },
    ],
    [
      'in privileged, which the universal runtime forgets',
      { container: { type: 'MESOS', docker: { image: 'a', privileged: true } } },
      { container: { type: 'MESOS', docker: { image: 'a', forcePullImage: false } } },
    ],
    [
      'in fields of checks that Marathon ignores or fills',
      {
        healthChecks: [
          { protocol: 'TCP', delaySeconds: 5 },
          { protocol: 'HTTP', path: '/', ignoreHttp1xx: true },
        ],
      },
      {
        healthChecks: [
          {
            protocol: 'HTTP',
            ignoreHttp1xx: false,
            delaySeconds: 15,
            ipProtocol: 'IPv4',
            portIndex: 0,
          },
          {
            protocol: 'TCP',
            gracePeriodSeconds: 300,
            intervalSeconds: 60,
            delaySeconds: 15,
            ipProtocol: 'IPv4',
          },
        ],
      },
    ],
    [
      'in the defaults of readiness checks',
      { readinessChecks: [{ httpStatusCodesForReady: [204, 200] }] },
      {
        readinessChecks: [
          {
            name: 'readinessCheck',
            protocol: 'HTTP',
            path: '/',
            portName: 'http-api',
            intervalSeconds: 30,
            timeoutSeconds: 10,
            httpStatusCodesForReady: [200, 204],
            preserveLastResponse: false,
          },
        ],
      },
    ],
    [
      'in our labels, ids and instances',
      { id: '/a', instances: 1 },
      { id: '/a-2', instances: 5, labels: { 'sluice.owner': 'x' } },
    ],
  ])('%s', (_what, desired, actual) => {
    expect(differences(desired, actual)).toEqual([]);
  });
});

describe('A difference', () => {
  it.each<[string, MarathonApp, MarathonApp]>([
    ['cmd', { cmd: 'a' }, { cmd: 'b' }],
    ['args', { args: ['a', 'b'] }, { args: ['b', 'a'] }],
    ['env', { env: { A: '1' } }, { env: { A: '1', B: '' } }],
    ['cpus', { cpus: 0.5 }, {}],
    ['mem', {}, { mem: 64 }],
    ['labels', { labels: { team: 'a' } }, { labels: { team: 'b' } }],
    ['constraints', { constraints: [['hostname', 'UNIQUE']] }, {}],
    ['fetch', { uris: ['a'] }, { uris: ['b'] }],
    [
      'image',
      BRIDGE_WANTED,
      {
        ...BRIDGE_1_1,
        container: {
          docker: { image: 'web:2', network: 'BRIDGE', portMappings: [{ containerPort: 8080 }] },
        },
      },
    ],
    ['healthChecks', { healthChecks: [{ path: '/a' }] }, { healthChecks: [{ path: '/b' }] }],
    [
      'networks',
      { networks: [{ mode: 'container', name: 'a' }] },
      { networks: [{ mode: 'container', name: 'b' }] },
    ],
    ['ports', { cmd: 'sleep 1', portDefinitions: [] }, HOST_1_8],
    [
      'ports',
      { portDefinitions: [{ name: 'a', port: 0 }] },
      { portDefinitions: [{ name: 'b', port: 0 }] },
    ],
    ['ports', { portDefinitions: [{ port: 80 }] }, { portDefinitions: [{ port: 81 }] }],
    [
      'ports',
      { requirePorts: true, portDefinitions: [{ port: 0 }] },
      { requirePorts: true, portDefinitions: [{ port: 9 }] },
    ],
    ['requirePorts', { requirePorts: true }, {}],
    [
      'container',
      { container: { volumes: [{ containerPath: 'a', hostPath: 'b', mode: 'RO' }] } },
      {},
    ],
    [
      'upgradeStrategy',
      {},
      { upgradeStrategy: { minimumHealthCapacity: 0.5, maximumOverCapacity: 1 } },
    ],
    ['maxLaunchDelaySeconds', { maxLaunchDelaySeconds: 60 }, { maxLaunchDelaySeconds: 300 }],
    [
      'unreachableStrategy',
      { unreachableStrategy: 'disabled' },
      { unreachableStrategy: { inactiveAfterSeconds: 0 } },
    ],
    ['taskKillGracePeriodSeconds', { taskKillGracePeriodSeconds: 30 }, {}],
  ])('of %s is named', (aspect, desired, actual) => {
    expect(differences(desired, actual)).toEqual([aspect]);
  });

  it('names all aspects, sorted', () => {
    expect(differences({ cmd: 'a', env: { A: '1' }, cpus: 2 }, { cmd: 'b', mem: 1 })).toEqual([
      'cmd',
      'cpus',
      'env',
      'mem',
    ]);
  });

  it('counts instances and other labels as the caller says', () => {
    const actual = { cmd: 'a', instances: 2, labels: { HAPROXY_GROUP: 'x', 'sluice.owner': 'o' } };

    expect(differences({ cmd: 'a' }, actual)).toEqual(['labels']);
    expect(
      differences({ cmd: 'a' }, actual, { instances: true, ignoresLabel: () => true }),
    ).toEqual(['instances']);
  });
});
