import { setTimeout as sleep } from 'node:timers/promises';

import { openDrivers } from '../drivers.ts';
import { Follower } from '../intake.ts';
import type { Journal } from '../journal/port.ts';
import { openJournalForReading } from '../journal/sqlite.ts';
import { EMPTY_RECORD } from '../model/record.ts';
import type { Status } from '../model/status.ts';
import { Rounds } from '../round.ts';
import { isConverged } from './apply.ts';
import { askStatus } from './live.ts';
import type { RunContext } from './run.ts';
import { renderStatus } from './status.ts';
import type { ExitStatus } from './terminal.ts';
import { watchFrames } from './watch.ts';

/** `sluice status`: what the live reconciler says, else one look of our own that writes nothing. */
export async function statusCommand(
  context: RunContext,
  options: { readonly watch: boolean },
): Promise<ExitStatus> {
  const { terminal } = context;
  const look = async (): Promise<Status> =>
    (await askStatus(context.config)) ?? lookOnly(context, terminal.signal);
  if (options.watch) {
    // Shares of what came since the watch began, not since the proxies did.
    let first: Status | undefined;
    const frame = async (): Promise<string> => {
      const seen = await look();
      const text = renderStatus(seen, Date.now(), {
        colour: terminal.colour,
        ...(first && { before: first }),
      });
      first ??= seen;
      return text;
    };
    await watchFrames(
      {
        frame,
        screen: {
          write: (text) => {
            terminal.out(text);
          },
          isTerminal: terminal.colour,
        },
        wait: (ms, signal) => sleep(ms, undefined, { signal }),
      },
      terminal.signal,
    );
    return 0;
  }
  const status = await look();
  if (terminal.json) terminal.out(`${JSON.stringify(status)}\n`);
  else terminal.out(renderStatus(status, Date.now(), { colour: terminal.colour }));
  return isConverged(status) ? 0 : 1;
}

/** The real round with every write left out. */
async function lookOnly(context: RunContext, signal: AbortSignal): Promise<Status> {
  const { config } = context;
  const drivers = openDrivers(config, context.environment);
  const journal = readOnlyJournal(config.journal.file);
  const follower = new Follower({
    source: drivers.source,
    journal,
    compile: drivers.compile,
    fingerprint: drivers.fingerprint,
  });
  const nothing = async (): Promise<void> => {};
  const rounds = new Rounds(
    {
      follower,
      journal,
      platform: { ...drivers.platform, act: nothing },
      gateways: { ...drivers.gateways, act: nothing },
      clock: Date.now,
    },
    {
      owner: config.owner,
      budget: { count: config.budgets.pruneCount, share: config.budgets.pruneShare },
      pruneQuietMs: Number.POSITIVE_INFINITY,
      concurrency: config.budgets.concurrency,
    },
  );
  return (await rounds.round(signal, { poll: true })).status;
}

/** What the last reconciler remembered; a host that never ran one has an empty memory. */
function readOnlyJournal(file: string): Journal {
  const nothing = (): void => {};
  const empty = { record: EMPTY_RECORD, facts: {} };
  const read = (): typeof empty => {
    try {
      const reader = openJournalForReading(file);
      const seen = { record: reader.record(), facts: reader.facts() };
      reader.close();
      return seen;
    } catch {
      return empty;
    }
  };
  const seen = read();
  return {
    record: () => seen.record,
    facts: () => seen.facts,
    wishes: () => [],
    save: nothing,
    append: nothing,
    setFact: nothing,
    answer: nothing,
  };
}
