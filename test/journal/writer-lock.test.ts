import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findWriter, lockWriter } from '../../reconciler/journal/writer-lock.ts';

const MODULE = new URL('../../reconciler/journal/writer-lock.ts', import.meta.url).href;
const SINCE = Date.UTC(2026, 10, 21, 7, 0, 0);

let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  child = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Another process that takes the lock and keeps it until it is killed. */
async function startHolder(): Promise<ChildProcess> {
  const program = `
    const { lockWriter } = await import(${JSON.stringify(MODULE)});
    lockWriter(${JSON.stringify(folder)}, () => ${String(SINCE)});
    console.log('locked');
    setInterval(() => {}, 1000);`;
  child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('no pipe');
  const [text] = await once(child.stdout.setEncoding('utf8'), 'data');
  expect(text).toBe('locked\n');
  return child;
}

describe('the writer lock', () => {
  it('is held by one and free again after its release', () => {
    const first = lockWriter(join(folder, 'deep', 'state'), () => SINCE);
    expect(() => lockWriter(join(folder, 'deep', 'state'))).toThrow(
      expect.objectContaining({
        code: 'second-reconciler',
        message: expect.stringContaining(
          `Another Sluice (pid ${String(process.pid)}, since 2026-11-21T07:00:00.000Z)`,
        ),
      }),
    );
    expect(findWriter(join(folder, 'deep', 'state'))).toEqual({
      holder: { pid: process.pid, since: SINCE },
    });
    first.release();
    first.release();
    expect(findWriter(join(folder, 'deep', 'state'))).toBeUndefined();
    lockWriter(join(folder, 'deep', 'state')).release();
  });

  it('survives that somebody reads the text about its holder', async () => {
    await startHolder();
    expect(readFileSync(join(folder, 'writer.json'), 'utf8')).toContain('"pid"');
    expect(findWriter(folder)?.holder?.since).toBe(SINCE);
    expect(() => lockWriter(folder)).toThrow(
      expect.objectContaining({ code: 'second-reconciler' }),
    );
  });

  it('vanishes with kill -9, whatever text is left behind', async () => {
    const holder = await startHolder();
    expect(() => lockWriter(folder)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(`pid ${String(holder.pid)}`),
      }),
    );
    const ended = once(holder, 'exit');
    holder.kill('SIGKILL');
    await ended;
    expect(readFileSync(join(folder, 'writer.json'), 'utf8')).toContain(String(holder.pid));
    expect(findWriter(folder)).toBeUndefined();
    const lock = lockWriter(folder, () => 1);
    expect(JSON.parse(readFileSync(join(folder, 'writer.json'), 'utf8'))).toEqual({
      pid: process.pid,
      since: 1,
    });
    lock.release();
  });

  it('names nobody where the text about the holder is unreadable', () => {
    const lock = lockWriter(folder);
    writeFileSync(join(folder, 'writer.json'), '{"pid": "x"');
    expect(findWriter(folder)).toEqual({ holder: undefined });
    expect(() => lockWriter(folder)).toThrow(/^Another Sluice is at work on /);
    lock.release();
  });

  it('says which directory cannot be used', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => lockWriter(join(folder, 'file'))).toThrow(
      expect.objectContaining({ code: 'state-dir-unwritable' }),
    );
  });
});
