import net from 'node:net';

import type { ProxyGateway, ProxyServer, ProxyTuning, ProxyVersion } from '../proxy.ts';
import { backendName, serverName, slotOf, type GatewaySlots } from './slots.ts';
import { checkPasses, isDown, isDraining, isInMaintenance, type StatRow } from './stats.ts';

/** What the runtime API cannot be asked: since when. Keys are `backend/server`, times milliseconds. */
export interface ServerMemory {
  /** Added, its check has not passed yet. */
  readonly unproven: Set<string>;
  /** Since when the check passes without a break. */
  readonly passingSince: Map<string, number>;
  readonly leavingSince: Map<string, number>;
  /** Served before the proxy started: no hold, one passed check is enough. */
  readonly trusted: Set<string>;
}

export interface ServerPlanInput {
  readonly gateway: ProxyGateway;
  readonly slots: GatewaySlots;
  readonly rows: ReadonlyMap<string, readonly StatRow[]>;
  readonly memory: ServerMemory;
  readonly now: number;
  readonly tuning: ProxyTuning;
  /** Address by host name; HAProxy takes addresses only in servers that are added at run time. */
  readonly addressOf: (host: string) => string | undefined;
}

export interface ServerPlan {
  readonly commands: readonly string[];
  /** Somebody still waits for a check or for his last session. */
  readonly unsettled: boolean;
}

/** The next commands that bring the servers of one gateway closer to what is wanted. */
export function planServers(input: ServerPlanInput): ServerPlan {
  const commands: string[] = [];
  let unsettled = false;
  for (const [index, slot] of input.slots.slots.entries()) {
    const backend = backendName(input.gateway.name, index);
    const version = input.gateway.versions.find((each) => each.id === slot.version);
    const plan = planBackend(backend, version, input);
    commands.push(...plan.commands);
    unsettled ||= plan.unsettled;
  }
  return { commands, unsettled };
}

/** The definition of a server, as in the configuration and in `add server`. */
export function serverText(
  server: ProxyServer,
  version: ProxyVersion,
  input: { readonly address: string; readonly tuning: ProxyTuning; readonly weight: number },
): string {
  const inter = version.check?.intervalMs ?? input.tuning.checkIntervalMs;
  return [
    serverName(server.id),
    addressText(input.address, server.port),
    `check inter ${String(inter)}ms fastinter ${String(Math.min(250, inter))}ms`,
    `downinter ${String(Math.min(1_000, inter))}ms fall 2 rise 2`,
    // One refused connection and one failed check, which then comes at once, put a server down.
    'observe layer4 error-limit 1 on-error sudden-death',
    `weight ${String(input.weight)}`,
  ].join(' ');
}

/** As HAProxy writes addresses: an IPv6 one in brackets. */
export function addressText(address: string, port: number): string {
  return `${net.isIPv6(address) ? `[${address}]` : address}:${String(port)}`;
}

/** A gateway's version with the name of its backend; undefined while it has no slot. */
export function backendOf(slots: GatewaySlots, version: string): string | undefined {
  const slot = slotOf(slots, version);
  return slot === undefined ? undefined : backendName(slots.name, slot);
}

function planBackend(
  backend: string,
  version: ProxyVersion | undefined,
  input: ServerPlanInput,
): ServerPlan {
  const rows = (input.rows.get(backend) ?? []).filter((row) => row.server !== 'BACKEND');
  const commands: string[] = [];
  let unsettled = false;
  const named = new Set<string>();
  for (const server of version?.servers ?? []) {
    const plan = version && planServer(backend, server, { version, rows, input });
    if (plan === undefined) continue;
    named.add(serverName(server.id));
    commands.push(...plan.commands);
    unsettled ||= plan.unsettled;
  }
  for (const row of rows) {
    if (named.has(row.server)) continue;
    commands.push(...planLeaving(row, input));
    unsettled = true;
  }
  return { commands, unsettled };
}

