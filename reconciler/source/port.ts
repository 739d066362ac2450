import type { Snapshot } from '../model/snapshot.ts';

/** One git remote, polled. */
export interface Source {
  /** url, ref and path without secrets; a change of it is doubt (law 11). */
  readonly fingerprint: string;
  /** One `ls-remote`; a fetch only if the head moved. Never throws for faults of the remote. */
  poll(signal: AbortSignal): Promise<SourceView>;
  /** The files of any commit of the mirror. */
  snapshot(revision: string, signal: AbortSignal): Promise<Snapshot>;
  /** Commits that touched `path` before and including `from`, newest first. */
  revisionsOf(path: string, from: string, signal: AbortSignal): Promise<readonly string[]>;
  /** True if `ancestor` is `revision` or one of its ancestors; false if it is unknown. */
  descends(revision: string, ancestor: string, signal: AbortSignal): Promise<boolean>;
}

export interface SourceView {
  readonly state: 'fresh' | 'branch-gone' | 'remote-down' | 'empty' | 'refused';
  /** Error code of docs/errors.md where state is not fresh. */
  readonly code?: string;
  /** What happened and what to do, for people. */
  readonly message: string;
  /** Head of the ref where the remote answered, else the last one fetched, if any. */
  readonly revision?: string;
}
