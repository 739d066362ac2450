import type { DatabaseSync } from 'node:sqlite';
import type { Entry, NewEntry, Wish } from './port.ts';
import { corrupt, explained } from './sqlite-fault.ts';

export interface HistoryFilter {
  /** A unit, deployment or gateway; undefined: all. */
  readonly subject?: string;
  /** Epoch milliseconds, inclusive. */
  readonly since?: number;
  /** Default 200, at most 10,000. */
  readonly limit?: number;
  readonly kinds?: readonly Entry['kind'][];
}

export interface WishOutcome {
  readonly outcome: 'done' | 'refused';
  readonly message: string;
}

type Row = Readonly<Record<string, unknown>>;
type Value = string | number | null;

const DEFAULT_LIMIT = 200;
const MAX_LIMIT = 10_000;
const MAX_MESSAGE = 4_000;
const MAX_DETAIL = 32_000;
const KEEP_WISHES = 1_000;

const VERBS: readonly Wish['verb'][] = ['approve', 'retry', 'forget'];
const KINDS: readonly Entry['kind'][] = [
  'revision',
  'action',
  'failure',
  'phase',
  'wish',
  'source',
];

/** Everything of the journal but the record: history, facts and wishes. Bounded. */
export class Archive {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #now: () => number;

  constructor(db: DatabaseSync, file: string, now: () => number) {
    this.#db = db;
    this.#file = file;
    this.#now = now;
  }

  append(entry: NewEntry): number {
    return this.#write(
      'INSERT INTO history (at, subject, kind, message, revision, detail) VALUES (?, ?, ?, ?, ?, ?)',
      [
        Math.trunc(entry.at),
        entry.subject,
        entry.kind,
        shortened(entry.message),
        entry.revision ?? null,
        detailText(entry.detail),
      ],
    );
  }

  history(filter: HistoryFilter): readonly Entry[] {
    const kinds = filter.kinds ?? [];
    const limit = Math.min(Math.max(Math.trunc(filter.limit ?? DEFAULT_LIMIT), 0), MAX_LIMIT);
    const rows = this.#read(
      `SELECT id, at, subject, kind, message, revision, detail FROM history
        WHERE (?1 IS NULL OR subject = ?1) AND at >= ?2
          AND (?3 = '[]' OR kind IN (SELECT value FROM json_each(?3)))
        ORDER BY id DESC LIMIT ?4`,
      [filter.subject ?? null, filter.since ?? 0, JSON.stringify(kinds), limit],
    );
    return rows.map((row) => this.#entryOf(row)).reverse();
  }

  /** Keeps the newest entries and answered wishes only. */
  prune(keepEntries: number): void {
    this.#write(
      "DELETE FROM history WHERE id <= (SELECT seq FROM sqlite_sequence WHERE name = 'history') - ?",
      [keepEntries],
    );
    this.#write(
      `DELETE FROM wish WHERE outcome IS NOT NULL
        AND id <= (SELECT seq FROM sqlite_sequence WHERE name = 'wish') - ?`,
      [KEEP_WISHES],
    );
  }

  facts(): Readonly<Record<string, string>> {
    const rows = this.#read('SELECT key, value FROM fact ORDER BY key', []);
    return Object.fromEntries(rows.map((row) => [String(row['key']), String(row['value'])]));
  }

  setFact(key: string, value: string | undefined): void {
    if (value === undefined) this.#write('DELETE FROM fact WHERE key = ?', [key]);
    else this.#write('INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)', [key, value]);
  }

  wish(verb: Wish['verb'], object: string): number {
    return this.#write('INSERT INTO wish (at, verb, object) VALUES (?, ?, ?)', [
      Math.trunc(this.#now()),
      verb,
      object,
    ]);
  }

  wishes(): readonly Wish[] {
    const sql = 'SELECT id, at, verb, object FROM wish WHERE outcome IS NULL ORDER BY id';
    return this.#read(sql, []).map((row) => ({
      id: Number(row['id']),
      at: Number(row['at']),
      verb: this.#oneOf(VERBS, row['verb']),
      object: String(row['object']),
    }));
  }

  answer(id: number, outcome: WishOutcome): void {
    // The first answer stays: whoever asked may have read it.
    this.#write('UPDATE wish SET outcome = ?, message = ? WHERE id = ? AND outcome IS NULL', [
      outcome.outcome,
      shortened(outcome.message),
      id,
    ]);
  }

  wishOutcome(id: number): WishOutcome | undefined {
    const sql = 'SELECT outcome, message FROM wish WHERE id = ? AND outcome IS NOT NULL';
    const [row] = this.#read(sql, [id]);
    if (row === undefined) return undefined;
    const outcome = row['outcome'] === 'done' ? 'done' : 'refused';
    return { outcome, message: String(row['message']) };
  }

  #entryOf(row: Row): Entry {
    const { revision, detail } = row;
    return {
      id: Number(row['id']),
      at: Number(row['at']),
      subject: String(row['subject']),
      kind: this.#oneOf(KINDS, row['kind']),
      message: String(row['message']),
      ...(typeof revision === 'string' && { revision }),
      ...(typeof detail === 'string' && { detail: JSON.parse(detail) as unknown }),
    };
  }

  #oneOf<T extends string>(words: readonly T[], value: unknown): T {
    const word = words.find((known) => known === value);
    if (word === undefined) throw corrupt(this.#file, 'it uses a word that is not known');
    return word;
  }

  #read(sql: string, values: readonly Value[]): readonly Row[] {
    return explained(this.#file, () => this.#db.prepare(sql).all(...values));
  }

  #write(sql: string, values: readonly Value[]): number {
    const { lastInsertRowid } = explained(this.#file, () => this.#db.prepare(sql).run(...values));
    return Number(lastInsertRowid);
  }
}

function shortened(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 1)}…`;
}

function detailText(detail: unknown): string | null {
  const text = JSON.stringify(detail) as string | undefined;
  if (text === undefined) return null;
  return text.length <= MAX_DETAIL ? text : JSON.stringify({ leftOut: text.length });
}
