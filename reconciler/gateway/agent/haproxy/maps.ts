import type { ProxyGateway } from '../proxy.ts';
import { fallbackSeats, reduceWeights } from '../rotation.ts';
import type { HaproxyFiles } from './config.ts';
import { quote } from './runtime.ts';
import { backendOf } from './server-plan.ts';
import { backendName, frontendName, type GatewaySlots } from './slots.ts';

export type MapName = 'weights' | 'fallback' | 'names' | 'checks';
export type Maps = Readonly<Record<MapName, ReadonlyMap<string, string>>>;

export const MAP_NAMES: readonly MapName[] = ['names', 'checks', 'weights', 'fallback'];

const NOBODY = '-';

/** What the maps should say for these gateways. */
export function mapsOf(
  gateways: readonly { readonly gateway: ProxyGateway; readonly slots: GatewaySlots }[],
): Maps {
  const maps = { weights: new Map(), fallback: new Map(), names: new Map(), checks: new Map() };
  for (const { gateway, slots } of gateways) {
    const frontend = frontendName(gateway.name);
    maps.weights.set(frontend, weightsText(gateway, slots));
    maps.fallback.set(frontend, fallbackText(gateway, slots));
    for (const [index, slot] of slots.slots.entries()) {
      const version = gateway.versions.find((each) => each.id === slot.version);
      if (version === undefined) continue;
      maps.names.set(backendName(gateway.name, index), version.name);
      if (version.check !== undefined) {
        maps.checks.set(backendName(gateway.name, index), version.check.path);
      }
    }
  }
  return maps;
}

/** Weights in parts by slot, from the text of the map. */
export function readWeights(text: string | undefined): readonly number[] {
  const numbers = (text ?? '').split(':').map(Number);
  const scale = numbers.pop() ?? 1;
  return numbers.map((weight) => weight * scale);
}

/**
 * `show map`: an address, the key, the value, each line. Values have no blanks of their own. Keys
 * that are there twice count as their first, as HAProxy does.
 */
export function parseMap(text: string): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^\S+ (\S+) (.*)$/u.exec(line) ?? [];
    if (key !== undefined && value !== undefined && !map.has(key)) map.set(key, value);
  }
  return map;
}

/** Commands that turn what a map says into what it should say. What is not wanted stays: harmless. */
export function planMap(
  file: string,
  seen: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
): readonly string[] {
  const commands: string[] = [];
  for (const [key, value] of wanted) {
    if (seen.get(key) === value) continue;
    const verb = seen.has(key) ? 'set' : 'add';
    commands.push(`${verb} map ${file} ${quote(key)} ${quote(value)}`);
  }
  return commands;
}

export function mapFileText(map: ReadonlyMap<string, string>): string {
  return [...map].map(([key, value]) => `${key} ${value}\n`).join('');
}

export function mapFile(files: HaproxyFiles, name: MapName): string {
  return files[name];
}

function weightsText(gateway: ProxyGateway, slots: GatewaySlots): string {
  const parts = slots.slots.map(
    (slot) => gateway.versions.find((version) => version.id === slot.version)?.weight ?? 0,
  );
  const { weights, scale } = reduceWeights(parts);
  return [...weights, scale].join(':');
}

function fallbackText(gateway: ProxyGateway, slots: GatewaySlots): string {
  const backends = gateway.fallback.map((id) => backendOf(slots, id));
  const ranking = backends.filter((backend) => backend !== undefined);
  const length = slots.slots.length;
  const seats = fallbackSeats(gateway.versions, [...ranking.keys()]).slice(0, length);
  return seats.length === 0 ? NOBODY : seats.map((seat) => ranking[seat]).join(':');
}
