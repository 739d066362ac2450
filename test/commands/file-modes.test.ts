import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { startEngine } from '../../reconciler/engine/engine.ts';
import { openJournal } from '../../reconciler/journal/sqlite.ts';

// What is in these files is nobody else's business, whoever makes the state directory first.
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-modes-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function modesOf(...names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]),
  );
}

test('the engine makes its folders for itself alone', async () => {
  const engine = await startEngine({ stateDir: join(folder, '.sluice', 'marathon') });
  await engine.close();
  expect(modesOf('.sluice', '.sluice/marathon')).toEqual({
    '.sluice': '700',
    '.sluice/marathon': '700',
  });
});

test('the journal is private, and becomes so where it was not', () => {
  const file = join(folder, 'journal.sqlite');
  const names = ['journal.sqlite', 'journal.sqlite-wal', 'journal.sqlite-shm'];
  const wanted = Object.fromEntries(names.map((name) => [name, '600']));
  const first = openJournal({ file });
  expect(modesOf(...names)).toEqual(wanted);
  for (const name of names) chmodSync(join(folder, name), 0o644);
  const second = openJournal({ file });
  expect(modesOf(...names)).toEqual(wanted);
  first.close();
  second.close();
});
