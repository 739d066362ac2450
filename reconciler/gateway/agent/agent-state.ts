import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';

import type { Logger } from 'pino';
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

type AgentState = z.infer<typeof stateSchema>['gateways'];

const FILE = 'gateways.json';
/**
 * The same again, written first: a damaged file falls back to this one. It is as new as the other,
 * because the state before it would send requests by old weights and to servers that ended.
 */
const SECOND = 'gateways.json.previous';
/** What could not be read, kept for whoever wants to know why. */
const DAMAGED = 'gateways.json.damaged';

/**
 * Reads what an earlier agent held. No file: nothing. If neither file can be read the agent stops:
 * taking them for empty would close every gateway. Whichever was unreadable is written anew.
 */
export async function readAgentState(
  stateDir: string,
  logger: Logger,
): Promise<readonly HeldGateway[]> {
  const file = path.join(stateDir, FILE);
  const second = path.join(stateDir, SECOND);
  const read = await readState(file);
  const spare = await readState(second);
  const found = read.gateways ?? spare.gateways;
  if (found === undefined) {
    if (read.error === undefined && spare.error === undefined) return [];
    throw unreadable(file, second, read.error ?? spare.error);
  }
  if (read.gateways === undefined) {
    const cause = read.error ?? new Error('it is missing');
    logger.error({ err: cause, file, used: second }, 'the state cannot be read: using its copy');
  }
  if (read.text === spare.text) return found;
  try {
    if (read.error !== undefined) await rename(file, path.join(stateDir, DAMAGED));
    await writeAgentState(stateDir, found);
  } catch (error) {
    // It serves all the same; the next change is refused if the disk still takes nothing.
    logger.error({ err: error }, 'the state could not be written anew');
  }
  return found;
}

export async function writeAgentState(
  stateDir: string,
  gateways: readonly HeldGateway[],
): Promise<void> {
  const text = JSON.stringify({ format: 1, gateways });
  await writeDurably(path.join(stateDir, SECOND), text);
  await writeDurably(path.join(stateDir, FILE), text);
}

interface ReadState {
  readonly text?: string;
  readonly gateways?: AgentState;
  /** Unset also for a file that does not exist. */
  readonly error?: unknown;
}

async function readState(file: string): Promise<ReadState> {
  try {
    const text = await readFile(file, 'utf8');
    return { text, gateways: stateSchema.parse(JSON.parse(text)).gateways };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    return { error };
  }
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

function unreadable(file: string, second: string, cause: unknown): DriverError {
  return new DriverError(
    'state-unreadable',
    `neither ${file} nor ${second} can be read; mend one of them. Removing both closes all gateways ` +
      'of this node until the reconciler sends their splits again',
    { retry: 'never', cause },
  );
}
