import { describe, expect, test } from 'vitest';
import { appIdOf } from '../../reconciler/blueprint/app-id.ts';
import { mergeOver } from '../../reconciler/blueprint/json.ts';
import { blueprintWith as b, onlyVersion } from './compiling.ts';

const bridge = [{ mode: 'container/bridge' }];
const docker = { type: 'DOCKER', docker: { image: 'web:1' }, portMappings: [] };

describe('the app of a version', () => {
  test('has defaults where the author is silent', () => {
    expect(onlyVersion(b({})).definition).toEqual({
      cpus: 1,
      mem: 1000,
      networks: bridge,
      container: docker,
    });
  });

  test('has env from breed, blueprint and service, under the alias', () => {
    const text = b({
      breed: 'env: {A: breed, B: breed, C: ~, "D[ALIAS]": 4, E: $$x}',
      blueprint: 'env: {web.B: blueprint, web.environment_variables.C: blueprint}',
      service: 'env: {A: service}',
    });
    expect(onlyVersion(text).definition['env']).toEqual({
      A: 'service',
      B: 'blueprint',
      C: 'blueprint',
      ALIAS: '4',
      E: '$x',
    });
  });

  test('has docker parameters from breed and service', () => {
    const text = b({
      breed: 'arguments: {hostname: a, privileged: true}',
      service: 'arguments: [{volume: "/a:/b"}]',
    });
    expect(onlyVersion(text).definition['container']).toEqual({
      ...docker,
      docker: {
        image: 'web:1',
        parameters: [
          { key: 'hostname', value: 'a' },
          { key: 'volume', value: '/a:/b' },
        ],
        privileged: true,
      },
    });
  });

  test.each([
    [
      'BRIDGE',
      {
        networks: bridge,
        container: {
          ...docker,
          portMappings: [
            { containerPort: 80, hostPort: 0, protocol: 'tcp', name: 'http' },
            { containerPort: 90, hostPort: 0, protocol: 'tcp' },
          ],
        },
      },
    ],
    [
      'USER',
      {
        networks: [{ mode: 'container' }],
        container: {
          ...docker,
          portMappings: [
            { containerPort: 80, protocol: 'tcp', name: 'http' },
            { containerPort: 90, protocol: 'tcp' },
          ],
        },
      },
    ],
    [
      'HOST',
      {
        networks: [{ mode: 'host' }],
        portDefinitions: [
          { port: 0, protocol: 'tcp', name: 'http' },
          { port: 0, protocol: 'tcp' },
        ],
        container: { type: 'DOCKER', docker: { image: 'web:1' } },
      },
    ],
  ])('has its ports where the network %s wants them', (network, expected) => {
    const text = b({
      breed: 'ports: {http: 80, Admin_port: 90/tcp}',
      cluster: `network: ${network}`,
    });
    const version = onlyVersion(text);
    expect(version.definition).toEqual({ cpus: 1, mem: 1000, ...expected });
    expect(version.ports).toEqual([
      { name: 'http', index: 0, protocol: 'http' },
      { name: 'Admin_port', index: 1, protocol: 'tcp' },
    ]);
  });

  test('of a command runs it on the host with ports of Mesos', () => {
    const text = b({ breed: 'ports: {web: 0}', service: 'scale: {cpu: 100m, memory: .5GB}' });
    const command = text.replace('web:1', '{type: command, definition: run --port $PORT0}');
    expect(onlyVersion(command).definition).toEqual({
      cpus: 0.1,
      mem: 500,
      cmd: 'run --port $PORT0',
      networks: [{ mode: 'host' }],
      portDefinitions: [{ port: 0, protocol: 'tcp', name: 'web' }],
    });
  });

  test('has the nearest dialect merged over it, one level whole', () => {
    const text = b({
      breed: 'ports: {http: 80}',
      cluster: 'dialects: {marathon: {labels: {from: cluster}}}',
      service:
        'dialects: {marathon: {labels: {n: 1}, disk: 5, container: {docker: {forcePullImage: true}, portMappings: [{containerPort: 81}]}}}',
    });
    expect(onlyVersion(text).definition).toEqual({
      cpus: 1,
      mem: 1000,
      disk: 5,
      labels: { n: '1' },
      networks: bridge,
      container: {
        type: 'DOCKER',
        docker: { image: 'web:1', forcePullImage: true },
        portMappings: [
          { containerPort: 80, hostPort: 0, protocol: 'tcp', name: 'http' },
          { containerPort: 81 },
        ],
      },
    });
  });

  test("has the dialect's networks instead of its own", () => {
    const text = b({
      breed: 'ports: {http: 80}',
      service: 'dialects: {marathon: {networks: [{mode: container, name: dcos}]}}',
    });
    const { definition } = onlyVersion(text);
    expect(definition['networks']).toEqual([{ mode: 'container', name: 'dcos' }]);
    expect(definition['container']).toEqual({
      ...docker,
      portMappings: [{ containerPort: 80, protocol: 'tcp', name: 'http' }],
    });
  });
});

