import { describe, expect, test } from 'vitest';
import { compile } from '../../reconciler/blueprint/compile.ts';
import { formatDiagnostic } from '../../reconciler/blueprint/diagnostics.ts';
import { DEFAULT_ROLLOUT } from '../../reconciler/blueprint/rollout.ts';
import type { DesiredVersion } from '../../reconciler/model/desired.ts';

/** The shape of the blueprint that Vamp's canary lab used, down to its indents. */
const LAB = `---
name: simpleservice
gateways:
  10099: simpleservice/port
clusters:
  simpleservice:
   gateways:
      routes:
        simpleservice:0.9:
          weight: 80%
        simpleservice:1.0:
          weight: 20%
   services:
      -
        breed:
          name: simpleservice:0.9
          deployable: mhausenblas/simpleservice:0.4.0
          ports:
            port: 0/http
          env:
            SIMPLE_SERVICE_VERSION: "0.9"
        scale:
          cpu: 0.1
          memory: 32MB
          instances: 3
      -
        breed:
          name: simpleservice:1.0
          deployable: mhausenblas/simpleservice:0.4.0
          ports:
            port: 0/http
          env:
            SIMPLE_SERVICE_VERSION: "1.0"
        scale:
          cpu: 0.1
          memory: 32MB
          instances: 1
`;

const result = compile({ revision: 'c0ffee', files: [{ path: 'lab/simple.yml', text: LAB }] });

function version(name: '0.9' | '1.0', digest: string, instances: number): DesiredVersion {
  return {
    deployment: 'simpleservice',
    cluster: 'simpleservice',
    service: `simpleservice:${name}`,
    digest,
    appId: `/sluice/simpleservice/simpleservice/simpleservice-${name}-${digest.slice(2, 10)}`,
    definition: {
      cpus: 0.1,
      mem: 32,
      env: { SIMPLE_SERVICE_VERSION: name },
      networks: [{ mode: 'container/bridge' }],
      container: {
        type: 'DOCKER',
        docker: { image: 'mhausenblas/simpleservice:0.4.0' },
        portMappings: [{ containerPort: 0, hostPort: 0, protocol: 'tcp', name: 'port' }],
      },
    },
    instances,
    ports: [{ name: 'port', index: 0, protocol: 'http' }],
    rollout: DEFAULT_ROLLOUT,
    origin: { file: 'lab/simple.yml', line: name === '0.9' ? 16 : 28, column: 17 },
  };
}

describe("the lab's blueprint, unchanged", () => {
  test('becomes two versions with their Marathon apps', () => {
    expect(result.desired.deployments).toEqual([
      {
        name: 'simpleservice',
        revision: 'c0ffee',
        versions: [
          version('0.9', '1-e2de8fba1deb0d52', 3),
          version('1.0', '1-1cf7b3710296beb2', 1),
        ],
        origin: { file: 'lab/simple.yml', line: 2, column: 7 },
      },
    ]);
  });

  test('becomes one gateway that splits 80 to 20', () => {
    const member = { kind: 'version', deployment: 'simpleservice', cluster: 'simpleservice' };
    expect(result.desired.gateways).toEqual([
      {
        name: '10099',
        title: 'simpleservice/10099',
        port: 10_099,
        protocol: 'http',
        routes: [
          {
            weight: undefined,
            members: [
              {
                ...member,
                service: 'simpleservice:0.9',
                digest: '1-e2de8fba1deb0d52',
                port: 'port',
                weight: 80,
              },
              {
                ...member,
                service: 'simpleservice:1.0',
                digest: '1-1cf7b3710296beb2',
                port: 'port',
                weight: 20,
              },
            ],
          },
        ],
        rollout: DEFAULT_ROLLOUT,
        origin: { file: 'lab/simple.yml', line: 4, column: 3 },
      },
    ]);
  });

  test('is sound, and told that nothing checks its ports', () => {
    expect(result.faultyFiles).toEqual([]);
    expect(result.diagnostics.map(formatDiagnostic)).toEqual([
      'lab/simple.yml:19:13: warning no-health-check: nothing checks port `port` of `simpleservice:0.9`: an instance counts as ready once its port takes connections; add `health_checks`',
      'lab/simple.yml:31:13: warning no-health-check: nothing checks port `port` of `simpleservice:1.0`: an instance counts as ready once its port takes connections; add `health_checks`',
    ]);
  });

  test('compiles to the same each time and leaves the snapshot alone', () => {
    const file = Object.freeze({ path: 'lab/simple.yml', text: LAB });
    const snapshot = Object.freeze({ revision: 'c0ffee', files: Object.freeze([file]) });
    expect(compile(snapshot)).toEqual(result);
  });
});

describe('a gateway of its own', () => {
  const text = (key1: string, key2: string): string =>
    `name: simpleservice\nport: 8080/http\nroutes:\n ${key1}:\n   weight: 50%\n ${key2}:\n   weight: 50%\n`;
  const one = '[one.l4lb.example.directory:3000]';
  const two = '[two.l4lb.example.directory:3000]';

  test.each([
    ['quoted', text(`"${one}"`, `"${two}"`)],
    ['as flow lists', text(one, two)],
  ])('routes to [host:port] keys %s', (_name, yaml) => {
    const { desired, diagnostics } = compile({
      revision: 'c0ffee',
      files: [{ path: 'gateway.yml', text: yaml }],
    });
    expect(diagnostics).toEqual([]);
    expect(desired).toEqual({
      deployments: [],
      gateways: [
        {
          name: '8080',
          title: 'simpleservice',
          port: 8080,
          protocol: 'http',
          routes: ['one', 'two'].map((name) => ({
            weight: 50,
            members: [
              {
                kind: 'external',
                address: `${name}.l4lb.example.directory:3000`,
                weight: undefined,
              },
            ],
          })),
          rollout: DEFAULT_ROLLOUT,
          origin: { file: 'gateway.yml', line: 2, column: 7 },
        },
      ],
    });
  });
});
