import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { wish } from '../../reconciler/commands/wish.ts';
import { loadConfig } from '../../reconciler/config.ts';
import type { Config } from '../../reconciler/config.ts';
import { openJournal } from '../../reconciler/journal/sqlite.ts';
import type { SqliteJournal } from '../../reconciler/journal/sqlite.ts';
import { lockWriter } from '../../reconciler/journal/writer-lock.ts';

let folder: string;
let config: Config;
let journal: SqliteJournal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-wish-'));
  const text = `source: {url: /nowhere}\nstate_dir: ${folder}\nserver: {listen: ${folder}/run.sock}`;
  config = loadConfig({ file: join(folder, 'sluice.yml'), text, env: {}, flags: {} });
  journal = openJournal({ file: config.journal.file });
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true, force: true });
});

async function told(json: boolean): Promise<{ status: number; out: string }> {
  let out = '';
  const terminal = {
    out: (text: string) => {
      out += text;
    },
    err: () => undefined,
    colour: false,
    json,
    signal: new AbortController().signal,
  };
  return { status: await wish(config, terminal, 'retry', 'shop'), out };
}

describe('a wish', () => {
  it('is noted where no reconciler is alive', async () => {
    expect(await told(false)).toEqual({
      status: 0,
      out: 'noted: the next sluice run or apply will look at "retry shop"\n',
    });
    const { status, out } = await told(true);
    expect({ status, out: JSON.parse(out) }).toEqual({
      status: 0,
      out: { outcome: 'noted', message: 'the next sluice run or apply will look at "retry shop"' },
    });
  });

  it('has the outcome of a live reconciler', async () => {
    const lock = lockWriter(folder);
    try {
      for (const outcome of ['done', 'refused'] as const) {
        const asked = told(true);
        await expect.poll(() => journal.wishes().length).toBe(1);
        journal.answer(journal.wishes()[0]?.id ?? 0, outcome, 'as it is');
        const { status, out } = await asked;
        expect({ status, out: JSON.parse(out) }).toEqual({
          status: outcome === 'done' ? 0 : 1,
          out: { outcome, message: 'as it is' },
        });
      }
    } finally {
      lock.release();
    }
  });
});
