import type { ActualApp } from '../../reconciler/model/actual.ts';
import type {
  DesiredGateway,
  DesiredVersion,
  RouteMember,
} from '../../reconciler/model/desired.ts';
import type { Rollout } from '../../reconciler/model/rollout.ts';
import type {
  GatewayMemory,
  NodeView,
  ServerView,
  Split,
  SplitVersion,
} from '../../reconciler/model/split.ts';
import { NO_COUNTERS, vectorOf } from '../../reconciler/model/split.ts';
import type { PlanInput } from '../../reconciler/plan/input.ts';

export const NOW = 1_000_000;
export const ROLLOUT: Rollout = {
  strategy: 'canary',
  steps: [
    { weight: 1000, bakeMs: 5000 },
    { weight: 5000, bakeMs: 8000 },
    { weight: 10_000, bakeMs: 5000 },
  ],
  deadlineMs: 60_000,
  onFailure: 'rollback',
  drainMs: 6000,
  warmMs: 10_000,
  keepMs: 20_000,
  minReady: 100,
};
const ORIGIN = { file: 'shop.yml', line: 1, column: 1 };
const CONFIG_AT = '2026-01-01T00:00:00.000Z';

/** `a` is the service and the digest; its app is `/s/shop/web/a`. */
export function version(name: string, instances = 2): DesiredVersion {
  return {
    deployment: 'shop',
    cluster: 'web',
    service: name,
    digest: `1-${name}`,
    appId: `/s/shop/web/${name}`,
    definition: { cmd: name },
    instances,
    ports: [{ name: 'http', index: 0, protocol: 'http' }],
    rollout: ROLLOUT,
    origin: ORIGIN,
  };
}

export function member(name: string, weight: number | undefined): RouteMember {
  return {
    kind: 'version',
    deployment: 'shop',
    cluster: 'web',
    service: name,
    digest: `1-${name}`,
    port: 'http',
    weight,
  };
}

export function gateway(members: readonly RouteMember[], rollout = ROLLOUT): DesiredGateway {
  return {
    name: '9000',
    title: 'shop/9000',
    port: 9000,
    protocol: 'http',
    routes: [{ weight: undefined, members }],
    rollout,
    origin: ORIGIN,
  };
}

export function app(name: string, instances = 2): ActualApp {
  return {
    id: `/s/shop/web/${name}`,
    deployment: 'shop',
    cluster: 'web',
    service: name,
    digest: `1-${name}`,
    revision: 'r0',
    instances,
    tasksStaged: 0,
    tasksRunning: instances,
    tasksHealthy: 0,
    tasksUnhealthy: 0,
    configAt: CONFIG_AT,
    platformChanges: [],
    definition: { cmd: name },
  };
}

export function split(
  weights: Readonly<Record<string, number>>,
  memory: GatewayMemory = { rejected: [] },
  generation = 7,
): Split {
  return {
    gateway: '9000',
    title: 'shop/9000',
    owner: 'me',
    generation,
    port: 9000,
    protocol: 'http',
    versions: Object.entries(weights).map(([name, weight]) => seat(name, weight)),
    fallback: Object.entries(weights)
      .filter(([, weight]) => weight > 0)
      .map(([name]) => `/s/shop/web/${name}`),
    memory,
  };
}

function seat(name: string, weight: number): SplitVersion {
  return {
    id: `/s/shop/web/${name}`,
    name: `${name}@${name}`,
    weight,
    source: {
      kind: 'app',
      appId: `/s/shop/web/${name}`,
      service: `shop/web/${name}`,
      digest: `1-${name}`,
      portIndex: 0,
    },
    draining: [],
  };
}

/** A proxy that does what `held` says, with so many usable servers of each version. */
export function node(
  held: Split,
  servers: Readonly<Record<string, number | readonly ServerView[]>>,
  name = 'proxy1',
): NodeView {
  return {
    node: name,
    gateways: [
      {
        split: held,
        applied: true,
        weights: vectorOf(held),
        versions: held.versions.map((one) => {
          const given = servers[one.id.split('/').at(-1) ?? ''] ?? 0;
          const list = typeof given === 'number' ? up(one.id, given) : given;
          const sessions = list.reduce((sum, server) => sum + server.sessions, 0);
          return { id: one.id, servers: list, sessions, counters: NO_COUNTERS };
        }),
      },
    ],
  };
}

function up(id: string, count: number): readonly ServerView[] {
  return Array.from({ length: count }, (_, index) => server(`${id}.${String(index)}`));
}

export function server(id: string, change: Partial<ServerView> = {}): ServerView {
  return { id, address: 'h:1', state: 'up', health: 'unknown', sessions: 0, ...change };
}

export function input(change: Partial<PlanInput> = {}): PlanInput {
  return {
    owner: 'me',
    revision: 'r1',
    desired: { deployments: [], gateways: [] },
    apps: [],
    details: {},
    nodes: [],
    record: { gateways: {}, apps: {} },
    mayPrune: [],
    pruneQuietMs: 15_000,
    forgotten: [],
    ...change,
  };
}

export function asking(
  versions: readonly DesiredVersion[],
  gateways: readonly DesiredGateway[],
): PlanInput['desired'] {
  const deployment = { name: 'shop', revision: 'r1', versions, origin: ORIGIN };
  return { deployments: [deployment], gateways };
}

/** What is remembered of an app that stands as git asks. */
export const SETTLED_APP = {
  configAt: CONFIG_AT,
  wanted: 2,
  pace: { drainMs: 6000, warmMs: 10_000, keepMs: 20_000 },
};
