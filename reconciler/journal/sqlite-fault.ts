import { DriverError } from '../errors.ts';

/** Primary result codes of SQLite, the low byte of what `node:sqlite` reports as `errcode`. */
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
/** PERM, READONLY, IOERR, FULL, CANTOPEN, NOLFS, AUTH: the disk or its rights. */
const DISK = new Set([3, 8, 10, 13, 14, 22, 23]);

/**
 * Runs `work` on the database in `file` and turns what SQLite throws into a `DriverError`:
 * `journal-corrupt`, `journal-unwritable`. Anything else is a bug of ours and surfaces as it is.
 */
export function explained<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explain(file, error);
  }
}

/** True if another connection holds the lock that was asked for. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === BUSY || code === LOCKED;
}

/** A journal whose bytes are not what was written. Says how to go on without it. */
export function corrupt(file: string, what: string, cause?: unknown): DriverError {
  return new DriverError(
    'journal-corrupt',
    `The journal ${file} is damaged: ${what}. Move it away together with ${file}-wal and ` +
      `${file}-shm, and start again: history and some waiting time are lost, safety does not ` +
      'depend on it',
    { retry: 'never', cause },
  );
}

function explain(file: string, error: unknown): unknown {
  const code = primaryCode(error);
  if (code === undefined) return error;
  const said = error instanceof Error ? error.message : String(error);
  if (code === CORRUPT || code === NOT_A_DATABASE) return corrupt(file, said, error);
  if (isBusy(error)) {
    return new DriverError(
      'journal-unwritable',
      `The journal ${file} is held by another program (${said}). End whatever has it open`,
      { retry: 'soon', cause: error },
    );
  }
  if (!DISK.has(code)) return error;
  return new DriverError(
    'journal-unwritable',
    `The journal ${file} cannot be written: ${said}. Make room on its disk, or give Sluice the ` +
      'right to write there. Until then no weight rises',
    { retry: 'backoff', cause: error },
  );
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}