describe('health checks', () => {
  const check = (port: string, path: string): string =>
    `{port: ${port}, path: ${path}, initial_delay: 10s, timeout: 3s, interval: 5s, failures: 2}`;
  const app = (portIndex: number, path: string): object => ({
    protocol: 'HTTP',
    path,
    portIndex,
    gracePeriodSeconds: 10,
    intervalSeconds: 5,
    timeoutSeconds: 3,
    maxConsecutiveFailures: 2,
  });
  const ports = 'ports: {a: 1, b: 2}';

  test.each([
    ['breed', { breed: `health_checks: ${check('b', '/breed')}` }, [app(1, '/breed')]],
    [
      'service over breed',
      {
        breed: `health_checks: ${check('b', '/breed')}`,
        service: `health_checks: [${check('a', '/service')}]`,
      },
      [app(0, '/service')],
    ],
    [
      'cluster over breed',
      {
        breed: `health_checks: ${check('b', '/breed')}`,
        cluster: `health_checks: ${check('a', '/cluster')}`,
      },
      [app(0, '/cluster')],
    ],
    [
      'service and cluster with other paths',
      {
        service: `health_checks: ${check('a', '/service')}`,
        cluster: `health_checks: [${check('a', '/service')}, ${check('b', '/cluster')}]`,
      },
      [app(0, '/service'), app(1, '/cluster')],
    ],
    [
      'service that switches them off',
      { breed: `health_checks: ${check('b', '/breed')}`, service: 'health_checks: []' },
      undefined,
    ],
  ])('come from the %s', (_name, parts, expected) => {
    const text = b({
      ...parts,
      breed: [ports, 'breed' in parts ? parts.breed : ''].join('\n').trim(),
    });
    expect(onlyVersion(text).definition['healthChecks']).toEqual(expected);
  });

  test("become the proxy's own check, asked at least every two seconds", () => {
    const text = b({ breed: `${ports}\nhealth_checks: ${check('b', '/alive')}` });
    expect(onlyVersion(text).ports).toEqual([
      { name: 'a', index: 0, protocol: 'http' },
      {
        name: 'b',
        index: 1,
        protocol: 'http',
        check: { path: '/alive', intervalMs: 2000, timeoutMs: 3000 },
      },
    ]);
  });

  test('give way to a readiness check, and to a TCP connect where they speak no HTTP', () => {
    const dialect =
      'dialects: {marathon: {readinessChecks: [{portName: a, path: /ready, intervalSeconds: 1}]}}';
    const tcp = check('b', '/').replace('failures', 'protocol: tcp, failures');
    const text = b({
      breed: `${ports}\nhealth_checks: [${check('a', '/alive')}, ${tcp}]`,
      service: dialect,
    });
    expect(onlyVersion(text).ports).toEqual([
      {
        name: 'a',
        index: 0,
        protocol: 'http',
        check: { path: '/ready', intervalMs: 1000, timeoutMs: 10_000 },
      },
      { name: 'b', index: 1, protocol: 'http' },
    ]);
  });
});

describe('an app id', () => {
  const digest = '1-0123456789abcdef';
  test.each([
    ['simpleservice:0.9', '/sluice/d/c/simpleservice-0.9-01234567'],
    ['Web_Front--', '/sluice/d/c/web-front-01234567'],
    ['.-.', '/sluice/d/c/x-01234567'],
    ['\u00fc\u{1F600}', '/sluice/d/c/x-01234567'],
    ['a'.repeat(80), `/sluice/d/c/${'a'.repeat(50)}-01234567`],
  ])('is made legal for breed %s', (breed, id) => {
    expect(appIdOf({ deployment: 'd', cluster: 'c', breed, digest }, 'sluice')).toBe(id);
  });

  test('takes a prefix of several segments and avoids reserved words', () => {
    const of = { deployment: 'Tasks', cluster: 'restart', breed: 'b', digest };
    expect(appIdOf(of, '/team/sluice/')).toBe('/team/sluice/tasks-x/restart-x/b-01234567');
  });
});

describe('merging a dialect', () => {
  test('joins lists without repeats, maps deeply, and replaces the rest', () => {
    expect(
      mergeOver(
        { a: [1, { b: 2 }], c: { d: 1, e: 2 }, f: 1 },
        { a: [{ b: 2 }, 3], c: { e: 3 }, f: [] },
      ),
    ).toEqual({ a: [1, { b: 2 }, 3], c: { d: 1, e: 3 }, f: [] });
  });

  test('leaves prototypes alone', () => {
    const merged = mergeOver({}, JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(JSON.stringify(merged)).toBe('{"__proto__":{"polluted":true}}');
  });
});
