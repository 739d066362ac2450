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
      terminal.out(`noted: the next sluice run or apply will look at "${verb} ${object}"\n`);
      return 0;
    }
    await askRound(config);
    for (const started = Date.now(); Date.now() - started < LONGEST_WAIT_MS;) {
      const outcome = journal.wishOutcome(id);
      if (outcome !== undefined) {
        terminal.out(`${verb} ${object}: ${outcome.message}\n`);
        return outcome.outcome === 'done' ? 0 : 1;
      }
      await sleep(LOOK_MS, undefined, { signal: terminal.signal });
    }
    terminal.err(`the reconciler has not answered "${verb} ${object}" yet; see sluice history\n`);
    return 1;
  } finally {
    journal.close();
  }
}
