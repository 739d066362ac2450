import type { ProxyCheck } from './desired.ts';
import type { Parts, Vector } from './weights.ts';

/**
 * What the reconciler tells a gateway: versions, weights and who is leaving. Whole and numbered: a
 * driver applies all of it or nothing. It carries what must outlive the reconciler's own memory.
 */
export interface Split {
  /** The gateway's name: its port as text. */
  readonly gateway: string;
  readonly title: string;
  /** Owner label of the Sluice that wrote it; others never touch it. */
  readonly owner: string;
  /** Grows by one with every change. Agents refuse a lower one. */
  readonly generation: number;
  readonly port: number;
  readonly protocol: 'http' | 'tcp';
  readonly versions: readonly SplitVersion[];
  /**
   * Who serves, best first, when no version with weight has a usable server: stable's versions,
   * then the candidate, never a rejected one (law 3).
   */
  readonly fallback: readonly string[];
  readonly memory: GatewayMemory;
}

export interface SplitVersion {
  /** The app's id, or `host:port` of an external route. */
  readonly id: string;
  /** Value of the `x-sluice-version` response header: `simpleservice:0.9@1a2b3c4d`. */
  readonly name: string;
  readonly weight: Parts;
  readonly source:
    | {
        readonly kind: 'app';
        readonly appId: string;
        /** `deployment/cluster/breed`. */
        readonly service: string;
        readonly digest: string;
        readonly portIndex: number;
      }
    | { readonly kind: 'external'; readonly host: string; readonly port: number };
  readonly check?: ProxyCheck;
  /** Tasks that are leaving: no new requests, open sessions may end. */
  readonly draining: readonly string[];
}

/** What is unsafe to lose, so every agent keeps it on its disk (design section 9). */
export interface GatewayMemory {
  readonly stable?: Stable;
  /** The gateway's first deployment is under way: no steps, straight to the target. */
  readonly first?: true;
  readonly rejected: readonly Rejection[];
}

/** The last vector that was the target, seen everywhere, its last bake passed. */
export interface Stable {
  readonly vector: Vector;
  /** Epoch milliseconds at which it became stable. */
  readonly since: number;
}

export interface Rejection {
  readonly digest: string;
  /** `deployment/cluster/breed`. */
  readonly service: string;
  readonly reason: string;
  readonly message: string;
  readonly at: number;
  readonly revision: string;
  /** Hash of the rollout under which it failed: another rollout is another try. */
  readonly rollout: string;
}

/** What one proxy node says of all its gateways; an unreachable node has an error instead. */
export interface NodeView {
  readonly node: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly gateways: readonly GatewayView[];
}

export interface GatewayView {
  /** The split that the agent holds. */
  readonly split: Split;
  /** True if the proxy really does what the split says, read back from the proxy. */
  readonly applied: boolean;
  /** Why not, as `port-in-use`. */
  readonly error?: { readonly code: string; readonly message: string };
  /** Weights as the proxy has them, before any version yields. */
  readonly weights: Vector;
  readonly versions: readonly VersionView[];
}

export interface VersionView {
  readonly id: string;
  readonly servers: readonly ServerView[];
  /** Open sessions over all workers of the proxy, stopping ones included. */
  readonly sessions: number;
  readonly counters: Counters;
}

export interface ServerView {
  /** Task id; `host:port` of an external route. */
  readonly id: string;
  readonly address: string;
  /** `checking`: added, its own check has not passed yet. */
  readonly state: 'checking' | 'up' | 'down' | 'draining';
  /** Marathon's word, as the agent last heard it. */
  readonly health: 'healthy' | 'unhealthy' | 'unknown';
  readonly sessions: number;
}

/** Counted since the agent first saw the version; worker restarts are already added up. */
export interface Counters {
  readonly requests: number;
  readonly status2xx: number;
  readonly status4xx: number;
  readonly status5xx: number;
  readonly connectErrors: number;
  readonly retries: number;
  readonly aborts: number;
  readonly inFlight: number;
}

export const NO_COUNTERS: Counters = {
  requests: 0,
  status2xx: 0,
  status4xx: 0,
  status5xx: 0,
  connectErrors: 0,
  retries: 0,
  aborts: 0,
  inFlight: 0,
};

/** Usable at this proxy: its check is up and Marathon's health is not negative. */
export function isUsable(server: ServerView): boolean {
  return server.state === 'up' && server.health !== 'unhealthy';
}

export function vectorOf(split: Split): Vector {
  return Object.fromEntries(split.versions.map((version) => [version.id, version.weight]));
}
