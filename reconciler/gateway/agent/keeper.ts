import { isDeepStrictEqual } from 'node:util';

import { DriverError } from '../../errors.ts';
import type { Task } from '../../model/actual.ts';
import {
  NO_COUNTERS,
  vectorOf,
  type GatewayView,
  type ServerView,
  type Split,
  type SplitVersion,
  type VersionView,
} from '../../model/split.ts';
import { sameVector } from '../../model/weights.ts';
import type { HeldGateway } from './agent-state.ts';
import { dropTask, followTasks, suspectDown, type Endpoint } from './endpoints.ts';
import type {
  ProxyGateway,
  ProxyGatewayView,
  ProxyServer,
  ProxyVersionView,
  ProxyView,
} from './proxy.ts';

type Fault = NonNullable<GatewayView['error']>;

/** Ended tasks are remembered for as long as a slow answer might still list them. */
const GONE_MS = 60_000;

/** What the agent holds: one split per gateway and the instances behind it. No I/O. */
export class Keeper {
  readonly #held = new Map<string, HeldGateway>();
  readonly #alarms = new Map<string, Fault>();
  /** Tasks that an event named as ended, with the time of the event. */
  readonly #gone = new Map<string, number>();
  #down: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  /** Undefined before the first look: what an adopted proxy counted earlier says nothing now. */
  #falls: ReadonlyMap<string, number> | undefined;

  constructor(held: readonly HeldGateway[]) {
    for (const gateway of held) this.#held.set(gateway.split.gateway, gateway);
  }

  get held(): readonly HeldGateway[] {
    return [...this.#held.values()];
  }

  /** Takes a split; false if it is the one in force. Throws `DriverError` if it must be refused. */
  put(split: Split): boolean {
    const held = this.#held.get(split.gateway);
    if (held !== undefined) {
      refuseForeign(held.split, split);
      if (split.generation < held.split.generation) throw outdated(held.split, split.generation);
      if (split.generation === held.split.generation) {
        if (isDeepStrictEqual(split, held.split)) return false;
        throw clashing(split);
      }
    }
    for (const other of this.#held.values()) {
      if (other.split.gateway !== split.gateway && other.split.port === split.port) {
        throw new DriverError(
          'port-claimed',
          `port ${String(split.port)} belongs to gateway ${other.split.gateway}`,
          { retry: 'backoff' },
        );
      }
    }
    const endpoints = (held?.endpoints ?? []).filter((endpoint) =>
      split.versions.some((version) => version.id === endpoint.version),
    );
    this.#held.set(split.gateway, { split, endpoints });
    return true;
  }

  /** Forgets a gateway; false if it is gone already. */
  remove(gateway: string, generation: number): boolean {
    const held = this.#held.get(gateway);
    if (held === undefined) return false;
    if (generation < held.split.generation) throw outdated(held.split, generation);
    this.#held.delete(gateway);
    this.#alarms.delete(gateway);
    return true;
  }

  /** A full answer of Marathon; true if endpoints changed. `down` was seen before it was asked. */
  learnTasks(tasks: readonly Task[], now: number): boolean {
    let changed = false;
    for (const [name, gateway] of this.#held) {
      const followed = followTasks(gateway.endpoints, gateway.split, {
        tasks,
        gone: new Set(this.#gone.keys()),
        down: this.#down.get(name) ?? new Set(),
      });
      if (followed.alarm === undefined) this.#alarms.delete(name);
      else this.#alarms.set(name, followed.alarm);
      if (isDeepStrictEqual(followed.endpoints, gateway.endpoints)) continue;
      this.#held.set(name, { ...gateway, endpoints: followed.endpoints });
      changed = true;
    }
    const listed = new Set(tasks.map((task) => task.id));
    for (const [taskId, at] of this.#gone) {
      if (!listed.has(taskId) && now - at > GONE_MS) this.#gone.delete(taskId);
    }
    return changed;
  }

  /** An event named this task as terminal or killing. */
  learnGone(taskId: string, now: number): boolean {
    this.#gone.set(taskId, now);
    return this.#replaceEndpoints((endpoints) => {
      const left = dropTask(endpoints, taskId);
      return left.length === endpoints.length ? endpoints : left;
    });
  }

