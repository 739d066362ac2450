import type { Access } from './access-token.ts';
import { readAccess } from './access-token.ts';
import { short } from './commit-files.ts';
import { GitFault } from './git-command.ts';
import { explainRemote, isLocked } from './git-message.ts';
import { findAdvertised, refName, showRef } from './git-ref.ts';
import type { SourceView } from './port.ts';
import type { Workspace } from './workspace.ts';

/** One `ls-remote`, and a fetch if the head is one that the mirror does not hold. */
export async function pollOnce(space: Workspace, signal: AbortSignal): Promise<SourceView> {
  const access = await readAccess(space.remote, space.options.tokenFile);
  try {
    await prepareMirror(space, signal);
    if (space.memory.suspect) await renew(space, signal);
    space.memory.head ??= await space.mirror.last(signal);
    return await follow(space, access, signal);
  } catch (error) {
    if (!(error instanceof GitFault)) throw error;
    return explain(space, error, access);
  }
}

/** A mirror that was made anew remembers no head. */
export async function prepareMirror(space: Workspace, signal: AbortSignal): Promise<void> {
  if (await space.mirror.prepare(signal)) space.memory.head = undefined;
}

/**
 * Words about broken objects may come from the remote; the mirror, which may hold the only copy of
 * old heads, is thrown away only if git finds the mirror itself broken.
 */
async function renew(space: Workspace, signal: AbortSignal): Promise<void> {
  space.memory.suspect = false;
  if (await space.mirror.isSound(signal)) return;
  await space.mirror.recreate(signal);
  space.memory.head = undefined;
}

function explain(space: Workspace, error: GitFault, access: Access): SourceView {
  const { mirror, ...fault } = explainRemote(error, space.shown, access.secrets);
  if (mirror === 'corrupt') space.memory.suspect = true;
  return { ...fault, ...lastHead(space) };
}

function lastHead(space: Workspace): { readonly revision?: string } {
  return space.memory.head === undefined ? {} : { revision: space.memory.head };
}

async function follow(space: Workspace, access: Access, signal: AbortSignal): Promise<SourceView> {
  const { ref } = space.options;
  const name = refName(ref);
  if (name === undefined) return followRevision(space, access, signal);
  const answer = await askRemote(space, [name, `${name}^{}`, 'HEAD'], access, signal);
  const found = findAdvertised(answer, name);
  if (found === undefined) return missing(space, answer, access, signal);
  if (found.revision === space.memory.head) return fresh(space, found.revision);
  if (!(await space.mirror.holds(found.revision, signal))) {
    await heal(space, access, signal, async () => fetchRefs(space, [found.want], access, signal));
  }
  return adopt(space, found.revision, signal);
}

/** A fixed revision cannot move: once it is in the mirror the remote is not asked any more. */
async function followRevision(
  space: Workspace,
  access: Access,
  signal: AbortSignal,
): Promise<SourceView> {
  const { ref } = space.options;
  const revision = 'revision' in ref ? ref.revision : '';
  if (space.memory.head === revision) return fresh(space, revision);
  try {
    await heal(space, access, signal, async () => fetchRefs(space, [revision], access, signal));
  } catch (error) {
    if (!(error instanceof GitFault) || !isUnadvertised(error)) throw error;
    await fetchEverything(space, access, signal);
  }
  return adopt(space, revision, signal);
}

async function adopt(space: Workspace, revision: string, signal: AbortSignal): Promise<SourceView> {
  try {
    await noteHead(space, revision, signal);
  } catch (error) {
    if (
      !(error instanceof GitFault) ||
      !/not a valid|nonexistent object|not a commit/u.test(error.text)
    )
      throw error;
    const fixed = 'revision' in space.options.ref;
    return {
      state: fixed ? 'branch-gone' : 'refused',
      code: fixed ? 'revision-gone' : 'not-a-commit',
      message: fixed
        ? `${space.shown} does not have ${showRef(space.options.ref)} on any branch or tag. Correct source.revision`
        : `${showRef(space.options.ref)} of ${space.shown} does not point to a commit. Move it to one`,
      ...lastHead(space),
    };
  }
  space.memory.head = revision;
  await space.mirror.tidy(signal);
  return fresh(space, revision);
}

async function noteHead(space: Workspace, revision: string, signal: AbortSignal): Promise<void> {
  try {
    await space.mirror.keep(revision, signal);
  } catch (error) {
    const locked = error instanceof GitFault && isLocked(error);
    if (!locked) throw error;
    await space.mirror.unlock();
    await space.mirror.keep(revision, signal);
  }
}

function fresh(space: Workspace, revision: string): SourceView {
  const message = `${showRef(space.options.ref)} of ${space.shown} is at ${short(revision)}`;
  return { state: 'fresh', message, revision };
}

async function askRemote(
  space: Workspace,
  patterns: readonly string[],
  access: Access,
  signal: AbortSignal,
): Promise<string> {
  return space.git.talk(
    ['ls-remote', '--quiet', '--', space.remote.url, ...patterns],
    signal,
    access.header,
  );
}

/** One more question, in this rare case only, tells an empty repository from a missing ref. */
async function missing(
  space: Workspace,
  answer: string,
  access: Access,
  signal: AbortSignal,
): Promise<SourceView> {
  const { ref } = space.options;
  const all = answer.trim() === '' ? await askRemote(space, [], access, signal) : answer;
  if (all.trim() === '') {
    return {
      state: 'empty',
      code: 'remote-empty',
      message: `${space.shown} has no commits. Push ${showRef(ref)}; until then nothing changes`,
      ...lastHead(space),
    };
  }
  return {
    state: 'branch-gone',
    code: 'tag' in ref ? 'tag-gone' : 'branch-gone',
    message: `${space.shown} has no ${showRef(ref)}. Push it again, or name another in source.branch or source.tag; until then the last good revision stays`,
    ...lastHead(space),
  };
}

/** Does it again, once, after a broken mirror was made anew or stale locks were removed. */
async function heal(
  space: Workspace,
  access: Access,
  signal: AbortSignal,
  action: () => Promise<void>,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof GitFault)) throw error;
    const fault = explainRemote(error, space.shown, access.secrets);
    if (fault.mirror === undefined) throw error;
    if (fault.mirror === 'locked') await space.mirror.unlock();
    else await renew(space, signal);
    await action();
  }
}

/** For servers that hand out only what their refs point to. */
async function fetchEverything(
  space: Workspace,
  access: Access,
  signal: AbortSignal,
): Promise<void> {
  const refspecs = ['heads', 'tags'].map((kind) => `+refs/${kind}/*:refs/sluice/remote/${kind}/*`);
  await fetchRefs(space, refspecs, access, signal);
}

async function fetchRefs(
  space: Workspace,
  refspecs: readonly string[],
  access: Access,
  signal: AbortSignal,
): Promise<void> {
  const flags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules'];
  const args = ['fetch', ...flags, '--no-auto-maintenance', '--refmap=', '--', space.remote.url];
  await space.git.talk([...args, ...refspecs], signal, access.header);
}

function isUnadvertised(error: GitFault): boolean {
  return /not our ref|unadvertised object|couldn't find remote ref/u.test(error.text);
}
