import type { RecordPatch, UnitRecord } from '../model/record.ts';

/**
 * Our memory: the record and the append-only history. One writer at a time on a host. Losing it
 * loses history and time, never safety. Writes throw `DriverError` `journal-unwritable`.
 */
export interface Journal {
  record(): UnitRecord;
  /** Durable when it returns. */
  save(patch: RecordPatch): void;
  append(entry: NewEntry): void;
  /** Small facts of the source: last head seen, fingerprint, approvals. */
  facts(): Readonly<Record<string, string>>;
  setFact(key: string, value: string | undefined): void;
  /** Wishes that nobody has answered yet, oldest first. */
  wishes(): readonly Wish[];
  answer(wishId: number, outcome: 'done' | 'refused', message: string): void;
}

export interface NewEntry {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Unit, deployment or gateway that it is about; empty for the whole. */
  readonly subject: string;
  readonly kind: 'revision' | 'action' | 'failure' | 'phase' | 'wish' | 'source';
  /** One sentence. */
  readonly message: string;
  readonly revision?: string;
  /** More, for machines; no secrets. */
  readonly detail?: unknown;
}

export interface Entry extends NewEntry {
  readonly id: number;
}

/** A wish that is no commit: it may gate, hold or go back, and is refused if the world moved on. */
export interface Wish {
  readonly id: number;
  readonly at: number;
  readonly verb: 'approve' | 'retry' | 'forget';
  /** Hold id, deployment or version, or node. */
  readonly object: string;
}
