import { createHash } from 'node:crypto';

import type { ProxyGateway, ProxyVersion } from '../proxy.ts';

/**
 * HAProxy cannot make backends at run time, so each gateway has a few ready: a slot is a backend
 * that a version moves into. Only what this file calls structure needs a reload.
 */
export interface Slot {
  /** Kind of check, fixed in the configuration: an HTTP GET or a plain connect. */
  readonly check: 'http' | 'connect';
  /** The version that lives here, or that is leaving; undefined: free. */
  readonly version?: string;
}

export interface GatewaySlots {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'http' | 'tcp';
  readonly slots: readonly Slot[];
}

/** One stable, one candidate, one leaving, one spare. */
const SLOTS = 4;

export function frontendName(gateway: string): string {
  return `sluice-${gateway}`;
}

/** Slots count from 0, backends from 1. */
export function backendName(gateway: string, slot: number): string {
  return `sluice-${gateway}_${String(slot + 1)}`;
}

/** HAProxy allows letters, digits and `_.:-` in names; a task id mostly is one as it stands. */
export function serverName(id: string): string {
  if (/^[A-Za-z0-9_.:-]{1,200}$/u.test(id)) return id;
  return `t-${createHash('sha256').update(id).digest('hex').slice(0, 32)}`;
}

export function checkKind(version: ProxyVersion): Slot['check'] {
  return version.check === undefined ? 'connect' : 'http';
}

/**
 * Gives every version of the gateway a slot. Versions stay where they are; a new one takes a free
 * slot of its kind of check, else any free one, else a new one is added. `isEmpty` tells whether
 * nobody is left in a slot; a slot whose version left the split is kept until then.
 */
export function assignSlots(
  before: GatewaySlots | undefined,
  gateway: ProxyGateway,
  isEmpty: (slot: number) => boolean,
): GatewaySlots {
  const slots = (before?.slots ?? freshSlots(gateway)).map((slot, index) =>
    keepSlot(slot, index, { gateway, isEmpty }),
  );
  for (const version of gateway.versions) {
    const check = checkKind(version);
    if (slots.some((slot) => slot.version === version.id)) continue;
    const free = slots.findIndex((slot) => slot.version === undefined && slot.check === check);
    const other = slots.findIndex((slot) => slot.version === undefined);
    const at = free >= 0 ? free : other >= 0 ? other : slots.length;
    slots[at] = { check, version: version.id };
  }
  const { name, port, protocol } = gateway;
  return { name, port, protocol, slots };
}

/** Where the version lives; undefined if it has no slot. */
export function slotOf(slots: GatewaySlots, version: string): number | undefined {
  const at = slots.slots.findIndex((slot) => slot.version === version);
  return at >= 0 ? at : undefined;
}

/** Two tables with the same text need no reload between them. */
export function structureOf(table: readonly GatewaySlots[]): string {
  const rows = table.map(({ name, port, protocol, slots }) => [
    name,
    port,
    protocol,
    slots.map((slot) => slot.check),
  ]);
  return JSON.stringify(rows.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)));
}

function freshSlots(gateway: ProxyGateway): readonly Slot[] {
  const [first] = gateway.versions;
  const check = first === undefined ? 'http' : checkKind(first);
  return Array.from({ length: SLOTS }, () => ({ check }));
}

function keepSlot(
  slot: Slot,
  index: number,
  seen: { readonly gateway: ProxyGateway; readonly isEmpty: (slot: number) => boolean },
): Slot {
  if (slot.version === undefined) return slot;
  const version = seen.gateway.versions.find((each) => each.id === slot.version);
  if (version !== undefined && checkKind(version) === slot.check) return slot;
  if (version !== undefined) return { check: checkKind(version), version: version.id };
  return seen.isEmpty(index) ? { check: slot.check } : slot;
}
