import type { NodeView, Split } from '../model/split.ts';

/** What a gateway driver can do; what it cannot is refused when a blueprint is compiled. */
export interface GatewayAbilities {
  readonly weights: 'exact' | 'instance-ratio' | 'none';
  readonly protocols: readonly ('http' | 'tcp')[];
  /** True if splits survive the reconciler and the proxy's host restarting. */
  readonly durable: boolean;
}

/** The gateways behind one driver: one or many proxy nodes that all hold the same splits. */
export interface Gateways {
  readonly abilities: GatewayAbilities;
  /** What every node really does. A node that cannot be seen is there with its error. */
  observe(signal: AbortSignal): Promise<readonly NodeView[]>;
  /** Does one write; throws `DriverError` naming the nodes that failed after trying all of them. */
  act(write: GatewayWrite, signal: AbortSignal): Promise<void>;
}

export type GatewayWrite =
  /** The whole split, to all nodes or to the named ones. */
  | { readonly kind: 'apply-split'; readonly split: Split; readonly nodes?: readonly string[] }
  /** Closes the listener and forgets the gateway; one that is gone already is fine. */
  | { readonly kind: 'remove-gateway'; readonly gateway: string; readonly generation: number };
