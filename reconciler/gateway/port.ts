import type { GatewayWrite } from '../model/action.ts';
import type { NodeView } from '../model/split.ts';

export type { GatewayWrite } from '../model/action.ts';

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
