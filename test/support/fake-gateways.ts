import { DriverError } from '../../reconciler/errors.ts';
import type { GatewayAbilities, Gateways, GatewayWrite } from '../../reconciler/gateway/port.ts';
import { Keeper } from '../../reconciler/gateway/agent/keeper.ts';
import type {
  ProxyGateway,
  ProxyGatewayView,
  ProxyServer,
  ProxyView,
} from '../../reconciler/gateway/agent/proxy.ts';
import { NO_COUNTERS } from '../../reconciler/model/split.ts';
import type { NodeView, Split } from '../../reconciler/model/split.ts';
import type { Parts, Vector } from '../../reconciler/model/weights.ts';
import { WHOLE, apportion, total, weightOf } from '../../reconciler/model/weights.ts';
import type { FakePlatform } from './fake-platform.ts';

interface Server {
  readonly id: string;
  readonly address: string;
  mode: ProxyServer['mode'];
  state: 'checking' | 'up' | 'down';
  goodSince: number | undefined;
  sessionUntil: number;
  falls: number;
  drainingSince: number | undefined;
}

/** How long an instance has to answer before the proxy lets it in. */
const CHECK_MS = 1000;
const IDLE_MS = 4000;

/** A proxy that does what it is told, with checks, sessions and counters. */
class FakeProxy {
  readonly #platform: FakePlatform;
  readonly #random: () => number;
  #gateways: readonly ProxyGateway[] = [];
  readonly #servers = new Map<string, Server>();
  readonly #requests = new Map<string, number>();
  /** Gateways that nobody calls any more. */
  readonly idle = new Set<string>();

  constructor(platform: FakePlatform, random: () => number) {
    this.#platform = platform;
    this.#random = random;
  }

  get gateways(): readonly ProxyGateway[] {
    return this.#gateways;
  }

  apply(gateways: readonly ProxyGateway[], now: number): void {
    this.#gateways = gateways;
    const wanted = new Set<string>();
    for (const gateway of gateways) {
      for (const version of gateway.versions) {
        for (const server of version.servers) {
          wanted.add(this.#take(`${gateway.name} ${version.id}`, server, now));
        }
      }
    }
    for (const key of this.#servers.keys()) if (!wanted.has(key)) this.#servers.delete(key);
  }

  #take(seat: string, server: ProxyServer, now: number): string {
    const key = `${seat} ${server.id}`;
    const address = `${server.host}:${String(server.port)}`;
    const known = this.#servers.get(key);
    const same = known?.address === address ? known : undefined;
    const draining = server.mode === 'drain';
    this.#servers.set(key, {
      id: server.id,
      address,
      mode: server.mode,
      state: same?.state ?? 'checking',
      goodSince: same?.goodSince,
      sessionUntil: same?.sessionUntil ?? 0,
      falls: same?.falls ?? 0,
      drainingSince: draining ? (same?.drainingSince ?? now) : undefined,
    });
    return key;
  }

  tick(now: number): void {
    for (const server of this.#servers.values()) {
      const [host = '', port] = server.address.split(':');
      if (!this.#platform.answers(host, Number(port))) {
        // A new server gets time to start; one that served is down at once.
        if (server.state === 'up') {
          server.state = 'down';
          server.falls += 1;
        }
        server.goodSince = undefined;
        server.sessionUntil = 0;
        continue;
      }
      server.goodSince ??= now;
      if (now - server.goodSince >= CHECK_MS) server.state = 'up';
    }
    for (const gateway of this.#gateways) this.#serve(gateway, now);
  }

  #serve(gateway: ProxyGateway, now: number): void {
    if (this.idle.has(gateway.name)) return;
    for (const id of Object.keys(this.effective(gateway))) {
      const key = `${gateway.name} ${id}`;
      this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
      for (const server of this.#usable(gateway, id)) {
        if (server.sessionUntil > now || this.#random() < 0.6) continue;
        const long = this.#random() < 0.05;
        server.sessionUntil = now + this.#random() * (long ? 20_000 : IDLE_MS);
      }
    }
  }

  #serversOf(gateway: string, version: string): readonly Server[] {
    const seat = `${gateway} ${version} `;
    return [...this.#servers].filter(([key]) => key.startsWith(seat)).map(([, server]) => server);
  }

  #usable(gateway: ProxyGateway, id: string): readonly Server[] {
    return this.#serversOf(gateway.name, id).filter(
      (server) => server.mode === 'serve' && server.state === 'up',
    );
  }

  /** Who really gets the traffic: versions without a usable server yield (law 3). */
  effective(gateway: ProxyGateway): Vector {
    const weights: Record<string, Parts> = {};
    for (const version of gateway.versions) {
      if (version.weight > 0 && this.#usable(gateway, version.id).length > 0) {
        weights[version.id] = version.weight;
      }
    }
    if (total(weights) > 0) return apportion(WHOLE, weights);
    if (gateway.versions.every((version) => version.weight === 0)) return {};
    const next = gateway.fallback.find((id) => this.#usable(gateway, id).length > 0);
    return next === undefined ? {} : { [next]: WHOLE };
  }

  isUsable(gateway: ProxyGateway, id: string): boolean {
    return this.#usable(gateway, id).length > 0;
  }

  view(now: number): ProxyView {
    return {
      reloads: 0,
      gateways: this.#gateways.map((gateway) => this.#viewOf(gateway, now)),
    };
  }

  #viewOf(gateway: ProxyGateway, now: number): ProxyGatewayView {
    return {
      name: gateway.name,
      weights: Object.fromEntries(gateway.versions.map((one) => [one.id, one.weight])),
      versions: gateway.versions.map((version) => {
        const servers = this.#serversOf(gateway.name, version.id);
        const open = (server: Server): number => (server.sessionUntil > now ? 1 : 0);
        const requests = this.#requests.get(`${gateway.name} ${version.id}`) ?? 0;
        return {
          id: version.id,
          name: version.name,
          servers: servers.map((server) => ({
            id: server.id,
            address: server.address,
            state: server.mode === 'drain' ? ('draining' as const) : server.state,
            falls: server.falls,
            sessions: open(server),
          })),
          sessions: servers.reduce((sum, server) => sum + open(server), 0),
          counters: { ...NO_COUNTERS, requests },
        };
      }),
    };
  }
}

