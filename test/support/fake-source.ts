import { DriverError } from '../../reconciler/errors.ts';
import type { Snapshot, SnapshotFile } from '../../reconciler/model/snapshot.ts';
import type { Source, SourceView } from '../../reconciler/source/port.ts';

interface Commit {
  readonly revision: string;
  readonly parent: string | undefined;
  readonly files: readonly SnapshotFile[];
  readonly unread: readonly string[];
}

/** A git remote in memory. */
export class FakeSource implements Source {
  fingerprint = 'fake#main:';
  /** While false, the remote does not answer and the last head that was fetched is all we know. */
  up = true;
  readonly #commits = new Map<string, Commit>();
  #head: string | undefined;
  #fetched: string | undefined;

  commit(files: Readonly<Record<string, string>>): string {
    return this.#add(files, this.#head);
  }

  /** Commits a link at this path beside what the head has. */
  link(path: string): string {
    const head = this.#head === undefined ? undefined : this.#commits.get(this.#head);
    const files = Object.fromEntries((head?.files ?? []).map((file) => [file.path, file.text]));
    return this.#add(files, this.#head, [path]);
  }

  /** Rewrites history: the new head does not descend from the old one. */
  rewrite(files: Readonly<Record<string, string>>): string {
    return this.#add(files, undefined);
  }

  get head(): string | undefined {
    return this.#head;
  }

  async poll(): Promise<SourceView> {
    if (!this.up) {
      return {
        state: 'remote-down',
        code: 'remote-down',
        message: 'the remote does not answer',
        ...(this.#fetched !== undefined && { revision: this.#fetched }),
      };
    }
    this.#fetched = this.#head;
    if (this.#head === undefined) return { state: 'empty', message: 'no commit yet' };
    return { state: 'fresh', message: 'up to date', revision: this.#head };
  }

  async snapshot(revision: string): Promise<Snapshot> {
    const commit = this.#commits.get(revision);
    if (commit === undefined) {
      throw new DriverError('revision-missing', `there is no commit ${revision}`, {
        retry: 'backoff',
      });
    }
    const { files, unread } = commit;
    return { revision, files, ...(unread.length > 0 && { unread }) };
  }

  async revisionsOf(path: string, from: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (let at = this.#commits.get(from); at; at = this.#parentOf(at)) {
      if (textAt(at, path) !== textAt(this.#parentOf(at), path)) found.push(at.revision);
    }
    return found;
  }

  async descends(revision: string, ancestor: string): Promise<boolean> {
    for (let at = this.#commits.get(revision); at; at = this.#parentOf(at)) {
      if (at.revision === ancestor) return true;
    }
    return false;
  }

  #parentOf(commit: Commit): Commit | undefined {
    return commit.parent === undefined ? undefined : this.#commits.get(commit.parent);
  }

  #add(
    files: Readonly<Record<string, string>>,
    parent: string | undefined,
    unread: readonly string[] = [],
  ): string {
    const revision = (this.#commits.size + 1).toString(16).padStart(40, '0');
    const rows = Object.entries(files).map(([path, text]) => ({ path, text }));
    this.#commits.set(revision, { revision, parent, files: rows, unread });
    this.#head = revision;
    return revision;
  }
}

function textAt(commit: Commit | undefined, path: string): string | undefined {
  return commit?.files.find((file) => file.path === path)?.text;
}