/** Undefined if the server has to wait: no address, or its name still stands for another address. */
function planServer(
  backend: string,
  server: ProxyServer,
  about: {
    readonly version: ProxyVersion;
    readonly rows: readonly StatRow[];
    readonly input: ServerPlanInput;
  },
): ServerPlan | undefined {
  const { version, rows, input } = about;
  const address = input.addressOf(server.host);
  if (address === undefined) return undefined;
  const row = rows.find((each) => each.server === serverName(server.id));
  if (row === undefined) return planNew(backend, server, { version, address, input });
  if (row.address !== addressText(address, server.port)) return undefined;
  return planKnown(row, server, version, input);
}

function planNew(
  backend: string,
  server: ProxyServer,
  about: { version: ProxyVersion; address: string; input: ServerPlanInput },
): ServerPlan {
  if (server.mode === 'drain') return { commands: [], unsettled: false };
  const { version, address, input } = about;
  const place = `${backend}/${serverName(server.id)}`;
  input.memory.unproven.add(place);
  input.memory.passingSince.delete(place);
  const text = serverText(server, version, { address, tuning: input.tuning, weight: 0 });
  return {
    commands: [`add server ${backend}/${text}`, `enable health ${place}`, `enable server ${place}`],
    unsettled: true,
  };
}

function planKnown(
  row: StatRow,
  server: ProxyServer,
  version: ProxyVersion,
  input: ServerPlanInput,
): ServerPlan {
  const place = `${row.backend}/${row.server}`;
  input.memory.leavingSince.delete(place);
  if (server.mode === 'drain') {
    return { commands: planDrain(row, place), unsettled: false };
  }
  if (isInMaintenance(row)) {
    // A crash between `add` and `enable`, or a server that was about to be deleted.
    return {
      commands: [
        `set server ${place} weight 0`,
        `enable health ${place}`,
        `enable server ${place}`,
      ],
      unsettled: true,
    };
  }
  const ready = isDraining(row)
    ? [`set server ${place} weight 0`, `set server ${place} state ready`]
    : [];
  const held = hasHeld(row, place, version, input);
  if (server.mode === 'hold') {
    const off = row.weight > 0 && ready.length === 0 ? [`set server ${place} weight 0`] : [];
    return { commands: [...ready, ...off], unsettled: false };
  }
  if (row.weight > 0 && ready.length === 0) return { commands: [], unsettled: false };
  if (!held) return { commands: ready, unsettled: true };
  return { commands: [...ready, `set server ${place} weight 1`], unsettled: false };
}

function hasHeld(
  row: StatRow,
  place: string,
  version: ProxyVersion,
  input: ServerPlanInput,
): boolean {
  const { memory, now, tuning } = input;
  if (!checkPasses(row)) {
    memory.passingSince.delete(place);
    return false;
  }
  const since = memory.passingSince.get(place) ?? now;
  memory.passingSince.set(place, since);
  const proven = !memory.unproven.has(place) || memory.trusted.has(place);
  const holdMs = version.check === undefined && !proven ? tuning.connectHoldMs : 0;
  if (now - since < holdMs) return false;
  memory.unproven.delete(place);
  return true;
}

/**
 * No new requests. While a server is down nothing shows that it drains; its weight of 0 does, and
 * keeps the command from being repeated at every look.
 */
function planDrain(row: StatRow, place: string): readonly string[] {
  if (isDraining(row) || (isDown(row) && row.weight === 0)) return [];
  const drain = `set server ${place} state drain`;
  return isDown(row) ? [`set server ${place} weight 0`, drain] : [drain];
}

/**
 * Drain, wait for the last session, maintenance, delete: in this order no connection is left over. A
 * server that is down gets no new ones, so it need not be seen draining first.
 */
function planLeaving(row: StatRow, input: ServerPlanInput): readonly string[] {
  const { memory, now, tuning } = input;
  const place = `${row.backend}/${row.server}`;
  const since = memory.leavingSince.get(place) ?? now;
  memory.leavingSince.set(place, since);
  if (isInMaintenance(row)) return [`set server ${place} state maint`, `del server ${place}`];
  if (!isDraining(row) && !isDown(row)) return planDrain(row, place);
  if (row.sessions + row.queued === 0) {
    return [`set server ${place} state maint`, `del server ${place}`];
  }
  if (row.sessions > 0 && now - since > tuning.leaveMs) {
    return [`shutdown sessions server ${place}`];
  }
  return planDrain(row, place);
}
