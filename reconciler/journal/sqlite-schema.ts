import type { DatabaseSync } from 'node:sqlite';
import { DriverError } from '../errors.ts';

/**
 * Each entry leads from the version before it to its own (its place in the list, from 1). They only
 * ever go forward, and one that was released is never changed.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE record (
    kind TEXT NOT NULL CHECK (kind IN ('gateway', 'app')),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    revision TEXT,
    detail TEXT
  ) STRICT;
  CREATE INDEX history_by_subject ON history (subject, id);
  CREATE TABLE wish (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    verb TEXT NOT NULL,
    object TEXT NOT NULL,
    outcome TEXT,
    message TEXT
  ) STRICT;
  CREATE INDEX wish_open ON wish (id) WHERE outcome IS NULL;
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the tables up to date, each step in a transaction of its own.
 *
 * @throws DriverError `journal-too-new` if a newer Sluice has written it.
 */
export function migrate(db: DatabaseSync, file: string): void {
  for (let version = versionOf(db, file); version < SCHEMA_VERSION; version += 1) {
    db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[version] ?? ''}
      PRAGMA user_version = ${String(version + 1)}; COMMIT`);
  }
}

/** The version that the tables have now; 0 for a new file. */
export function versionOf(db: DatabaseSync, file: string): number {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version <= SCHEMA_VERSION) return version;
  throw new DriverError(
    'journal-too-new',
    `The journal ${file} has format ${String(version)}, this Sluice knows up to ` +
      `${String(SCHEMA_VERSION)}. Run the newer Sluice, or move the journal away: only history is lost`,
    { retry: 'never' },
  );
}
