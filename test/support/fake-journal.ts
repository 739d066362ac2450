import { DriverError } from '../../reconciler/errors.ts';
import { EMPTY_RECORD, patched } from '../../reconciler/model/record.ts';
import type { RecordPatch, UnitRecord } from '../../reconciler/model/record.ts';
import type { Entry, Journal, NewEntry, Wish } from '../../reconciler/journal/port.ts';

/** A journal in memory that passes the contract of the real one. */
export class FakeJournal implements Journal {
  /** While true every write throws `journal-unwritable` and changes nothing. */
  failWrites = false;
  readonly entries: Entry[] = [];
  #record: UnitRecord = EMPTY_RECORD;
  #facts = new Map<string, string>();
  #wishes: (Wish & { answer?: { outcome: 'done' | 'refused'; message: string } })[] = [];
  #lastId = 0;

  record(): UnitRecord {
    return this.#record;
  }

  save(patch: RecordPatch): void {
    this.#refuseIfFailing();
    this.#record = patched(this.#record, structuredClone(patch));
  }

  append(entry: NewEntry): void {
    this.#refuseIfFailing();
    this.entries.push({ ...structuredClone(entry), id: this.entries.length + 1 });
  }

  facts(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#facts);
  }

  setFact(key: string, value: string | undefined): void {
    this.#refuseIfFailing();
    if (value === undefined) this.#facts.delete(key);
    else this.#facts.set(key, value);
  }

  wishes(): readonly Wish[] {
    return this.#wishes
      .filter((wish) => wish.answer === undefined)
      .map(({ id, at, verb, object }) => ({ id, at, verb, object }));
  }

  answer(wishId: number, outcome: 'done' | 'refused', message: string): void {
    this.#refuseIfFailing();
    const wish = this.#wishes.find((one) => one.id === wishId);
    if (wish !== undefined) wish.answer ??= { outcome, message };
  }

  /** What a person would do on the command line. */
  wish(verb: Wish['verb'], object: string, at = 0): number {
    this.#lastId += 1;
    this.#wishes.push({ id: this.#lastId, at, verb, object });
    return this.#lastId;
  }

  wishOutcome(id: number): { outcome: 'done' | 'refused'; message: string } | undefined {
    return this.#wishes.find((wish) => wish.id === id)?.answer;
  }

  /** Loses everything, as if the file had been deleted. */
  lose(): void {
    this.#record = EMPTY_RECORD;
    this.#facts = new Map();
    this.#wishes = [];
    this.entries.length = 0;
  }

  #refuseIfFailing(): void {
    if (!this.failWrites) return;
    throw new DriverError('journal-unwritable', 'The journal cannot be written: disk full', {
      retry: 'backoff',
    });
  }
}
