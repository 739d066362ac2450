import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DriverError } from '../errors.ts';
import { patched } from '../model/record.ts';
import type { AppRecord, GatewayRecord, RecordPatch, UnitRecord } from '../model/record.ts';
import type { Entry, Journal, NewEntry, Wish } from './port.ts';
import { Archive } from './sqlite-archive.ts';
import type { HistoryFilter, WishOutcome } from './sqlite-archive.ts';
import { corrupt, explained } from './sqlite-fault.ts';
import { SCHEMA_VERSION, migrate, versionOf } from './sqlite-schema.ts';

export type { HistoryFilter, WishOutcome } from './sqlite-archive.ts';

export interface JournalOptions {
  readonly file: string;
  /** How long a write waits for another program's write, in milliseconds; default 2000. */
  readonly busyMs?: number;
  /** Entries that history keeps; default 200,000. The oldest go first. */
  readonly keepEntries?: number;
  /** Epoch milliseconds; default the system's clock. */
  readonly now?: () => number;
}

/** What other programs may do beside a live reconciler: look, and put a wish. */
export interface JournalReader {
  record(): UnitRecord;
  facts(): Readonly<Record<string, string>>;
  wishes(): readonly Wish[];
  /** Oldest first: the newest `limit` (default 200) entries that fit the filter. */
  history(filter?: HistoryFilter): readonly Entry[];
  /** Puts a wish and returns its id; the reconciler answers it at its next round. */
  wish(verb: Wish['verb'], object: string): number;
  /** Undefined until it is answered, and for an id that does not exist. */
  wishOutcome(id: number): WishOutcome | undefined;
  close(): void;
}

/** The writer's journal in one SQLite file. Use it under `lockWriter` only. */
export interface SqliteJournal extends Journal, JournalReader {}

const DEFAULT_BUSY_MS = 2000;
const DEFAULT_KEEP_ENTRIES = 200_000;

/**
 * Opens the journal to write it; makes the file (mode 600) and its directory (mode 700) where they
 * are missing.
 *
 * @throws DriverError `journal-corrupt`, `journal-unwritable`, `journal-too-new`.
 */
export function openJournal(options: JournalOptions): SqliteJournal {
  const { file } = options;
  makeDirectory(file);
  keepPrivate(file);
  const db = connect(options);
  try {
    explained(file, () => {
      // WAL lets other programs read while a round writes; FULL makes every commit durable.
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      checkBytes(db, file);
      migrate(db, file);
    });
    return writer(db, options);
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Opens the journal beside a live reconciler. Never makes the file and never changes its tables.
 *
 * @throws DriverError `journal-missing`, `journal-corrupt`, `journal-too-new`, `journal-unwritable`.
 */
export function openJournalForReading(
  file: string,
  options: { readonly busyMs?: number; readonly now?: () => number } = {},
): JournalReader {
  if (!existsSync(file)) throw missing(file, 'does not exist');
  const db = connect({ ...options, file });
  try {
    const version = explained(file, () => versionOf(db, file));
    if (version < SCHEMA_VERSION) throw missing(file, 'is empty or of an older format');
    const archive = new Archive(db, file, options.now ?? Date.now);
    return reader(db, archive, () => explained(file, () => loadRecord(db, file)));
  } catch (error) {
    db.close();
    throw error;
  }
}

function writer(db: DatabaseSync, options: JournalOptions): SqliteJournal {
  const { file, keepEntries = DEFAULT_KEEP_ENTRIES } = options;
  const archive = new Archive(db, file, options.now ?? Date.now);
  archive.prune(keepEntries);
  // There is one writer, so what was committed last is what the file says.
  let record = explained(file, () => loadRecord(db, file));
  const put = db.prepare('INSERT OR REPLACE INTO record (kind, key, value) VALUES (?, ?, ?)');
  const drop = db.prepare('DELETE FROM record WHERE kind = ? AND key = ?');

  function write(kind: 'gateway' | 'app', changes: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) drop.run(kind, key);
      else put.run(kind, key, JSON.stringify(value));
    }
  }

  return {
    ...reader(db, archive, () => record),
    save(patch: RecordPatch) {
      inTransaction(db, file, () => {
        write('gateway', patch.gateways ?? {});
        write('app', patch.apps ?? {});
      });
      record = patched(record, structuredClone(patch));
    },
    append(entry: NewEntry) {
      const id = archive.append(entry);
      if (id % 1000 === 0) archive.prune(keepEntries);
    },
    setFact(key: string, value: string | undefined) {
      archive.setFact(key, value);
    },
    answer(wishId: number, outcome: WishOutcome['outcome'], message: string) {
      archive.answer(wishId, { outcome, message });
    },
  };
}

