import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Journal, Wish } from '../../reconciler/journal/port.ts';
import type { GatewayRecord } from '../../reconciler/model/record.ts';
import { EMPTY_RECORD } from '../../reconciler/model/record.ts';
import type { WishOutcome } from '../../reconciler/journal/sqlite.ts';

export interface JournalUnderTest {
  readonly journal: Journal;
  wish(verb: Wish['verb'], object: string): number;
  wishOutcome(id: number): WishOutcome | undefined;
  messages(): readonly string[];
  breakWrites(): void;
  mendWrites(): void;
  close(): void;
}

const GATEWAY: GatewayRecord = {
  memory: {
    stable: { vector: { '/a': 8000, '/b': 2000 }, since: 5 },
    rejected: [],
  },
  step: { vector: '/a=8000 /b=2000', since: 7 },
};

/** What every journal promises; `open` gives a new and empty one. */
export function describeJournal(name: string, open: () => JournalUnderTest): void {
  describe(`journal: ${name}`, () => {
    let under: JournalUnderTest;
    let journal: Journal;

    beforeEach(() => {
      under = open();
      ({ journal } = under);
    });
    afterEach(() => {
      under.close();
    });

    it('remembers nothing at first', () => {
      expect({
        record: journal.record(),
        facts: journal.facts(),
        wishes: journal.wishes(),
      }).toEqual({ record: EMPTY_RECORD, facts: {}, wishes: [] });
    });

    it('keeps the keys that a patch leaves out, replaces those it has, forgets nulls', () => {
      journal.save({ gateways: { '80': GATEWAY, '81': GATEWAY }, apps: { '/a': { wanted: 2 } } });
      journal.save({
        gateways: { '81': null, '82': null },
        apps: { '/a': { parkedAt: 9 }, '/b': { wasStable: true } },
      });
      expect(journal.record()).toEqual({
        gateways: { '80': GATEWAY },
        apps: { '/a': { parkedAt: 9 }, '/b': { wasStable: true } },
      });
    });

    it('is not changed by what happens to a patch afterwards', () => {
      const failures = ['task-1'];
      journal.save({ apps: { '/a': { failures } } });
      failures.push('task-2');
      expect(journal.record().apps).toEqual({ '/a': { failures: ['task-1'] } });
    });

    it('sets, replaces and forgets facts', () => {
      journal.setFact('head', 'aaa');
      journal.setFact('head', 'bbb');
      journal.setFact('fingerprint', 'f');
      journal.setFact('fingerprint', undefined);
      journal.setFact('never-there', undefined);
      expect(journal.facts()).toEqual({ head: 'bbb' });
    });

    it('lists open wishes oldest first and keeps the first answer', () => {
      const first = under.wish('approve', 'hold-1');
      const second = under.wish('retry', 'shop');
      expect(journal.wishes().map(({ verb, object }) => [verb, object])).toEqual([
        ['approve', 'hold-1'],
        ['retry', 'shop'],
      ]);
      journal.answer(first, 'refused', 'the list has changed');
      journal.answer(first, 'done', 'too late');
      journal.answer(999, 'done', 'nobody asked');
      expect(journal.wishes().map(({ id }) => id)).toEqual([second]);
      expect([under.wishOutcome(first), under.wishOutcome(second)]).toEqual([
        { outcome: 'refused', message: 'the list has changed' },
        undefined,
      ]);
    });

    it('throws journal-unwritable while it cannot write, still reads, and goes on afterwards', () => {
      journal.save({ apps: { '/a': { wanted: 1 } } });
      journal.setFact('head', 'aaa');
      const wish = under.wish('forget', 'node-1');
      under.breakWrites();
      const writes: (() => void)[] = [
        () => {
          journal.save({ apps: { '/a': null, '/b': { wanted: 2 } } });
        },
        () => {
          journal.append({ at: 1, subject: '', kind: 'phase', message: 'lost' });
        },
        () => {
          journal.setFact('head', 'bbb');
        },
        () => {
          journal.answer(wish, 'done', 'lost');
        },
      ];
      for (const write of writes) {
        expect(write).toThrow(expect.objectContaining({ code: 'journal-unwritable' }));
      }
      expect({
        apps: journal.record().apps,
        facts: journal.facts(),
        wishes: journal.wishes().length,
        messages: under.messages(),
      }).toEqual({
        apps: { '/a': { wanted: 1 } },
        facts: { head: 'aaa' },
        wishes: 1,
        messages: [],
      });
      under.mendWrites();
      for (const write of writes) write();
      expect(journal.record().apps).toEqual({ '/b': { wanted: 2 } });
      expect(under.messages()).toEqual(['lost']);
    });
  });
}
