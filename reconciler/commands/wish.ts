import { setTimeout as sleep } from 'node:timers/promises';

import type { Config } from '../config.ts';
import type { Wish } from '../journal/port.ts';
import { openJournalForReading } from '../journal/sqlite.ts';
import { findWriter } from '../journal/writer-lock.ts';
import { askRound } from './live.ts';
import type { ExitStatus, Terminal } from './terminal.ts';

const LONGEST_WAIT_MS = 10_000;
const LOOK_MS = 100;

/**
 * `sluice approve`, `retry` and `gateway forget`: puts a wish into the journal. A live reconciler
 * answers it at once; else the next `run` or `apply` does.
 */
export async function wish(
  config: Config,
  terminal: Terminal,
  verb: Wish['verb'],
  object: string,
): Promise<ExitStatus> {
  const journal = openJournalForReading(config.journal.file);
  try {
    const id = journal.wish(verb, object);
    if (findWriter(config.stateDir) === undefined) {
      const message = `the next sluice run or apply will look at "${verb} ${object}"`;
      tellOutcome(terminal, 'noted', message, `noted: ${message}`);
      return 0;
    }
    await askRound(config);
    for (const started = Date.now(); Date.now() - started < LONGEST_WAIT_MS;) {
      const outcome = journal.wishOutcome(id);
      if (outcome !== undefined) {
        const { message } = outcome;
        tellOutcome(terminal, outcome.outcome, message, `${verb} ${object}: ${message}`);
        return outcome.outcome === 'done' ? 0 : 1;
      }
      await sleep(LOOK_MS, undefined, { signal: terminal.signal });
    }
    const message = `the reconciler has not answered "${verb} ${object}" yet; see sluice history`;
    if (terminal.json) tellOutcome(terminal, 'waiting', message);
    else terminal.err(`${message}\n`);
    return 1;
  } finally {
    journal.close();
  }
}

/** What came of a wish: `noted` for a later round, `waiting` for one that is not over yet. */
export type Outcome = 'done' | 'refused' | 'noted' | 'waiting';

/** `{outcome, message}` for programs, one line for people. */
export function tellOutcome(
  terminal: Pick<Terminal, 'out' | 'json'>,
  outcome: Outcome,
  message: string,
  line = message,
): void {
  terminal.out(terminal.json ? `${JSON.stringify({ outcome, message })}\n` : `${line}\n`);
}
