import { DriverError } from '../errors.ts';
import type { Snapshot, SnapshotFile } from '../model/snapshot.ts';
import { GitFault } from './git-command.ts';
import type { Git } from './git-command.ts';

/** Bounds of one snapshot. */
export interface SnapshotLimits {
  /** How many files may match. */
  readonly files: number;
  /** Bytes of one file. */
  readonly fileBytes: number;
  /** Bytes of all files together. */
  readonly totalBytes: number;
}

export interface FileSelection {
  /** Directory in the repository, without slashes at its ends; empty is the root. */
  readonly path: string;
  /** `*.yml` matches file names, a pattern with a slash the path below `path`. */
  readonly include: readonly string[];
  readonly limits: SnapshotLimits;
}

interface Entry {
  readonly path: string;
  readonly object: string;
  readonly size: number;
  /** False: a link or a submodule, whose content is not in this commit. */
  readonly isText: boolean;
}

/** Room for the names of some 500,000 files. */
const LISTING_BYTES = 64 * 1_024 * 1_024;

/**
 * Reads the files of a commit straight from the object store. Symlinks and submodules are only
 * named, what stands below a name that starts with a dot is left out; an LFS pointer is the text that it is.
 */
export async function readFiles(
  git: Git,
  revision: string,
  selection: FileSelection,
  signal: AbortSignal,
): Promise<Pick<Snapshot, 'files' | 'unread'>> {
  const rows = await listEntries(git, revision, selection, signal);
  const entries = rows.filter((row) => row.isText);
  const unread = rows.filter((row) => !row.isText).map((row) => row.path);
  checkLimits(entries, selection.limits, revision);
  const links = unread.length > 0 && { unread };
  if (entries.length === 0) return { files: [], ...links };
  const input = `${entries.map((entry) => entry.object).join('\n')}\n`;
  const maxBytes = selection.limits.totalBytes + entries.length * 100;
  const answer = await git.pipe(['cat-file', '--batch'], { input, maxBytes }, signal);
  return { files: splitBatch(answer, entries), ...links };
}

async function listEntries(
  git: Git,
  revision: string,
  selection: FileSelection,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const tree = `${revision}^{commit}`;
  const args = [
    'ls-tree',
    '-r',
    '-z',
    '-l',
    '--full-tree',
    selection.path === '' ? tree : `${revision}:${selection.path}`,
  ];
  const listing = await git
    .pipe(args, { maxBytes: LISTING_BYTES }, signal)
    .catch((error: unknown) => {
      throw explainListing(error, revision, selection.path);
    });
  const matchers = selection.include.map(matcherOf);
  const entries: Entry[] = [];
  for (const row of listing.toString('utf8').split('\0')) {
    const entry = parseRow(row);
    if (entry !== undefined && isWanted(entry.path, matchers)) entries.push(entry);
  }
  return entries;
}

function explainListing(error: unknown, revision: string, path: string): unknown {
  if (!(error instanceof GitFault)) return error;
  if (error.kind === 'too-much') {
    return new DriverError(
      'too-many-files',
      `Commit ${short(revision)} lists too many files to look through. Set source.path to a directory that holds only blueprints`,
      { retry: 'never' },
    );
  }
  const absent = /Not a valid object name|not a tree object|does not exist in/u.test(error.text);
  if (path === '' || error.kind !== 'exit' || !absent) return error;
  return new DriverError(
    'path-missing',
    `Commit ${short(revision)} has no directory ${path}. Correct source.path, or commit a file into it (README.md will do) if it is meant to be empty`,
    { retry: 'never' },
  );
}

/** `100644 blob <id> <size>\t<path>`; only regular files have a mode of 100xxx and a text. */
function parseRow(row: string): Entry | undefined {
  const tab = row.indexOf('\t');
  const [mode, type, object, size] = row.slice(0, Math.max(0, tab)).split(/ +/u);
  if (type === undefined || mode === undefined) return undefined;
  if (object === undefined || size === undefined) return undefined;
  const isText = type === 'blob' && mode.startsWith('100');
  return { path: row.slice(tab + 1), object, size: isText ? Number(size) : 0, isText };
}

function isWanted(path: string, matchers: readonly ((path: string) => boolean)[]): boolean {
  if (path.startsWith('.') || path.includes('/.')) return false;
  return matchers.some((matches) => matches(path));
}

/** `*` and `?` stop at a slash, `**` does not. */
function matcherOf(pattern: string): (path: string) => boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/gu, String.raw`\$&`)
    .replaceAll(/\*\*\/?|\*|\?/gu, (glob) => {
      if (glob === '?') return '[^/]';
      if (glob === '*') return '[^/]*';
      return glob.endsWith('/') ? '(?:.*/)?' : '.*';
    });
  const expression = new RegExp(`^${source}$`, 'su');
  const whole = pattern.includes('/');
  return (path) => expression.test(whole ? path : path.slice(path.lastIndexOf('/') + 1));
}

function checkLimits(entries: readonly Entry[], limits: SnapshotLimits, revision: string): void {
  const where = `Commit ${short(revision)}`;
  if (entries.length > limits.files) {
    throw new DriverError(
      'too-many-files',
      `${where} has ${String(entries.length)} blueprint files, more than the ${String(limits.files)} allowed. Narrow source.path or raise source.limits.files`,
      { retry: 'never' },
    );
  }
  let total = 0;
  for (const entry of entries) {
    total += entry.size;
    if (entry.size > limits.fileBytes) {
      throw new DriverError(
        'file-too-large',
        `${where}: ${JSON.stringify(entry.path)} has ${String(entry.size)} bytes, more than the ${String(limits.fileBytes)} allowed. Split it or raise source.limits.file_bytes`,
        { retry: 'never' },
      );
    }
  }
  if (total <= limits.totalBytes) return;
  throw new DriverError(
    'snapshot-too-large',
    `${where}: its blueprint files have ${String(total)} bytes together, more than the ${String(limits.totalBytes)} allowed. Narrow source.path or raise source.limits.total_bytes`,
    { retry: 'never' },
  );
}

/** `<id> blob <size>\n<bytes>\n` for each object asked for, in that order. */
function splitBatch(answer: Buffer, entries: readonly Entry[]): readonly SnapshotFile[] {
  let offset = 0;
  return entries.map((entry) => {
    const headEnd = answer.indexOf('\n', offset);
    const head = answer.toString('utf8', offset, headEnd);
    if (head !== `${entry.object} blob ${String(entry.size)}`) {
      throw new GitFault('exit', `error: missing blob ${entry.object}`);
    }
    const start = headEnd + 1;
    offset = start + entry.size + 1;
    return { path: entry.path, text: answer.toString('utf8', start, start + entry.size) };
  });
}

export function short(revision: string): string {
  return revision.slice(0, 12);
}
