import type { ProxyGateway, ProxyTuning } from '../proxy.ts';
import type { ConfiguredGateway } from './config.ts';
import { addressText, serverText } from './server-plan.ts';
import { backendName, serverName, type GatewaySlots } from './slots.ts';
import { isDraining, isInMaintenance, isInRotation, type StatRow } from './stats.ts';
import { ownerKey } from './view.ts';

/** A gateway that has its port, with its slots. */
export interface Placed {
  readonly gateway: ProxyGateway;
  readonly slots: GatewaySlots;
}

export interface Surroundings {
  readonly rows: ReadonlyMap<string, readonly StatRow[]>;
  readonly tuning: ProxyTuning;
  readonly addressOf: (host: string) => string | undefined;
}

export function place(
  wanted: readonly ProxyGateway[],
  table: readonly GatewaySlots[],
): readonly Placed[] {
  return wanted.flatMap((gateway) => {
    const slots = table.find((each) => each.name === gateway.name);
    return slots === undefined ? [] : [{ gateway, slots }];
  });
}

/** The gateway with its servers as they are now, with the weights that they have now. */
export function configure(placed: Placed, around: Surroundings): ConfiguredGateway {
  const servers = placed.slots.slots.map(
    (_slot, index) =>
      [backendName(placed.gateway.name, index), serverLines(placed, index, around)] as const,
  );
  return { slots: placed.slots, servers: new Map(servers) };
}

/**
 * As a HAProxy that ended is to be started again (law 16): who was in rotation when it was last seen
 * and still should be keeps its seat, since HAProxy takes servers of its configuration for up until
 * their check fails. All others are left out, to enter by their checks.
 */
export function configureSeats(placed: Placed, around: Surroundings): ConfiguredGateway {
  const rows = new Map([...around.rows].map(([name, each]) => [name, each.filter(isInRotation)]));
  const versions = placed.gateway.versions.map((version) => ({
    ...version,
    servers: version.servers.filter((server) => server.mode === 'serve'),
  }));
  return configure({ ...placed, gateway: { ...placed.gateway, versions } }, { ...around, rows });
}

/** Which version a backend belongs to. */
export function ownersOf(table: readonly GatewaySlots[]): (backend: string) => string | undefined {
  const owners = new Map<string, string>();
  for (const { name, slots } of table) {
    for (const [index, slot] of slots.entries()) {
      if (slot.version === undefined) continue;
      owners.set(backendName(name, index), ownerKey(name, slot.version));
    }
  }
  return (backend) => owners.get(backend);
}

export function ownersIn(table: readonly GatewaySlots[]): readonly string[] {
  return table.flatMap(({ name, slots }) =>
    slots.flatMap((slot) => (slot.version === undefined ? [] : [ownerKey(name, slot.version)])),
  );
}

function serverLines(
  { gateway, slots }: Placed,
  index: number,
  { rows, tuning, addressOf }: Surroundings,
): readonly string[] {
  const version = gateway.versions.find((each) => each.id === slots.slots[index]?.version);
  if (version === undefined) return [];
  const seen = rows.get(backendName(gateway.name, index)) ?? [];
  return version.servers.flatMap((server) => {
    const row = seen.find((each) => each.server === serverName(server.id));
    const address = addressOf(server.host);
    if (row === undefined || address === undefined || isInMaintenance(row)) return [];
    if (row.address !== addressText(address, server.port)) return [];
    const weight = isDraining(row) ? 0 : row.weight;
    return [serverText(server, version, { address, tuning, weight })];
  });
}