  /** What the proxy's own checks say; true if somebody lost his seat by it. */
  learnChecks(view: ProxyView): boolean {
    const down = new Map<string, Set<string>>();
    const fallen = new Map<string, Set<string>>();
    const falls = new Map<string, number>();
    for (const { name, versions } of view.gateways) {
      const isDown = new Set<string>();
      const hasFallen = new Set<string>();
      for (const server of versions.flatMap((version) => version.servers)) {
        const place = `${name} ${server.id}`;
        falls.set(place, server.falls);
        if (server.state === 'down') isDown.add(server.id);
        // Down and up again between two looks.
        const fell = this.#falls !== undefined && server.falls > (this.#falls.get(place) ?? 0);
        if (fell || server.state === 'down') hasFallen.add(server.id);
      }
      down.set(name, isDown);
      fallen.set(name, hasFallen);
    }
    this.#down = down;
    this.#falls = falls;
    return this.#replaceEndpoints((endpoints, name) =>
      suspectDown(endpoints, fallen.get(name) ?? new Set()),
    );
  }

  /** True while a server waits for Marathon's word although its check passes again. */
  get awaitsWord(): boolean {
    return this.held.some(({ split, endpoints }) =>
      endpoints.some(
        (endpoint) =>
          endpoint.suspect && this.#down.get(split.gateway)?.has(endpoint.taskId) !== true,
      ),
    );
  }

  /** What the proxy should do. */
  wanted(): readonly ProxyGateway[] {
    return this.held.map(({ split, endpoints }) => ({
      name: split.gateway,
      port: split.port,
      protocol: split.protocol,
      fallback: split.fallback,
      versions: split.versions.map((version) => ({
        id: version.id,
        name: version.name,
        weight: version.weight,
        ...(version.check === undefined ? {} : { check: version.check }),
        servers: serversOf(version, endpoints),
      })),
    }));
  }

  /** Splits beside what the proxy really does. */
  views(proxy: ProxyView): readonly GatewayView[] {
    const seen = new Map(proxy.gateways.map((gateway) => [gateway.name, gateway]));
    return this.held.map((held) => {
      const name = held.split.gateway;
      return viewGateway(held, seen.get(name), this.#alarms.get(name));
    });
  }

  #replaceEndpoints(
    change: (endpoints: readonly Endpoint[], name: string) => readonly Endpoint[],
  ): boolean {
    let changed = false;
    for (const [name, gateway] of this.#held) {
      const endpoints = change(gateway.endpoints, name);
      if (endpoints === gateway.endpoints) continue;
      this.#held.set(name, { ...gateway, endpoints });
      changed = true;
    }
    return changed;
  }
}

function serversOf(version: SplitVersion, endpoints: readonly Endpoint[]): readonly ProxyServer[] {
  if (version.source.kind === 'external') {
    const { host, port } = version.source;
    return [{ id: `${host}:${String(port)}`, host, port, mode: 'serve' }];
  }
  return endpoints
    .filter((endpoint) => endpoint.version === version.id)
    .map((endpoint) => ({
      id: endpoint.taskId,
      host: endpoint.host,
      port: endpoint.port,
      mode: modeOf(endpoint, version),
    }));
}

function modeOf(endpoint: Endpoint, version: SplitVersion): ProxyServer['mode'] {
  if (version.draining.includes(endpoint.taskId)) return 'drain';
  return endpoint.suspect || endpoint.health === 'unhealthy' ? 'hold' : 'serve';
}

function viewGateway(
  held: HeldGateway,
  seen: ProxyGatewayView | undefined,
  alarm: Fault | undefined,
): GatewayView {
  const { split, endpoints } = held;
  const error = seen === undefined ? NOT_THERE : (seen.error ?? alarm);
  const versions = split.versions.map((version) => {
    const view = seen?.versions.find((each) => each.id === version.id);
    const own = endpoints.filter((endpoint) => endpoint.version === version.id);
    return viewVersion(version, view, own);
  });
  const applied =
    seen !== undefined &&
    seen.error === undefined &&
    sameVector(seen.weights, vectorOf(split)) &&
    split.versions.every((version) => isTrue(version, seen));
  return {
    split,
    applied,
    ...(error === undefined ? {} : { error }),
    weights: seen?.weights ?? {},
    versions,
  };
}

const NOT_THERE: Fault = { code: 'not-applied', message: 'the proxy does not have it yet' };

function isTrue(version: SplitVersion, seen: ProxyGatewayView): boolean {
  const view = seen.versions.find((each) => each.id === version.id);
  return (
    view?.name === version.name &&
    view.servers.every((server) => server.state !== 'up' || !version.draining.includes(server.id))
  );
}

function viewVersion(
  version: SplitVersion,
  view: ProxyVersionView | undefined,
  endpoints: readonly Endpoint[],
): VersionView {
  const servers = (view?.servers ?? []).map((server): ServerView => {
    const endpoint = endpoints.find((each) => each.taskId === server.id);
    const waits = server.state === 'up' && endpoint?.suspect === true;
    return {
      id: server.id,
      address: server.address,
      state: waits ? 'checking' : server.state,
      health: endpoint?.health ?? 'unknown',
      sessions: server.sessions,
    };
  });
  return {
    id: version.id,
    servers,
    sessions: view?.sessions ?? 0,
    counters: view?.counters ?? NO_COUNTERS,
  };
}

function refuseForeign(held: Split, split: Split): void {
  if (held.owner === split.owner) return;
  throw new DriverError(
    'gateway-owned',
    `gateway ${held.gateway} belongs to ${held.owner}, not to ${split.owner}`,
    { retry: 'never' },
  );
}

function outdated(held: Split, generation: number): DriverError {
  return new DriverError(
    'generation-outdated',
    `gateway ${held.gateway} is at generation ${String(held.generation)}, ${String(generation)} came too late`,
    { retry: 'soon' },
  );
}

function clashing(split: Split): DriverError {
  return new DriverError(
    'generation-clash',
    `gateway ${split.gateway} already has another split of generation ${String(split.generation)}`,
    { retry: 'soon' },
  );
}