/** One agent with its proxy: the real keeper (law 16) over a fake proxy. */
export class FakeNode {
  readonly name: string;
  /** Splits that it holds on its disk. */
  keeper = new Keeper([]);
  readonly proxy: FakeProxy;
  /** The reconciler cannot reach it; it serves on. */
  reachable = true;
  /** The proxy does not take changes before this time. */
  lagUntil = 0;
  #seenChanges = -1;

  constructor(name: string, platform: FakePlatform, random: () => number) {
    this.name = name;
    this.proxy = new FakeProxy(platform, random);
  }

  /** One look of the agent: tasks, checks, and the proxy made true to both. */
  tick(platform: FakePlatform, now: number): void {
    if (!platform.down && (platform.changes !== this.#seenChanges || this.keeper.awaitsWord)) {
      this.#seenChanges = platform.changes;
      this.keeper.learnTasks(platform.allTasks(), now);
    }
    this.settle(now);
    this.proxy.tick(now);
    this.keeper.learnChecks(this.proxy.view(now));
    this.settle(now);
  }

  /** Its disk is new: what the reconciler wrote is gone, other owners' splits are kept. */
  wipe(owner: string): void {
    const kept = this.keeper.held.filter((held) => held.split.owner !== owner);
    this.keeper = new Keeper([...kept]);
    this.#seenChanges = -1;
  }

  settle(now: number): void {
    if (now >= this.lagUntil) this.proxy.apply(this.keeper.wanted(), now);
  }

  lookSoon(): void {
    this.#seenChanges = -1;
  }

  splits(): readonly Split[] {
    return this.keeper.held.map((held) => held.split);
  }

  view(now: number, owner: string): NodeView {
    if (!this.reachable) {
      const error = { code: 'node-unreachable', message: `${this.name} does not answer` };
      return { node: this.name, error, gateways: [] };
    }
    const views = this.keeper.views(this.proxy.view(now));
    return { node: this.name, gateways: views.filter((view) => view.split.owner === owner) };
  }
}

/** Gateways in memory, one or many nodes. */
export class FakeGateways implements Gateways {
  readonly abilities: GatewayAbilities = {
    weights: 'exact',
    protocols: ['http', 'tcp'],
    durable: true,
  };
  readonly nodes: readonly FakeNode[];
  readonly #owner: string;
  readonly #clock: () => number;

  constructor(nodes: readonly FakeNode[], owner: string, clock: () => number) {
    this.nodes = nodes;
    this.#owner = owner;
    this.#clock = clock;
  }

  async observe(): Promise<readonly NodeView[]> {
    return this.nodes.map((node) => node.view(this.#clock(), this.#owner));
  }

  async act(write: GatewayWrite): Promise<void> {
    const faults: string[] = [];
    let code = 'node-unreachable';
    for (const node of this.nodes) {
      if (write.kind === 'apply-split' && !(write.nodes?.includes(node.name) ?? true)) continue;
      try {
        this.#actOn(node, write);
      } catch (error) {
        if (!(error instanceof DriverError)) throw error;
        faults.push(`${node.name}: ${error.message}`);
        code = error.code;
      }
    }
    if (faults.length > 0) throw new DriverError(code, faults.join('; '), { retry: 'soon' });
  }

  #actOn(node: FakeNode, write: GatewayWrite): void {
    if (!node.reachable) {
      throw new DriverError('node-unreachable', 'does not answer', { retry: 'backoff' });
    }
    if (write.kind === 'apply-split') node.keeper.put(structuredClone(write.split));
    else node.keeper.remove(write.gateway, write.generation);
    node.lookSoon();
    node.settle(this.#clock());
  }
}

export function sharesOf(weights: Vector): string {
  return Object.keys(weights)
    .map((id) => `${id.split('/').at(-1) ?? id} ${String(weightOf(weights, id) / 100)}%`)
    .join(' ');
}
