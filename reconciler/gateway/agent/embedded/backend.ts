import http from 'node:http';

import { NO_COUNTERS, type Counters } from '../../../model/split.ts';
import type {
  ProxyServer,
  ProxyServerView,
  ProxyTuning,
  ProxyVersion,
  ProxyVersionView,
} from '../proxy.ts';
import { startCheck, UNCHECKED, type RunningCheck } from './check.ts';

/** One server of one version. */
export interface Upstream {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly agent: http.Agent;
  check: RunningCheck;
  mode: ProxyServer['mode'];
  /** Falls that were reported, and those that whoever commands the proxy has answered. */
  readonly falls: { reported: number; answered: number };
  /** Milliseconds since when it is no longer named; undefined while it is. */
  leavingSince: number | undefined;
  /** Ends one open session each. */
  readonly sessions: Set<() => void>;
}

/** Idle connections to a server are closed before most servers close them (often 5 to 65 s). */
const IDLE_CONNECTION_MS = 4_000;

/** One version of one gateway: its servers, taken in turn, and what was counted. */
export class Backend {
  version: ProxyVersion;
  readonly #upstreams = new Map<string, Upstream>();
  readonly #tuning: ProxyTuning;
  readonly #counted: { -readonly [key in keyof Counters]: Counters[key] } = { ...NO_COUNTERS };
  #turn = 0;

  constructor(version: ProxyVersion, tuning: ProxyTuning) {
    this.version = version;
    this.#tuning = tuning;
  }

  get usable(): boolean {
    for (const upstream of this.#upstreams.values()) if (mayServe(upstream)) return true;
    return false;
  }

  get sessions(): number {
    let open = 0;
    for (const upstream of this.#upstreams.values()) open += upstream.sessions.size;
    return open;
  }

  /** The next server in turn, one that was not tried yet if there is one. */
  pick(tried: ReadonlySet<Upstream>): Upstream | undefined {
    const serving = [...this.#upstreams.values()].filter(mayServe);
    const fresh = serving.filter((upstream) => !tried.has(upstream));
    const from = fresh.length > 0 ? fresh : serving;
    this.#turn += 1;
    return from[this.#turn % Math.max(1, from.length)];
  }

  count(what: keyof Counters, by = 1): void {
    this.#counted[what] += by;
  }

  countStatus(status: number): void {
    if (status >= 200 && status < 300) this.count('status2xx');
    else if (status >= 400 && status < 500) this.count('status4xx');
    else if (status >= 500) this.count('status5xx');
  }

  /** `holdMs`: how long a new server has to accept connections where the version has no check. */
  apply(version: ProxyVersion, holdMs: number): void {
    const sameCheck = JSON.stringify(version.check) === JSON.stringify(this.version.check);
    this.version = version;
    const named = new Set<string>();
    for (const server of version.servers) {
      const key = `${server.id} ${server.host}:${String(server.port)}`;
      named.add(key);
      const upstream = this.#upstreams.get(key) ?? this.#add(key, server, holdMs);
      if (!sameCheck) this.#recheck(upstream);
      upstream.mode = server.mode;
      upstream.falls.answered = upstream.falls.reported;
      upstream.leavingSince = undefined;
    }
    for (const [key, upstream] of this.#upstreams) {
      if (!named.has(key)) upstream.leavingSince ??= performance.now();
    }
    this.reap();
  }

  /** Forgets servers that left and are quiet; cuts those that had their time. */
  reap(): void {
    const latest = performance.now() - this.#tuning.leaveMs;
    for (const [key, upstream] of this.#upstreams) {
      if (upstream.leavingSince === undefined) continue;
      if (upstream.leavingSince < latest) for (const end of upstream.sessions) end();
      if (upstream.sessions.size > 0) continue;
      upstream.check.close();
      upstream.agent.destroy();
      this.#upstreams.delete(key);
    }
  }

  /** No new requests from now on; sessions may end. */
  leave(): void {
    this.apply({ ...this.version, weight: 0, servers: [] }, 0);
  }

  cut(): void {
    for (const upstream of this.#upstreams.values()) {
      for (const end of upstream.sessions) end();
      upstream.check.close();
      upstream.agent.destroy();
    }
    this.#upstreams.clear();
  }

  /** What it is like; whoever asks has heard of every server that fell. */
  view(): ProxyVersionView {
    const { id, name } = this.version;
    const servers = [...this.#upstreams.values()].map(report);
    const counters = { ...this.#counted, inFlight: this.sessions };
    return { id, name, servers, sessions: this.sessions, counters };
  }

  #add(key: string, server: ProxyServer, holdMs: number): Upstream {
    const { id, host, port, mode } = server;
    const { check } = this.version;
    const rules = { check, tuning: this.#tuning, holdMs: check === undefined ? holdMs : 0 };
    const upstream: Upstream = {
      id,
      host,
      port,
      mode,
      agent: new http.Agent({ keepAlive: true, timeout: IDLE_CONNECTION_MS }),
      check: startCheck({ host, port, ...rules, from: UNCHECKED }),
      falls: { reported: 0, answered: 0 },
      leavingSince: undefined,
      sessions: new Set(),
    };
    this.#upstreams.set(key, upstream);
    return upstream;
  }

  #recheck(upstream: Upstream): void {
    const { host, port, check } = upstream;
    check.close();
    const rules = { check: this.version.check, tuning: this.#tuning, holdMs: 0 };
    upstream.check = startCheck({ host, port, ...rules, from: check.record });
  }
}

/**
 * A server whose check failed stays out until that was reported and answered: it may be another one
 * by now, and only whoever knows the tasks can tell.
 */
function mayServe(upstream: Upstream): boolean {
  return upstream.mode === 'serve' && upstream.leavingSince === undefined && isUp(upstream);
}

function isUp({ check, falls }: Upstream): boolean {
  return check.record.state === 'up' && check.record.falls === falls.answered;
}

function report(upstream: Upstream): ProxyServerView {
  const { record } = upstream.check;
  upstream.falls.reported = record.falls;
  const leaving = upstream.leavingSince !== undefined || upstream.mode === 'drain';
  const waits = upstream.mode === 'serve' && record.state === 'up' && !isUp(upstream);
  return {
    id: upstream.id,
    address: `${upstream.host}:${String(upstream.port)}`,
    state: leaving ? 'draining' : waits ? 'checking' : record.state,
    falls: record.falls,
    sessions: upstream.sessions.size,
  };
}