function reader(db: DatabaseSync, archive: Archive, record: () => UnitRecord): JournalReader {
  return {
    record,
    facts: () => archive.facts(),
    wishes: () => archive.wishes(),
    history: (filter = {}) => archive.history(filter),
    wish: (verb, object) => archive.wish(verb, object),
    wishOutcome: (id) => archive.wishOutcome(id),
    close: () => {
      if (db.isOpen) db.close();
    },
  };
}

function connect(options: JournalOptions): DatabaseSync {
  const { file, busyMs = DEFAULT_BUSY_MS } = options;
  return explained(file, () => new DatabaseSync(file, { timeout: busyMs }));
}

function makeDirectory(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new DriverError(
      'journal-unwritable',
      `The directory of the journal ${file} cannot be made: ${said}`,
      { retry: 'backoff', cause: error },
    );
  }
}

/** SQLite gives the files that it makes beside the journal the mode of the journal. */
function keepPrivate(file: string): void {
  try {
    // An open file that is closed would drop the locks of this process on it, so only a new one is.
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
    for (const one of [file, `${file}-wal`, `${file}-shm`]) {
      if (existsSync(one)) chmodSync(one, 0o600);
    }
  } catch {
    // Of another user, or not to be made: SQLite says what is wrong, if it matters.
  }
}

/** Damage is to be found now, where a person is looking, not in the middle of a rollout. */
function checkBytes(db: DatabaseSync, file: string): void {
  const verdict = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (verdict !== 'ok') throw corrupt(file, String(verdict));
}

function inTransaction(db: DatabaseSync, file: string, work: () => void): void {
  explained(file, () => {
    db.exec('BEGIN IMMEDIATE');
    try {
      work();
      db.exec('COMMIT');
    } catch (error) {
      // A full disk may have ended the transaction already.
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  });
}

function loadRecord(db: DatabaseSync, file: string): UnitRecord {
  const gateways = new Map<string, GatewayRecord>();
  const apps = new Map<string, AppRecord>();
  for (const row of db.prepare('SELECT kind, key, value FROM record').all()) {
    const key = String(row['key']);
    const value = parsed(file, String(row['value']));
    if (row['kind'] === 'gateway' && isGatewayRecord(value)) gateways.set(key, value);
    else if (row['kind'] === 'app' && isAppRecord(value)) apps.set(key, value);
    else throw corrupt(file, `the record of ${key} is not in its form`);
  }
  return { gateways: Object.fromEntries(gateways), apps: Object.fromEntries(apps) };
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw corrupt(file, 'the record holds a text that is no JSON', error);
  }
}

function isGatewayRecord(value: unknown): value is GatewayRecord {
  return isAppRecord(value) && 'memory' in value && isAppRecord(value.memory);
}

/** Every field of it may be absent. */
function isAppRecord(value: unknown): value is AppRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function missing(file: string, what: string): DriverError {
  return new DriverError(
    'journal-missing',
    `The journal ${file} ${what}. It is made by the first \`sluice run\` or \`sluice apply\` with this configuration`,
    { retry: 'never' },
  );
}
