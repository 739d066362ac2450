import { describe, expect, test } from 'vitest';
import { blueprintWith as b, onlyVersion } from './compiling.ts';

const digest = (parts: Parameters<typeof b>[0]): string => onlyVersion(b(parts)).digest;

const FULL = {
  breed: [
    'ports: {http: 8080, admin: 9000/tcp}',
    'env: {A: a, B: b}',
    'arguments: {hostname: h}',
    'health_checks: {port: http, path: /h, initial_delay: 1s, timeout: 1s, interval: 1s, failures: 1}',
  ].join('\n'),
  service: [
    'scale: {cpu: 0.5, memory: 64MB, instances: 2}',
    'network: BRIDGE',
    'dialects: {marathon: {labels: {a: "1", b: "2"}, disk: 1}}',
  ].join('\n'),
};

/** Golden: whoever makes these change redeploys every fleet that runs; see digest.ts. */
describe('golden digests', () => {
  test('of the least and of everything', () => {
    expect([digest({}), digest(FULL)]).toEqual(['1-bed9bda704a0ebad', '1-41ed067491935e91']);
  });
});

describe('a digest', () => {
  test.each([
    ['instances', { ...FULL, service: FULL.service.replace('instances: 2', 'instances: 7') }],
    ['the rollout', { ...FULL, cluster: 'rollout: {strategy: all-at-once}' }],
    ['weights', { ...FULL, cluster: 'gateways: {http: {routes: {web: {weight: 100%}}}}' }],
    ['metadata', { ...FULL, blueprint: 'metadata: {a: b}' }],
    ['the order of variables', { ...FULL, breed: FULL.breed.replace('A: a, B: b', 'B: b, A: a') }],
    [
      'the order of maps in a dialect',
      {
        ...FULL,
        service: FULL.service.replace(
          'labels: {a: "1", b: "2"}, disk: 1',
          'disk: 1, labels: {b: "2", a: "1"}',
        ),
      },
    ],
    ['the spelling of a port', { ...FULL, breed: FULL.breed.replace('8080', '8080/http') }],
    ['the spelling of memory', { ...FULL, service: FULL.service.replace('64MB', '0.064 GB') }],
    [
      'where a value stands',
      { ...FULL, breed: FULL.breed.replace('A: a', 'A: ~'), blueprint: 'env: {web.A: a}' },
    ],
  ])('does not change with %s', (_name, parts) => {
    expect(digest(parts)).toBe(digest(FULL));
  });

  test.each([
    ['a variable', { ...FULL, breed: FULL.breed.replace('A: a', 'A: c') }],
    ['a port', { ...FULL, breed: FULL.breed.replace('8080', '8081') }],
    [
      "the order of ports, which is that of the task's ports",
      {
        ...FULL,
        breed: FULL.breed.replace('http: 8080, admin: 9000/tcp', 'admin: 9000/tcp, http: 8080'),
      },
    ],
    ['an argument', { ...FULL, breed: FULL.breed.replace('hostname: h', 'hostname: i') }],
    ['a check', { ...FULL, breed: FULL.breed.replace('path: /h', 'path: /i') }],
    ['cpu', { ...FULL, service: FULL.service.replace('0.5', '0.6') }],
    ['memory', { ...FULL, service: FULL.service.replace('64MB', '65MB') }],
    ['the network', { ...FULL, service: FULL.service.replace('BRIDGE', 'USER') }],
    ['the dialect', { ...FULL, service: FULL.service.replace('disk: 1', 'disk: 2') }],
    [
      'a default that somebody writes',
      { ...FULL, service: FULL.service.replace('network: BRIDGE\n', '') },
    ],
  ])('changes with %s', (_name, parts) => {
    expect(digest(parts)).not.toBe(digest(FULL));
  });

  test('changes with the names of deployment, cluster and breed, and with the image', () => {
    const texts = [
      b({}),
      b({}).replace('name: shop', 'name: shop2'),
      b({}).replace('  web:', '  web2:'),
      b({}).replace('name: web', 'name: web2'),
      b({}).replace('web:1', 'web:2'),
      b({}).replace('web:1', '{type: command, definition: web:1}'),
    ];
    expect(new Set(texts.map((text) => onlyVersion(text).digest)).size).toBe(texts.length);
  });
});
