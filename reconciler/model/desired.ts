import type { MarathonApp } from './marathon-app.ts';
import type { Position } from './position.ts';
import type { Rollout } from './rollout.ts';

/** What git asks for, compiled and checked. */
export interface Desired {
  readonly deployments: readonly DesiredDeployment[];
  readonly gateways: readonly DesiredGateway[];
}

export interface DesiredDeployment {
  readonly name: string;
  /** The commit this was compiled from; older than the head while the file is faulty. */
  readonly revision: string;
  readonly versions: readonly DesiredVersion[];
  readonly origin: Position;
}

/** One definition of one service. Immutable but for its instance count. */
export interface DesiredVersion {
  readonly deployment: string;
  readonly cluster: string;
  /** The breed's name. */
  readonly service: string;
  /** `1-` (the format) and 16 hex digits over all that the author wrote; design section 6. */
  readonly digest: string;
  /** The readable id that a new app gets; `-2` is appended where it is taken. */
  readonly appId: string;
  /** The complete app without `id`, `instances` and Sluice's own labels. */
  readonly definition: MarathonApp;
  readonly instances: number;
  readonly ports: readonly VersionPort[];
  /** The rollout that stands nearest to the service: it paces its start and its retirement. */
  readonly rollout: Rollout;
  readonly origin: Position;
}

export interface VersionPort {
  readonly name: string;
  /** Position among the task's ports. */
  readonly index: number;
  readonly protocol: 'http' | 'tcp';
  /** What the proxy asks an instance before it gets traffic; undefined: a TCP connect. */
  readonly check?: ProxyCheck;
}

/** The proxy's own check: an HTTP GET that must answer 200 to 399. */
export interface ProxyCheck {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** One listening port and where its traffic is to go. */
export interface DesiredGateway {
  /** Identity: the port as text, so that a port keeps its traffic when its owner is renamed. */
  readonly name: string;
  /** What the author calls it: `simpleservice/10099`, or the stand-alone gateway's name. */
  readonly title: string;
  readonly port: number;
  readonly protocol: 'http' | 'tcp';
  /** The outer routes; their weights multiply with those of their members. */
  readonly routes: readonly DesiredRoute[];
  readonly rollout: Rollout;
  readonly origin: Position;
}

export interface DesiredRoute {
  /** Whole per cent; undefined where the author left it out. */
  readonly weight: number | undefined;
  readonly members: readonly RouteMember[];
}

export type RouteMember =
  | {
      readonly kind: 'version';
      readonly deployment: string;
      readonly cluster: string;
      readonly service: string;
      readonly digest: string;
      /** Name of the version's port. */
      readonly port: string;
      readonly weight: number | undefined;
    }
  | {
      readonly kind: 'external';
      /** `host:port`; not ours: weighted, never scaled. */
      readonly address: string;
      readonly weight: number | undefined;
    };

/** `shop/web/web:1.0`: the service that a version belongs to. */
export function serviceKey(of: {
  readonly deployment: string;
  readonly cluster: string;
  readonly service: string;
}): string {
  return `${of.deployment}/${of.cluster}/${of.service}`;
}
