import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { DriverError } from '../errors.ts';
import { isBusy } from './sqlite-fault.ts';

/** The last moment that a Date can show. */
const MAX_DATE = 8.64e15;

/** Who holds the lock, as it said itself: process id, and start in epoch milliseconds. */
export type Writer = Readonly<z.infer<typeof Writer>>;
const Writer = z.object({ pid: z.int(), since: z.number().min(0).max(MAX_DATE) });

export interface WriterLock {
  release(): void;
}

const LOCK_FILE = 'writer.lock';
/** A second file: closing any descriptor of the locked file would drop the lock (fcntl(2)). */
const HOLDER_FILE = 'writer.json';
/** Long enough to outwait somebody who only looks, as `findWriter` does. */
const PATIENCE_MS = 250;
/** A connection that is collected as garbage would take its lock with it. */
const HELD = new Set<DatabaseSync>();

/**
 * Makes this process the one writer of a state directory, until `release` or the end of the process
 * however it ends: the kernel keeps the lock (ADR 0005). Local disks only.
 *
 * @throws DriverError `second-reconciler` naming the holder, `state-dir-unwritable`.
 */
export function lockWriter(stateDir: string, now: () => number = Date.now): WriterLock {
  const db = lock(stateDir, PATIENCE_MS);
  if (db === undefined) throw secondReconciler(stateDir);
  HELD.add(db);
  introduce(stateDir, { pid: process.pid, since: now() });
  return {
    release() {
      if (!db.isOpen) return;
      rmSync(join(stateDir, HOLDER_FILE), { force: true });
      db.close();
      HELD.delete(db);
    },
  };
}

/**
 * Whether a reconciler is alive on this state directory: `apply` hands over to it then. The holder
 * is undefined where it could not say who it is.
 */
export function findWriter(stateDir: string): { readonly holder: Writer | undefined } | undefined {
  const db = lock(stateDir, 0);
  if (db === undefined) return { holder: readHolder(stateDir) };
  db.close();
  return undefined;
}

/** The open lock; undefined if another process, or this one, has it. */
function lock(stateDir: string, timeout: number): DatabaseSync | undefined {
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    db = new DatabaseSync(join(stateDir, LOCK_FILE), { timeout });
    // Nothing is ever written into it, so no rollback journal has to be left on the disk.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    if (isBusy(error)) return undefined;
    const said = error instanceof Error ? error.message : String(error);
    throw new DriverError(
      'state-dir-unwritable',
      `The state directory ${stateDir} cannot be used: ${said}. Give Sluice the right to write there, or set state_dir`,
      { retry: 'never', cause: error },
    );
  }
}

function introduce(stateDir: string, writer: Writer): void {
  const file = join(stateDir, HOLDER_FILE);
  try {
    rmSync(file, { force: true });
    writeFileSync(file, `${JSON.stringify(writer)}\n`, { mode: 0o600 });
  } catch {
    // The text only helps a person; a full disk must not keep the reconciler from its work.
  }
}

function readHolder(stateDir: string): Writer | undefined {
  try {
    return Writer.parse(JSON.parse(readFileSync(join(stateDir, HOLDER_FILE), 'utf8')));
  } catch {
    return undefined;
  }
}

function secondReconciler(stateDir: string): DriverError {
  const holder = readHolder(stateDir);
  const who =
    holder === undefined
      ? 'Another Sluice'
      : `Another Sluice (pid ${String(holder.pid)}, since ${new Date(holder.since).toISOString()})`;
  return new DriverError(
    'second-reconciler',
    `${who} is at work on ${stateDir}. Let it work, end it first, or give this one a state_dir of its own`,
    { retry: 'never' },
  );
}
