import type { Logger } from 'pino';

import type { Config } from './config.ts';
import { writeSecretFiles } from './config.ts';
import type { Drivers } from './drivers.ts';
import { openDrivers } from './drivers.ts';
import { DriverError } from './errors.ts';
import { Follower } from './intake.ts';
import { absentJournal } from './journal/absent.ts';
import type { Journal, NewEntry } from './journal/port.ts';
import { openJournal } from './journal/sqlite.ts';
import { lockWriter } from './journal/writer-lock.ts';
import type { Status, UnitStatus } from './model/status.ts';
import type { RoundResult } from './round.ts';
import { Rounds } from './round.ts';

/** A gateway that left git closes once nobody has used it for this long (design section 7). */
const PRUNE_QUIET_MS = 15 * 60_000;

export interface ReconcilerOptions {
  readonly config: Config;
  /** What git children inherit. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly clock?: () => number;
}

/** The one writer of a state directory, ready to make rounds. */
export interface Reconciler {
  readonly drivers: Drivers;
  round(signal: AbortSignal, asks: { readonly poll: boolean }): Promise<RoundResult>;
  /** Of the last round; undefined before the first. */
  status(): Status | undefined;
  close(): Promise<void>;
}

/**
 * Takes the lock and opens the world.
 *
 * @throws DriverError `second-reconciler`, `state-dir-unwritable`, `config-invalid`.
 */
export function openReconciler(options: ReconcilerOptions): Reconciler {
  const { config, logger, clock = Date.now } = options;
  writeSecretFiles(config.secretFiles);
  const lock = lockWriter(config.stateDir);
  const drivers = openDrivers(config, options.environment);
  const opened = openMemory(config, logger);
  const journal = telling(opened.journal, logger);
  const follower = new Follower({
    source: drivers.source,
    journal,
    compile: drivers.compile,
    fingerprint: drivers.fingerprint,
  });
  const rounds = new Rounds(
    { follower, journal, clock, platform: drivers.platform, gateways: drivers.gateways },
    {
      owner: config.owner,
      budget: { count: config.budgets.pruneCount, share: config.budgets.pruneShare },
      pruneQuietMs: PRUNE_QUIET_MS,
      concurrency: config.budgets.concurrency,
    },
  );
  let last: Status | undefined;
  return {
    drivers,
    async round(signal, asks) {
      const result = await rounds.round(signal, asks);
      announce(journal, last, result.status);
      last = result.status;
      return result;
    },
    status: () => last,
    async close() {
      await drivers.close();
      opened.close();
      lock.release();
    },
  };
}

/** Without its journal the reconciler can still lead traffic back (law 17), so it starts anyway. */
function openMemory(config: Config, logger: Logger): { journal: Journal; close: () => void } {
  try {
    const journal = openJournal({ file: config.journal.file });
    return {
      journal,
      close: () => {
        journal.close();
      },
    };
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    logger.error({ code: error.code, fault: error.message }, 'no journal: no weight will rise');
    return { journal: absentJournal(error), close: () => undefined };
  }
}

/** Everything that history keeps is told to the log as well. */
function telling(journal: Journal, logger: Logger): Journal {
  return {
    ...journal,
    append(entry: NewEntry) {
      const { kind, subject, message } = entry;
      if (kind === 'failure') logger.warn({ kind, subject, message }, 'failed');
      else logger.info({ kind, subject, message }, kind);
      journal.append(entry);
    },
  };
}

/** History gets a line where a unit's phase or reason changed, not one a round. */
function announce(journal: Journal, before: Status | undefined, after: Status): void {
  const old = new Map(before?.units.map((unit) => [unit.unit, unit]));
  for (const unit of after.units) {
    if (!hasMoved(old.get(unit.unit), unit)) continue;
    try {
      journal.append({
        at: after.at,
        subject: unit.unit,
        kind: 'phase',
        message: `${unit.phase} (${unit.reason}): ${unit.message}`,
        revision: unit.revision,
      });
    } catch (error) {
      // The round's own writes have met the same disk and said so.
      if (!(error instanceof DriverError)) throw error;
    }
  }
}

function hasMoved(before: UnitStatus | undefined, after: UnitStatus): boolean {
  return before?.phase !== after.phase || before.reason !== after.reason;
}
