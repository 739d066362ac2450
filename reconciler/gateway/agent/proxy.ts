import type { ProxyCheck } from '../../model/desired.ts';
import type { Counters } from '../../model/split.ts';
import type { Parts, Vector } from '../../model/weights.ts';
import type { GatewayAbilities } from '../port.ts';

/**
 * What the agent's two proxies have in common. The agent says what should be, whole, and as often
 * as it likes; the proxy makes itself true to it and tells what it really does.
 */
export interface Proxy {
  readonly kind: 'haproxy' | 'embedded';
  readonly abilities: GatewayAbilities;
  /**
   * Makes the proxy true to these gateways and to no others. A fault of one gateway (its port is
   * taken) stops no other: it shows in `observe`. Servers settle in the background. One whose check
   * failed may wait for the `apply` after the `observe` that told so before it serves again.
   */
  apply(gateways: readonly ProxyGateway[], signal: AbortSignal): Promise<void>;
  observe(signal: AbortSignal): Promise<ProxyView>;
  /**
   * `stop` ends the proxy: its listeners close at once, requests in flight get a moment to finish.
   * `leave` only lets go of it: HAProxy serves on and the next agent adopts it; the embedded proxy
   * lives inside the agent, so there `leave` is `stop`.
   */
  close(mode: 'stop' | 'leave'): Promise<void>;
}

export interface ProxyGateway {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'http' | 'tcp';
  readonly versions: readonly ProxyVersion[];
  /** Ids of versions, best first: who serves when no version with weight has a usable server. */
  readonly fallback: readonly string[];
}

export interface ProxyVersion {
  readonly id: string;
  readonly name: string;
  readonly weight: Parts;
  readonly check?: ProxyCheck;
  readonly servers: readonly ProxyServer[];
}

export interface ProxyServer {
  /** Task id; `host:port` of an external route. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /**
   * `serve`: in rotation once the proxy's own check passes. `hold`: checked, but no requests.
   * `drain`: no new requests, what is open may end. A server that is no longer named at all is
   * drained, then forgotten.
   */
  readonly mode: 'serve' | 'hold' | 'drain';
}

export interface ProxyView {
  /** Times the proxy had to load a new structure since the agent first started it. */
  readonly reloads: number;
  readonly gateways: readonly ProxyGatewayView[];
}

export interface ProxyGatewayView {
  readonly name: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly weights: Vector;
  readonly versions: readonly ProxyVersionView[];
}

export interface ProxyVersionView {
  readonly id: string;
  readonly name: string;
  readonly servers: readonly ProxyServerView[];
  readonly sessions: number;
  readonly counters: Counters;
}

export interface ProxyServerView {
  readonly id: string;
  readonly address: string;
  /** As in ServerView: what the proxy's own check says, or that the server is leaving. */
  readonly state: 'checking' | 'up' | 'down' | 'draining';
  /** Times its check went from passing to failing; starts again at 0 whenever the proxy likes. */
  readonly falls: number;
  readonly sessions: number;
}

/** How both proxies probe servers and let go of them; all times in milliseconds. */
export interface ProxyTuning {
  /** Pause between two checks where the version does not say. */
  readonly checkIntervalMs: number;
  /**
   * A version without a check has to accept TCP connections for this long before it gets
   * requests. Many servers listen before they can serve; a plain connect proves little.
   */
  readonly connectHoldMs: number;
  /** How long a server that is no longer named may finish its sessions before they are cut. */
  readonly leaveMs: number;
  readonly connectTimeoutMs: number;
  /** Longest silence of a server or client inside a request. */
  readonly idleTimeoutMs: number;
}

export const TUNING: ProxyTuning = {
  checkIntervalMs: 2_000,
  connectHoldMs: 4_000,
  leaveMs: 60_000,
  connectTimeoutMs: 2_000,
  idleTimeoutMs: 120_000,
};
