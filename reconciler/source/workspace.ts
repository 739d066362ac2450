import { DriverError } from '../errors.ts';
import type { SnapshotLimits } from './commit-files.ts';
import { createGit } from './git-command.ts';
import type { Git, OnCommand } from './git-command.ts';
import { checkRef, showRef } from './git-ref.ts';
import type { GitRef } from './git-ref.ts';
import { createMirror } from './mirror.ts';
import type { Mirror } from './mirror.ts';
import { parseRemote, showUrl } from './remote-url.ts';
import type { Remote } from './remote-url.ts';

export interface GitSourceOptions {
  /** An absolute path, `file://` or `https://`; `http://` on loopback only. No credentials. */
  readonly url: string;
  readonly ref: GitRef;
  /** Directory in the repository that holds the blueprints; left out: all of it. */
  readonly path?: string;
  /** Where the bare mirror is kept; it is made, and made anew when it is broken. */
  readonly mirrorDir: string;
  /** File with a token, `user:password` or a whole header value; read at every poll. */
  readonly tokenFile?: string;
  /** PEM file with the authorities of a private https remote. */
  readonly caFile?: string;
  readonly limits?: Partial<GitLimits>;
  /** Patterns of file names, or of paths if they have a slash. */
  readonly include?: readonly string[];
  /** Variables for git, of which only PATH, proxies and certificate places are passed on. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called once per git child. */
  readonly onCommand?: OnCommand;
}

export interface GitLimits extends SnapshotLimits {
  /** Milliseconds that one git child may take. */
  readonly timeoutMs: number;
}

export const GIT_LIMITS: GitLimits = {
  files: 2_000,
  fileBytes: 1_048_576,
  totalBytes: 33_554_432,
  timeoutMs: 60_000,
};

export const GIT_INCLUDE: readonly string[] = ['*.yml', '*.yaml', '*.json'];

/** What the methods of one source share. */
export interface Workspace {
  readonly options: GitSourceOptions;
  readonly limits: GitLimits;
  readonly path: string;
  readonly shown: string;
  readonly remote: Remote;
  readonly git: Git;
  readonly mirror: Mirror;
  /** What is known since the start of this run of Sluice. */
  readonly memory: { head: string | undefined; suspect: boolean };
}

/** @throws DriverError for a url or ref that is refused; nothing has been touched then. */
export function openWorkspace(options: GitSourceOptions, path: string): Workspace {
  const remote = parseRemote(options.url);
  checkRef(options.ref);
  if (path.split('/').includes('..')) {
    throw new DriverError(
      'path-invalid',
      `source.path is ${path}, which leaves the repository. Name a directory in it`,
      { retry: 'never' },
    );
  }
  const limits = { ...GIT_LIMITS, ...options.limits };
  const git = createGit({
    mirrorDir: options.mirrorDir,
    remote,
    timeoutMs: limits.timeoutMs,
    environment: options.environment ?? {},
    ...(options.caFile === undefined ? {} : { caFile: options.caFile }),
    ...(options.onCommand === undefined ? {} : { onCommand: options.onCommand }),
  });
  const shown = showUrl(options.url);
  const mirror = createMirror(git, options.mirrorDir, `${shown} ${showRef(options.ref)}`);
  return {
    options,
    limits,
    path,
    shown,
    remote,
    git,
    mirror,
    memory: { head: undefined, suspect: false },
  };
}
