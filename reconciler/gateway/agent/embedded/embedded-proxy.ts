import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { chooseSeat, fallbackSeats, reduceWeights } from '../rotation.ts';
import type { Proxy, ProxyGateway, ProxyGatewayView, ProxyTuning, ProxyView } from '../proxy.ts';
import { bindFault, type BindFault } from '../trial-bind.ts';
import { Backend } from './backend.ts';
import { createHttpServer } from './http-listener.ts';
import { relayConnection } from './tunnel.ts';

export interface EmbeddedOptions {
  /** Address on which gateways listen. */
  readonly bindHost: string;
  readonly tuning: ProxyTuning;
}

/** Requests in flight get this long when the proxy is stopped, in milliseconds. */
const STOP_MS = 1_000;

/** The proxy for where there is no HAProxy: one HTTP or TCP server per gateway, inside the agent. */
export function createEmbeddedProxy(options: EmbeddedOptions): Proxy {
  const gateways = new Map<string, EmbeddedGateway>();
  let first = true;
  const reaper = setInterval(() => {
    for (const gateway of gateways.values()) gateway.reap();
  }, 1_000);
  reaper.unref();

  return {
    kind: 'embedded',
    abilities: { weights: 'exact', protocols: ['http', 'tcp'], durable: true },
    async apply(wanted) {
      // What the first call names comes from the agent's disk: it served before.
      const holdMs = first ? 0 : options.tuning.connectHoldMs;
      first = false;
      const names = new Set(wanted.map((gateway) => gateway.name));
      for (const [name, gateway] of gateways) {
        if (names.has(name)) continue;
        gateways.delete(name);
        gateway.close();
      }
      for (const want of wanted) {
        const gateway = gateways.get(want.name) ?? new EmbeddedGateway(want, options);
        gateways.set(want.name, gateway);
        await gateway.apply(want, holdMs);
      }
    },
    observe(): Promise<ProxyView> {
      const views = [...gateways.values()].map((gateway) => gateway.view());
      return Promise.resolve({ reloads: 0, gateways: views });
    },
    async close() {
      clearInterval(reaper);
      const open = [...gateways.values()];
      gateways.clear();
      for (const gateway of open) gateway.close();
      const until = performance.now() + STOP_MS;
      while (open.some((gateway) => gateway.sessions > 0) && performance.now() < until) {
        await sleep(20);
      }
      for (const gateway of open) gateway.cut();
    },
  };
}

class EmbeddedGateway {
  #gateway: ProxyGateway;
  readonly #options: EmbeddedOptions;
  readonly #backends = new Map<string, Backend>();
  /** Versions that left the split, until their last session ends. */
  readonly #leaving = new Set<Backend>();
  #server: net.Server | undefined;
  #error: BindFault | undefined;
  /** Weights by place in the split, divided by their common divisor. */
  #reduced: readonly number[] = [];
  #count = 0;

  constructor(gateway: ProxyGateway, options: EmbeddedOptions) {
    this.#gateway = gateway;
    this.#options = options;
  }

  get sessions(): number {
    let open = 0;
    for (const backend of [...this.#backends.values(), ...this.#leaving]) open += backend.sessions;
    return open;
  }

  async apply(gateway: ProxyGateway, holdMs: number): Promise<void> {
    const moved =
      gateway.port !== this.#gateway.port || gateway.protocol !== this.#gateway.protocol;
    this.#gateway = gateway;
    this.#reduced = reduceWeights(gateway.versions.map((version) => version.weight)).weights;
    const ids = new Set(gateway.versions.map((version) => version.id));
    for (const [id, backend] of this.#backends) {
      if (ids.has(id)) continue;
      this.#backends.delete(id);
      this.#leaving.add(backend);
      backend.leave();
    }
    for (const version of gateway.versions) {
      const backend = this.#backends.get(version.id) ?? new Backend(version, this.#options.tuning);
      this.#backends.set(version.id, backend);
      backend.apply(version, holdMs);
    }
    if (moved) this.#unlisten();
    if (this.#server === undefined) await this.#listen();
  }

  /** Who takes the next request; undefined if nobody can. */
  choose(): Backend | undefined {
    const seats = this.#gateway.versions.flatMap((version, index) => {
      const backend = this.#backends.get(version.id);
      const weight = this.#reduced[index] ?? 0;
      return backend === undefined ? [] : [{ backend, weight, usable: backend.usable }];
    });
    this.#count += 1;
    const index = chooseSeat(seats, this.#count);
    if (index !== undefined) return seats[index]?.backend;
    const ranking = this.#gateway.fallback.map((id) =>
      seats.findIndex((seat) => seat.backend.version.id === id && seat.usable),
    );
    const found = fallbackSeats(seats, ranking).find((at) => at >= 0);
    return found === undefined ? undefined : seats[found]?.backend;
  }

  view(): ProxyGatewayView {
    const { name, versions } = this.#gateway;
    return {
      name,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      weights: Object.fromEntries(versions.map((version) => [version.id, version.weight])),
      versions: [...this.#backends.values()].map((backend) => backend.view()),
    };
  }

  reap(): void {
    for (const backend of this.#backends.values()) backend.reap();
    for (const backend of this.#leaving) {
      backend.reap();
      if (backend.sessions === 0) this.#leaving.delete(backend);
    }
  }

  close(): void {
    this.#unlisten();
    for (const backend of this.#backends.values()) backend.leave();
  }

  cut(): void {
    for (const backend of [...this.#backends.values(), ...this.#leaving]) backend.cut();
  }

  async #listen(): Promise<void> {
    const { tuning, bindHost } = this.#options;
    const server =
      this.#gateway.protocol === 'http'
        ? createHttpServer({ chooser: this, tuning })
        : net.createServer({ allowHalfOpen: true }, (client) => {
            const backend = this.choose();
            backend?.count('requests');
            if (backend === undefined) client.destroy();
            else void relayConnection(client, backend, tuning);
          });
    this.#error = await listen(server, this.#gateway.port, bindHost);
    if (this.#error === undefined) this.#server = server;
  }

  #unlisten(): void {
    const server = this.#server;
    this.#server = undefined;
    server?.close();
    if (server instanceof http.Server) server.closeIdleConnections();
  }
}

function listen(server: net.Server, port: number, host: string): Promise<BindFault | undefined> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(bindFault(error, port));
    });
    server.listen({ port, host, exclusive: true }, () => {
      server.removeAllListeners('error');
      server.on('error', () => {
        // accept() failed, as when descriptors run out: the listener itself stays.
      });
      resolve(undefined);
    });
  });
}
