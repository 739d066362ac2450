import { DriverError } from '../errors.ts';

/** What to follow: a branch, a tag, or one commit that never changes. */
export type GitRef =
  | { readonly branch: string }
  | { readonly tag: string }
  | { readonly revision: string };

/** What a remote says of a ref. */
export interface Advertised {
  /** The commit, tags peeled. */
  readonly revision: string;
  /** The object to ask for: of an annotated tag the tag itself, which old servers hand out. */
  readonly want: string;
}

const FULL_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/u;

export function isFullId(text: string): boolean {
  return FULL_ID.test(text);
}

/** `branch main`, as people read it. */
export function showRef(ref: GitRef): string {
  if ('branch' in ref) return `branch ${ref.branch}`;
  return 'tag' in ref ? `tag ${ref.tag}` : `revision ${ref.revision}`;
}

/** The full name on the remote; undefined for a fixed revision. */
export function refName(ref: GitRef): string | undefined {
  if ('branch' in ref) return `refs/heads/${ref.branch}`;
  return 'tag' in ref ? `refs/tags/${ref.tag}` : undefined;
}

/** @throws DriverError `ref-invalid` for names that git does not allow. */
export function checkRef(ref: GitRef): void {
  const name = refName(ref);
  const fine = name === undefined ? 'revision' in ref && isFullId(ref.revision) : isRefName(name);
  if (fine) return;
  const rule = name === undefined ? 'a full commit id of 40 digits' : 'a name that git allows';
  const key = 'branch' in ref ? 'branch' : 'tag' in ref ? 'tag' : 'revision';
  throw new DriverError(
    'ref-invalid',
    `The source follows ${showRef(ref)}, which is not ${rule}. Correct source.${key}`,
    { retry: 'never' },
  );
}

/** The rules of git check-ref-format. */
function isRefName(name: string): boolean {
  if (/[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[./]$/u.test(name)) return false;
  return !name.startsWith('refs/heads/-') && !name.startsWith('refs/tags/-');
}

/** Reads an answer of ls-remote; undefined if it does not have the ref. */
export function findAdvertised(answer: string, name: string): Advertised | undefined {
  let want: string | undefined;
  let peeled: string | undefined;
  for (const line of answer.split('\n')) {
    const [id, ref] = line.split('\t');
    if (id === undefined || !isFullId(id)) continue;
    if (ref === name) want = id;
    if (ref === `${name}^{}`) peeled = id;
  }
  return want === undefined ? undefined : { want, revision: peeled ?? want };
}
