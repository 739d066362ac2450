import { describe, expect, it } from 'vitest';
import { renderHistory } from '../../reconciler/commands/history.ts';
import type { Entry } from '../../reconciler/journal/port.ts';

const START = Date.UTC(2026, 10, 21, 7, 0, 0);
const REVISION = '1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d5e6f1a2b';
const ENTRIES: readonly Entry[] = [
  {
    id: 1,
    at: START,
    subject: '',
    kind: 'revision',
    message: 'commit 1a2b3c4d is wanted',
    revision: REVISION,
  },
  {
    id: 2,
    at: START + 5_000,
    subject: 'simpleservice',
    kind: 'action',
    message: 'create app simpleservice:1.0 with 2 instances',
    revision: REVISION,
  },
  {
    id: 3,
    at: START + 65_000,
    subject: 'simpleservice',
    kind: 'failure',
    message: 'Marathon answered 503\u001B[31m',
  },
  { id: 4, at: START + 66_000, subject: 'simpleservice', kind: 'phase', message: 'baking at 20 %' },
];

describe('history', () => {
  it('reads as sentences in local time', () => {
    expect(renderHistory(ENTRIES, { colour: false, timeZone: 'Europe/Berlin' }))
      .toMatchInlineSnapshot(`
        "2026-11-21T08:00:00+01:00  commit 1a2b3c4d is wanted
        2026-11-21T08:00:05+01:00  simpleservice: create app simpleservice:1.0 with 2 instances (commit 1a2b3c4d)
        2026-11-21T08:01:05+01:00  simpleservice: failed: Marathon answered 503
        2026-11-21T08:01:06+01:00  simpleservice: baking at 20 %
        "
      `);
  });

  it('marks failures on a terminal only', () => {
    const failure = ENTRIES.slice(2, 3);
    expect(renderHistory(failure, { colour: true, timeZone: 'UTC' })).toBe(
      '\u001B[2m2026-11-21T07:01:05Z\u001B[22m  simpleservice: \u001B[31mfailed: Marathon answered 503\u001B[39m\n',
    );
    expect(renderHistory(failure)).not.toContain('\u001B');
  });

  it('says that it is empty', () => {
    expect(renderHistory([])).toBe('nothing has been noted yet\n');
  });
});
