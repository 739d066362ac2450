import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { absentJournal } from '../../reconciler/journal/absent.ts';
import type { NewEntry } from '../../reconciler/journal/port.ts';
import { openJournal, openJournalForReading } from '../../reconciler/journal/sqlite.ts';
import { DriverError } from '../../reconciler/errors.ts';
import { describeJournal } from './journal-contract.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
  file = join(folder, 'state', 'journal.sqlite');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describeJournal('node:sqlite', () => {
  const journal = openJournal({ file, busyMs: 1 });
  // Another program that holds SQLite's write lock is a fault that is easy to switch.
  const other = new DatabaseSync(file);
  return {
    journal,
    wish: (verb, object) => journal.wish(verb, object),
    wishOutcome: (id) => journal.wishOutcome(id),
    messages: () => journal.history().map(({ message }) => message),
    breakWrites: () => {
      other.exec('BEGIN IMMEDIATE');
    },
    mendWrites: () => {
      other.exec('COMMIT');
    },
    close: () => {
      other.close();
      journal.close();
    },
  };
});

function entry(at: number, more: Partial<NewEntry> = {}): NewEntry {
  return { at, subject: 'shop', kind: 'action', message: `entry ${String(at)}`, ...more };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DriverError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('the journal file', () => {
  it('is found as it was left, in a directory that only its owner enters', () => {
    const first = openJournal({ file, now: () => 42 });
    first.save({ apps: { '/a': { wanted: 3 } } });
    first.setFact('head', 'abc');
    first.append(entry(1));
    const wish = first.wish('approve', 'hold-1');
    first.close();
    first.close();

    const second = openJournal({ file });
    expect({
      apps: second.record().apps,
      facts: second.facts(),
      wishes: second.wishes(),
      history: second.history(),
      mode: statSync(join(folder, 'state')).mode & 0o777,
    }).toEqual({
      apps: { '/a': { wanted: 3 } },
      facts: { head: 'abc' },
      wishes: [{ id: wish, at: 42, verb: 'approve', object: 'hold-1' }],
      history: [{ id: 1, at: 1, subject: 'shop', kind: 'action', message: 'entry 1' }],
      mode: 0o700,
    });
    second.close();
  });

  it('is durable at every commit, and read by others while it is written', () => {
    const journal = openJournal({ file });
    const other = new DatabaseSync(file);
    expect(other.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    other.close();
    journal.close();
  });

  it('holds whole patches, and all that were returned from, after kill -9 in the middle', async () => {
    const module = new URL('../../reconciler/journal/sqlite.ts', import.meta.url).href;
    const program = `
      const { openJournal } = await import(${JSON.stringify(module)});
      const journal = openJournal({ file: ${JSON.stringify(file)} });
      const memory = { rejected: [] };
      for (let at = 1; ; at += 1) {
        const gateways = { 80: { memory, quiet: { requests: at, since: 0 } } };
        journal.save({ gateways, apps: { '/a': { wanted: at } } });
        process.stdout.write(at + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let told = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      told += part;
      if (told.length > 1_000) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const journal = openJournal({ file });
    const { gateways, apps } = journal.record();
    journal.close();
    const returned = Number(told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1));
    const kept = apps['/a']?.wanted ?? 0;
    expect(gateways['80']?.quiet?.requests).toBe(kept);
    expect(kept).toBeGreaterThanOrEqual(returned);
    expect(returned).toBeGreaterThan(100);
  });

  it.each([
    ['garbage', 'not a database, but long enough to be read as one'.repeat(200)],
    ['a file whose pages were overwritten', undefined],
  ])('refuses %s, says how to mend it and leaves it as it is', (_, text) => {
    const journal = openJournal({ file });
    for (let at = 0; at < 200; at += 1) journal.append(entry(at, { detail: 'x'.repeat(500) }));
    journal.close();
    const bytes = readFileSync(file);
    writeFileSync(file, text ?? bytes.fill(0xa5, 4096));
    const before = readFileSync(file);
    expect(() => openJournal({ file })).toThrow(
      expect.objectContaining({
        code: 'journal-corrupt',
        message: expect.stringMatching(
          /is damaged: .*Move it away .*safety does not depend on it/s,
        ),
      }),
    );
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses a record that is no record', () => {
    openJournal({ file }).close();
    const db = new DatabaseSync(file);
    db.exec("INSERT INTO record VALUES ('gateway', '80', '[1]')");
    expect(codeOf(() => openJournal({ file }))).toBe('journal-corrupt');
    db.exec("UPDATE record SET value = '{'");
    expect(codeOf(() => openJournal({ file }))).toBe('journal-corrupt');
    db.close();
  });

  it('refuses a file of a newer Sluice, to write and to read', () => {
    openJournal({ file }).close();
    const db = new DatabaseSync(file);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(codeOf(() => openJournal({ file }))).toBe('journal-too-new');
    expect(codeOf(() => openJournalForReading(file))).toBe('journal-too-new');
  });

  it('names the disk when its directory cannot be made or is in the way', () => {
    writeFileSync(join(folder, 'state'), 'a file');
    expect(codeOf(() => openJournal({ file }))).toBe('journal-unwritable');
    mkdirSync(join(folder, 'taken.sqlite'));
    expect(codeOf(() => openJournal({ file: join(folder, 'taken.sqlite') }))).toBe(
      'journal-unwritable',
    );
  });
});

describe('a disk that is full', () => {
  it('fails every write, spoils nothing, goes on reading, and heals by itself', (context) => {
    const disk = smallDisk();
    if (disk === undefined) {
      context.skip('mounting a small disk needs root');
      return;
    }
    try {
      const journal = openJournal({ file: join(disk, 'journal.sqlite') });
      journal.save({ apps: { '/a': { wanted: 1 } } });
      journal.append(entry(1));
      fill(disk);
      const failures = ['x'.repeat(20_000)];
      const save = (): void => {
        journal.save({ apps: { '/a': null, '/b': { failures } } });
      };
      const append = (): void => {
        journal.append(entry(2, { detail: 'x'.repeat(20_000) }));
      };
      expect([codeOf(save), codeOf(append), codeOf(save)]).toEqual([
        'journal-unwritable',
        'journal-unwritable',
        'journal-unwritable',
      ]);
      expect([journal.record().apps, journal.history().length]).toEqual([
        { '/a': { wanted: 1 } },
        1,
      ]);
      const reader = openJournalForReading(join(disk, 'journal.sqlite'));
      expect([reader.record().apps, reader.history().length]).toEqual([{ '/a': { wanted: 1 } }, 1]);
      reader.close();

      rmSync(join(disk, 'fill'));
      save();
      append();
      expect([journal.record().apps, journal.history().length]).toEqual([
        { '/b': { failures } },
        2,
      ]);
      journal.close();
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  it('is told at the start, and leaves a journal that remembers nothing to start with', (context) => {
    const disk = smallDisk();
    if (disk === undefined) {
      context.skip('mounting a small disk needs root');
      return;
    }
    try {
      fill(disk);
      let fault: unknown;
      try {
        openJournal({ file: join(disk, 'journal.sqlite') });
      } catch (error) {
        fault = error;
      }
      if (!(fault instanceof DriverError)) throw new Error('it was opened', { cause: fault });
      const absent = absentJournal(fault);
      expect([fault.code, absent.record(), absent.facts(), absent.wishes()]).toEqual([
        'journal-unwritable',
        { gateways: {}, apps: {} },
        {},
        [],
      ]);
      expect(() => {
        absent.save({});
      }).toThrow(fault);
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  function smallDisk(): string | undefined {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk], { stdio: 'ignore' });
      return disk;
    } catch {
      return undefined;
    }
  }

  function fill(disk: string): void {
    try {
      for (;;) appendFileSync(join(disk, 'fill'), Buffer.alloc(4096));
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('ENOSPC')) throw error;
    }
  }
});

describe('history', () => {
  it('gives the newest that fit, oldest first', () => {
    const journal = openJournal({ file });
    journal.append(entry(10, { kind: 'phase', revision: 'abc', detail: { from: 'a', to: ['b'] } }));
    journal.append(entry(20, { subject: 'cart' }));
    journal.append(entry(30, { kind: 'failure' }));
    journal.append(entry(40));
    const ats = (filter?: Parameters<typeof journal.history>[0]): readonly number[] =>
      journal.history(filter).map(({ at }) => at);
    expect({
      all: ats(),
      two: ats({ limit: 2 }),
      none: ats({ limit: 0 }),
      shop: ats({ subject: 'shop' }),
      since: ats({ since: 30 }),
      kinds: ats({ kinds: ['phase', 'failure'] }),
      together: ats({ subject: 'shop', since: 20, kinds: ['action'], limit: 5 }),
      whole: journal.history({ kinds: ['phase'] }),
    }).toEqual({
      all: [10, 20, 30, 40],
      two: [30, 40],
      none: [],
      shop: [10, 30, 40],
      since: [30, 40],
      kinds: [10, 30],
      together: [40],
      whole: [
        {
          id: 1,
          at: 10,
          subject: 'shop',
          kind: 'phase',
          message: 'entry 10',
          revision: 'abc',
          detail: { from: 'a', to: ['b'] },
        },
      ],
    });
    journal.close();
  });

  it('is bounded: the oldest entries go first, long ones are cut', () => {
    const journal = openJournal({ file, keepEntries: 100 });
    for (let at = 1; at <= 1_050; at += 1) journal.append(entry(at));
    const kept = journal.history({ limit: 10_000 });
    expect([kept.length, kept[0]?.at, kept.at(-1)?.at]).toEqual([150, 901, 1_050]);
    journal.append(entry(2_000, { message: 'm'.repeat(9_000), detail: 'd'.repeat(90_000) }));
    const [last] = journal.history({ limit: 1 });
    expect([last?.message.length, last?.detail]).toEqual([4_000, { leftOut: 90_002 }]);
    journal.close();

    const again = openJournal({ file, keepEntries: 100 });
    expect(again.history({ limit: 10_000 }).length).toBe(100);
    again.close();
  });
});

describe('other programs beside a live reconciler', () => {
  it('see what it commits, put wishes and hear the answers', () => {
    const live = openJournal({ file });
    const other = openJournalForReading(file, { now: () => 77 });
    live.save({ apps: { '/a': { wanted: 1 } } });
    live.setFact('head', 'abc');
    live.append(entry(5));
    const wish = other.wish('retry', 'shop');
    expect({
      apps: other.record().apps,
      facts: other.facts(),
      history: other.history().map(({ message }) => message),
      wishes: live.wishes(),
      before: other.wishOutcome(wish),
    }).toEqual({
      apps: { '/a': { wanted: 1 } },
      facts: { head: 'abc' },
      history: ['entry 5'],
      wishes: [{ id: wish, at: 77, verb: 'retry', object: 'shop' }],
      before: undefined,
    });
    live.answer(wish, 'done', 'trying again');
    expect(other.wishOutcome(wish)).toEqual({ outcome: 'done', message: 'trying again' });
    other.close();
    live.close();
  });

  it('make no journal where there is none', () => {
    expect(codeOf(() => openJournalForReading(file))).toBe('journal-missing');
    expect(existsSync(file)).toBe(false);
    mkdirSync(join(folder, 'state'));
    writeFileSync(file, '');
    expect(codeOf(() => openJournalForReading(file))).toBe('journal-missing');
  });
});
