import { DriverError } from '../errors.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { readFiles, short } from './commit-files.ts';
import { GitFault } from './git-command.ts';
import { explainRead } from './git-message.ts';
import { pollOnce, prepareMirror } from './git-poll.ts';
import { isFullId, showRef } from './git-ref.ts';
import type { Source, SourceView } from './port.ts';
import { showUrl } from './remote-url.ts';
import { GIT_INCLUDE, openWorkspace } from './workspace.ts';
import type { GitSourceOptions, Workspace } from './workspace.ts';

export type { GitRef } from './git-ref.ts';
export { GIT_INCLUDE, GIT_LIMITS } from './workspace.ts';
export type { GitLimits, GitSourceOptions } from './workspace.ts';

/**
 * A git remote, mirrored bare: blobs are read from the object store, nothing is ever checked out,
 * so there are no hooks, filters, links or submodules to run into.
 */
export function createGitSource(options: GitSourceOptions): Source {
  const path = (options.path ?? '')
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  const fingerprint = `${showUrl(options.url)} ${showRef(options.ref)} path /${path}`;
  let space: Workspace | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  function open(): Workspace {
    space ??= openWorkspace(options, path);
    return space;
  }

  async function poll(signal: AbortSignal): Promise<SourceView> {
    try {
      return await pollOnce(open(), signal);
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      const head = space?.memory.head;
      const revision = head === undefined ? {} : { revision: head };
      const state = error.code === 'mirror-unwritable' ? 'remote-down' : 'refused';
      return { state, code: error.code, message: error.message, ...revision };
    }
  }

  return {
    fingerprint,
    async poll(signal) {
      // Two fetches into one mirror would meet each other's locks.
      const mine = turn.then(async () => poll(signal));
      turn = mine.catch(() => undefined);
      return mine;
    },
    async snapshot(revision, signal) {
      return readSnapshot(open(), revision, signal);
    },
    async revisionsOf(file, from, signal) {
      return readLog(open(), file, from, signal);
    },
    async descends(revision, ancestor, signal) {
      return isAncestor(open(), revision, ancestor, signal);
    },
  };
}

async function readSnapshot(
  space: Workspace,
  revision: string,
  signal: AbortSignal,
): Promise<Snapshot> {
  const { path, limits } = space;
  const include = space.options.include ?? GIT_INCLUDE;
  try {
    await prepareMirror(space, signal);
    const full = await fullId(space, revision, signal);
    const read = await readFiles(space.git, full, { path, include, limits }, signal);
    return { revision: full, ...read };
  } catch (error) {
    const told = explainRead(error, `commit ${short(revision)}`);
    if (told.code === 'mirror-corrupt') space.memory.suspect = true;
    throw told;
  }
}

async function fullId(space: Workspace, revision: string, signal: AbortSignal): Promise<string> {
  if (/^[0-9a-f]{7,64}$/u.test(revision)) {
    const args = ['rev-parse', '--verify', '--quiet', `${revision}^{commit}`];
    const answer = await space.git.run(args, signal).catch((error: unknown) => {
      if (error instanceof GitFault && error.kind === 'exit') return '';
      throw error;
    });
    if (isFullId(answer.trim())) return answer.trim();
    // What was fetched is there unless the mirror lost it.
    if (revision === space.memory.head) throw new GitFault('exit', `bad object ${revision}`);
  }
  if (!/^[0-9a-f]{7,64}$/u.test(revision)) {
    throw new DriverError(
      'revision-unknown',
      `${JSON.stringify(revision.slice(0, 64))} is no commit id. Give 7 to 40 hex digits of a commit that ${showRef(space.options.ref)} has or had; names such as HEAD~1 mean nothing here`,
      { retry: 'never' },
    );
  }
  throw new DriverError(
    'revision-unknown',
    `The mirror of ${space.shown} has no commit ${revision.slice(0, 64)}. It may have been rewritten away; name one that ${showRef(space.options.ref)} has`,
    { retry: 'never' },
  );
}

async function readLog(
  space: Workspace,
  file: string,
  from: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    await prepareMirror(space, signal);
    const full = await fullId(space, from, signal);
    const whole = space.path === '' ? file : `${space.path}/${file}`;
    const answer = await space.git.run(
      ['log', '--format=%H', '--full-history', full, '--', whole],
      signal,
    );
    return answer.split('\n').filter((line) => line !== '');
  } catch (error) {
    throw explainRead(error, `the history of ${file}`);
  }
}

async function isAncestor(
  space: Workspace,
  revision: string,
  ancestor: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (!isFullId(revision) || !isFullId(ancestor)) return false;
  if (revision === ancestor) return true;
  try {
    await prepareMirror(space, signal);
    const base = await space.git.run(['merge-base', ancestor, revision], signal);
    return base.trim() === ancestor;
  } catch (error) {
    // No common ancestor, or a commit that the mirror does not have: both are doubt.
    if (error instanceof GitFault && error.kind === 'exit') return false;
    throw explainRead(error, `the ancestors of ${short(revision)}`);
  }
}
