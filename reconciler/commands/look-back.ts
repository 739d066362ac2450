import type { Config } from '../config.ts';
import { openJournalForReading } from '../journal/sqlite.ts';
import { renderHistory } from './history.ts';
import type { ExitStatus, Terminal } from './terminal.ts';

/** `sluice history`: reads the journal, beside a live reconciler too. */
export function historyCommand(
  config: Config,
  terminal: Terminal,
  asks: { readonly subject: string | undefined; readonly limit: number },
): ExitStatus {
  const journal = openJournalForReading(config.journal.file);
  try {
    const entries = journal.history({
      limit: asks.limit,
      ...(asks.subject !== undefined && { subject: asks.subject }),
    });
    terminal.out(terminal.json ? `${JSON.stringify(entries)}\n` : renderHistory(entries, terminal));
    return 0;
  } finally {
    journal.close();
  }
}
