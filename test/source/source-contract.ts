import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Source } from '../../reconciler/source/port.ts';

/** A source on an empty remote, and the means to change that remote. */
export interface SourceBench {
  readonly source: Source;
  /** Commits the files to the followed branch; resolves to the commit. */
  commit(files: Readonly<Record<string, string>>): Promise<string>;
  /** Puts a new history of one commit in the branch's place. */
  rewrite(files: Readonly<Record<string, string>>): Promise<string>;
  deleteBranch(): Promise<void>;
  /** False: the remote does not answer until it is set to true again. */
  setReachable(reachable: boolean): Promise<void>;
  close(): Promise<void>;
}

/** What every source promises, the in-memory one too. */
export function sourceContract(name: string, open: () => Promise<SourceBench>): void {
  describe(`${name} keeps the contract of a source`, () => {
    const { signal } = new AbortController();
    let bench: SourceBench;

    beforeEach(async () => {
      bench = await open();
    });
    afterEach(async () => {
      await bench.close();
    });

    it('says that an empty remote is empty', async () => {
      const view = await bench.source.poll(signal);

      expect(view).toEqual({ state: 'empty', code: 'remote-empty', message: view.message });
      expect(view.message).not.toBe('');
    });

    it('follows the head and reads its files', async () => {
      const first = await bench.commit({ 'a.yml': 'name: a\n' });
      expect(await bench.source.poll(signal)).toMatchObject({ state: 'fresh', revision: first });
      const second = await bench.commit({ 'a.yml': 'name: a2\n', 'b.yml': 'name: b\n' });
      expect(await bench.source.poll(signal)).toMatchObject({ state: 'fresh', revision: second });

      expect(await bench.source.snapshot(second, signal)).toEqual({
        revision: second,
        files: [
          { path: 'a.yml', text: 'name: a2\n' },
          { path: 'b.yml', text: 'name: b\n' },
        ],
      });
      expect(await bench.source.snapshot(first, signal)).toEqual({
        revision: first,
        files: [{ path: 'a.yml', text: 'name: a\n' }],
      });
    });

    it('names the commits that touched a file, newest first', async () => {
      const first = await bench.commit({ 'a.yml': 'one' });
      await bench.commit({ 'b.yml': 'other' });
      const third = await bench.commit({ 'a.yml': 'three' });
      await bench.source.poll(signal);

      expect(await bench.source.revisionsOf('a.yml', third, signal)).toEqual([third, first]);
    });

    it('knows what descends from what, also after the branch was rewritten', async () => {
      const first = await bench.commit({ 'a.yml': 'one' });
      await bench.source.poll(signal);
      const second = await bench.commit({ 'a.yml': 'two' });
      await bench.source.poll(signal);
      const other = await bench.rewrite({ 'a.yml': 'another' });
      await bench.source.poll(signal);

      expect(await bench.source.descends(second, first, signal)).toBe(true);
      expect(await bench.source.descends(second, second, signal)).toBe(true);
      expect(await bench.source.descends(first, second, signal)).toBe(false);
      expect(await bench.source.descends(other, second, signal)).toBe(false);
      expect(await bench.source.descends(other, 'f'.repeat(40), signal)).toBe(false);
      expect(await bench.source.snapshot(second, signal)).toEqual({
        revision: second,
        files: [{ path: 'a.yml', text: 'two' }],
      });
    });

    it('keeps the last revision while the remote is down, and comes back', async () => {
      const first = await bench.commit({ 'a.yml': 'one' });
      await bench.source.poll(signal);
      await bench.setReachable(false);
      expect(await bench.source.poll(signal)).toMatchObject({
        state: 'remote-down',
        revision: first,
      });

      await bench.setReachable(true);
      expect(await bench.source.poll(signal)).toMatchObject({ state: 'fresh', revision: first });
    });

    it('keeps the last revision when the branch is gone', async () => {
      const first = await bench.commit({ 'a.yml': 'one' });
      await bench.source.poll(signal);
      await bench.deleteBranch();

      expect(await bench.source.poll(signal)).toMatchObject({
        state: 'branch-gone',
        code: 'branch-gone',
        revision: first,
      });
    });

    it('refuses to read a commit that it never saw', async () => {
      await bench.commit({ 'a.yml': 'one' });
      await bench.source.poll(signal);

      await expect(bench.source.snapshot('f'.repeat(40), signal)).rejects.toMatchObject({
        name: 'DriverError',
        code: 'revision-unknown',
        retry: 'never',
      });
    });
  });
}
