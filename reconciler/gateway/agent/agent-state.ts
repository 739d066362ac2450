import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { DriverError } from '../../errors.ts';
import type { Split } from '../../model/split.ts';
import { splitSchema } from '../split-schema.ts';
import type { Endpoint } from './endpoints.ts';

/** What the agent keeps of one gateway. */
export interface HeldGateway {
  readonly split: Split;
  readonly endpoints: readonly Endpoint[];
}

const endpointSchema = z.object({
  version: z.string(),
  taskId: z.string(),
  host: z.string(),
  port: z.int(),
  health: z.enum(['healthy', 'unhealthy', 'unknown']),
  suspect: z.boolean(),
});

const stateSchema = z.object({
  format: z.literal(1),
  gateways: z.array(z.object({ split: splitSchema, endpoints: z.array(endpointSchema) })),
});

const FILE = 'gateways.json';

/**
 * Reads what an earlier agent held. No file: nothing. A file that cannot be read stops the agent:
 * taking it for empty would close every gateway.
 */
export async function readAgentState(stateDir: string): Promise<readonly HeldGateway[]> {
  const file = path.join(stateDir, FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw unreadable(file, error);
  }
  try {
    return stateSchema.parse(JSON.parse(text)).gateways;
  } catch (error) {
    throw unreadable(file, error);
  }
}

export function writeAgentState(stateDir: string, gateways: readonly HeldGateway[]): Promise<void> {
  return writeDurably(path.join(stateDir, FILE), JSON.stringify({ format: 1, gateways }));
}

/** Atomic and durable: after a crash the file holds the old text or the new one, whole. */
export async function writeDurably(file: string, text: string): Promise<void> {
  const draft = `${file}.new`;
  try {
    const writing = await open(draft, 'w', 0o600);
    try {
      await writing.writeFile(text);
      await writing.sync();
    } finally {
      await writing.close();
    }
    await rename(draft, file);
    const folder = await open(path.dirname(file), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    throw new DriverError('state-not-written', `cannot write ${file}`, {
      retry: 'backoff',
      cause: error,
    });
  }
}

function unreadable(file: string, cause: unknown): DriverError {
  return new DriverError(
    'state-unreadable',
    `${file} cannot be read; mend or remove it (without it the agent starts with no gateways)`,
    { retry: 'never', cause },
  );
}
