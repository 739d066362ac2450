import type {
  ProxyGateway,
  ProxyGatewayView,
  ProxyServerView,
  ProxyVersion,
  ProxyVersionView,
} from '../proxy.ts';
import { readWeights, type Maps } from './maps.ts';
import { backendOf, type ServerMemory } from './server-plan.ts';
import { frontendName, serverName, slotOf, type GatewaySlots } from './slots.ts';
import { checkPasses, isDown, isDraining, isInMaintenance, type StatRow } from './stats.ts';
import type { Tally } from './tally.ts';

/** One worker's rows by backend, with what its backends belonged to. */
export interface Reading {
  readonly rows: ReadonlyMap<string, readonly StatRow[]>;
  readonly ownerOf: (backend: string) => string | undefined;
}

export interface ViewInput {
  readonly slots: GatewaySlots;
  readonly maps: Maps;
  readonly current: Reading;
  /** Workers that are stopping. */
  readonly old: readonly Reading[];
  readonly tally: Tally;
  readonly memory: ServerMemory;
}

/** Versions are told apart by gateway: the same app may be behind several. */
export function ownerKey(gateway: string, version: string): string {
  return `${gateway} ${version}`;
}

/** What HAProxy does for one gateway, read back from its workers. */
export function viewGateway(gateway: ProxyGateway, input: ViewInput): ProxyGatewayView {
  const weights = readWeights(input.maps.weights.get(frontendName(gateway.name)));
  return {
    name: gateway.name,
    weights: Object.fromEntries(
      gateway.versions.map((version) => {
        const slot = slotOf(input.slots, version.id);
        return [version.id, slot === undefined ? 0 : (weights[slot] ?? 0)];
      }),
    ),
    versions: gateway.versions.map((version) => viewVersion(gateway, version, input)),
  };
}

function viewVersion(
  gateway: ProxyGateway,
  version: ProxyVersion,
  input: ViewInput,
): ProxyVersionView {
  const backend = backendOf(input.slots, version.id) ?? '';
  const owner = ownerKey(gateway.name, version.id);
  const places = [
    input.current.rows.get(backend) ?? [],
    ...input.old.map((reading) => rowsOwned(reading, owner)),
  ];
  const all = places.flat();
  const sessions = sum(all.filter((row) => row.server === 'BACKEND'));
  const servers = (places[0] ?? [])
    .filter((row) => row.server !== 'BACKEND')
    .map((row) => {
      const open = sum(all.filter((each) => each.server === row.server));
      return viewServer(row, version, { open, memory: input.memory });
    });
  return {
    id: version.id,
    name: input.maps.names.get(backend) ?? '',
    servers,
    sessions,
    counters: { ...input.tally.countedOf(owner), inFlight: sessions },
  };
}

function viewServer(
  row: StatRow,
  version: ProxyVersion,
  about: { readonly open: number; readonly memory: ServerMemory },
): ProxyServerView {
  const server = version.servers.find((each) => serverName(each.id) === row.server);
  return {
    id: server?.id ?? row.server,
    address: server === undefined ? row.address : `${server.host}:${String(server.port)}`,
    state: stateOf(row, server?.mode, about.memory),
    falls: row.falls,
    sessions: about.open,
  };
}

function stateOf(
  row: StatRow,
  mode: 'serve' | 'hold' | 'drain' | undefined,
  memory: ServerMemory,
): ProxyServerView['state'] {
  if (mode === undefined || isDraining(row)) return 'draining';
  if (isInMaintenance(row)) return 'checking';
  if (isDown(row)) {
    return memory.unproven.has(`${row.backend}/${row.server}`) ? 'checking' : 'down';
  }
  if (row.weight > 0) return 'up';
  return mode === 'hold' && checkPasses(row) ? 'up' : 'checking';
}

function rowsOwned(reading: Reading, owner: string): readonly StatRow[] {
  for (const [backend, rows] of reading.rows) if (reading.ownerOf(backend) === owner) return rows;
  return [];
}

function sum(rows: readonly StatRow[]): number {
  return rows.reduce((open, row) => open + row.sessions, 0);
}
