import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DriverError } from '../errors.ts';
import { GitFault } from './git-command.ts';
import type { Git } from './git-command.ts';

/** The bare repository on disk that keeps every commit that was ever seen. */
export interface Mirror {
  /**
   * Makes the mirror if it is absent or half made, and resolves to true then; removes stale locks
   * once per start. Cheap, so that a mirror may be deleted under a running Sluice.
   */
  prepare(signal: AbortSignal): Promise<boolean>;
  /** Throws the mirror away and makes an empty one. */
  recreate(signal: AbortSignal): Promise<void>;
  /** True unless git finds it broken. Slow: only for when something else has failed. */
  isSound(signal: AbortSignal): Promise<boolean>;
  /** True if the commit was fetched, with all that belongs to it. */
  holds(revision: string, signal: AbortSignal): Promise<boolean>;
  /** Notes that the commit is complete and is now the head. */
  keep(revision: string, signal: AbortSignal): Promise<void>;
  /** The head noted last, also by an earlier run of Sluice. */
  last(signal: AbortSignal): Promise<string | undefined>;
  /** Removes locks that no live git can own. */
  unlock(): Promise<void>;
  /** Puts many small packs together when there are too many; failing is harmless. */
  tidy(signal: AbortSignal): Promise<void>;
}

/** Marks a directory as ours to delete. */
const MARKER = 'sluice-mirror';
const MARKER_TEXT = 'A bare git mirror of Sluice. It may be deleted.\n';

/** Locks are held for milliseconds (refs) or seconds (packs), never for minutes. */
const STALE_LOCK_MS = 60_000;

export function createMirror(git: Git, mirrorDir: string, fingerprint: string): Mirror {
  const id = createHash('sha256').update(fingerprint).digest('hex').slice(0, 16);
  const headRef = `refs/sluice/head/${id}`;
  let swept = false;

  async function prepare(signal: AbortSignal): Promise<boolean> {
    const found = await inspect(mirrorDir);
    if (found === 'foreign') {
      throw new DriverError(
        'mirror-not-ours',
        `${mirrorDir} exists and is no mirror of Sluice. Move it away, or set another state_dir`,
        { retry: 'never' },
      );
    }
    if (found === 'broken') await recreate(signal);
    if (!swept) await removeLocks(mirrorDir, STALE_LOCK_MS);
    swept = true;
    return found === 'broken';
  }

  async function recreate(signal: AbortSignal): Promise<void> {
    try {
      await rm(mirrorDir, { recursive: true, force: true });
      await mkdir(mirrorDir, { recursive: true, mode: 0o700 });
      await writeFile(path.join(mirrorDir, MARKER), MARKER_TEXT);
    } catch (error) {
      throw unwritable(mirrorDir, error);
    }
    await git.run(['init', '--quiet', '--bare', '--template=', '.'], signal);
  }

  return {
    prepare,
    recreate,
    async isSound(signal) {
      return isSound(git, signal);
    },
    async holds(revision, signal) {
      return (await resolve(git, `refs/sluice/seen/${revision}`, signal)) === revision;
    },
    async keep(revision, signal) {
      // The commit is readable before the head names it, whatever instant Sluice dies at.
      await git.run(['update-ref', `refs/sluice/seen/${revision}`, `${revision}^{commit}`], signal);
      await git.run(['update-ref', headRef, revision], signal);
    },
    async last(signal) {
      return resolve(git, headRef, signal);
    },
    async unlock() {
      await removeLocks(mirrorDir, STALE_LOCK_MS);
    },
    async tidy(signal) {
      await git.run(['gc', '--auto', '--quiet'], signal).catch(() => undefined);
    },
  };
}

async function resolve(git: Git, ref: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await git.run(['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], signal);
    return answer.trim();
  } catch (error) {
    if (error instanceof GitFault && error.kind === 'exit') return undefined;
    throw error;
  }
}

async function isSound(git: Git, signal: AbortSignal): Promise<boolean> {
  try {
    await git.run(['fsck', '--connectivity-only', '--no-dangling', '--no-progress'], signal);
    return true;
  } catch (error) {
    return !(error instanceof GitFault) || error.kind !== 'exit';
  }
}

async function inspect(directory: string): Promise<'ours' | 'broken' | 'foreign'> {
  const names: readonly string[] = await readdir(directory).catch((error: unknown): string[] => {
    if (isAbsent(error)) return [];
    throw unwritable(directory, error);
  });
  if (names.length === 0) return 'broken';
  if (!names.includes(MARKER)) return 'foreign';
  const whole = ['HEAD', 'config', 'objects', 'refs'].every((name) => names.includes(name));
  return whole ? 'ours' : 'broken';
}

async function removeLocks(directory: string, olderThanMs: number): Promise<void> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  const leftovers = names.filter(
    (name) => name.endsWith('.lock') || /tmp_(?:pack|obj|idx)_/u.test(name),
  );
  for (const name of leftovers) {
    const file = path.join(directory, name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > olderThanMs)
      await rm(file, { force: true });
  }
}

function unwritable(directory: string, error: unknown): DriverError {
  return new DriverError(
    'mirror-unwritable',
    `The directory of the mirror, ${directory}, cannot be read and written. Give Sluice access to it, and room`,
    { retry: 'backoff', cause: error },
  );
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
