import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { assertShortPath } from '../state-lock.ts';
import type { HaproxyFiles } from './config.ts';
import { MAP_NAMES, mapFile, mapFileText, type Maps } from './maps.ts';
import type { GatewaySlots } from './slots.ts';
import { Tally } from './tally.ts';

const counted = z.object({
  requests: z.number(),
  status2xx: z.number(),
  status4xx: z.number(),
  status5xx: z.number(),
  connectErrors: z.number(),
  retries: z.number(),
  aborts: z.number(),
});
const tallySchema = z.object({
  last: z.array(z.tuple([z.string(), counted])),
  totals: z.array(z.tuple([z.string(), counted])),
});
const slotsSchema = z.array(
  z.object({
    name: z.string(),
    port: z.int(),
    protocol: z.enum(['http', 'tcp']),
    slots: z.array(
      z.object({ check: z.enum(['http', 'connect']), version: z.string().exactOptional() }),
    ),
  }),
);

export function haproxyFiles(folder: string): HaproxyFiles {
  const at = (name: string): string => path.resolve(folder, name);
  const files: HaproxyFiles = {
    config: at('haproxy.cfg'),
    admin: at('admin.sock'),
    master: at('master.sock'),
    state: at('servers.state'),
    log: at('haproxy.log'),
    weights: at('weights.map'),
    fallback: at('fallback.map'),
    names: at('names.map'),
    checks: at('checks.map'),
  };
  assertShortPath(files.master);
  return files;
}

/** Old text or new text, never half; not synced, since the agent's own state can rebuild it. */
export async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function writeMaps(files: HaproxyFiles, maps: Maps): Promise<void> {
  for (const name of MAP_NAMES) await replaceFile(mapFile(files, name), mapFileText(maps[name]));
}

/** Which version lives in which slot. Lost: the next reload starts with empty slots. */
export async function readSlots(files: HaproxyFiles): Promise<readonly GatewaySlots[]> {
  return slotsSchema.safeParse(await readJson(slotsFile(files))).data ?? [];
}

export function writeSlots(files: HaproxyFiles, table: readonly GatewaySlots[]): Promise<void> {
  return replaceFile(slotsFile(files), JSON.stringify(table));
}

export async function readTally(files: HaproxyFiles): Promise<Tally> {
  return new Tally(tallySchema.safeParse(await readJson(tallyFile(files))).data);
}

export function writeTally(files: HaproxyFiles, tally: Tally): Promise<void> {
  return replaceFile(tallyFile(files), JSON.stringify(tally));
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function slotsFile(files: HaproxyFiles): string {
  return path.join(path.dirname(files.config), 'slots.json');
}

function tallyFile(files: HaproxyFiles): string {
  return path.join(path.dirname(files.config), 'counters.json');
}
