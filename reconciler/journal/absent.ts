import type { DriverError } from '../errors.ts';
import { EMPTY_RECORD } from '../model/record.ts';
import type { Journal } from './port.ts';

/**
 * Stands in where the journal could not be opened, so that the way back stays open (law 17): it
 * remembers nothing, and every write throws `fault`, so no weight rises.
 */
export function absentJournal(fault: DriverError): Journal {
  function refuse(): never {
    throw fault;
  }
  return {
    record: () => EMPTY_RECORD,
    save: refuse,
    append: refuse,
    facts: () => ({}),
    setFact: refuse,
    wishes: () => [],
    answer: refuse,
  };
}
