import { FakeJournal } from '../support/fake-journal.ts';
import { describeJournal } from './journal-contract.ts';

describeJournal('in memory', () => {
  const journal = new FakeJournal();
  return {
    journal,
    wish: (verb, object) => journal.wish(verb, object),
    wishOutcome: (id) => journal.wishOutcome(id),
    messages: () => journal.entries.map(({ message }) => message),
    breakWrites: () => {
      journal.failWrites = true;
    },
    mendWrites: () => {
      journal.failWrites = false;
    },
    close: () => undefined,
  };
});
