import { DriverError } from '../errors.ts';
import { GitFault } from './git-command.ts';
import { hideCredentials } from './remote-url.ts';
import type { SourceView } from './port.ts';

/** What a failed talk with the remote means; `local`: the mirror is at fault, not the remote. */
export interface RemoteFault {
  readonly state: Exclude<SourceView['state'], 'fresh'>;
  readonly code: string;
  readonly message: string;
  readonly mirror?: 'corrupt' | 'locked';
}

interface Rule {
  readonly pattern: RegExp;
  readonly state: RemoteFault['state'];
  readonly code: string;
  readonly mend: string;
  readonly mirror?: RemoteFault['mirror'];
}

const CORRUPT =
  /bad object|is corrupt|object file .* is empty|corrupt loose object|unable to unpack|unable to read (?:tree|sha1 file)|inflate:|does not match index|packfile .* (?:cannot be accessed|is truncated)|bad (?:config|packed|pack|tree|signature|line length)|missing (?:blob|tree|commit)|broken (?:ref|links)|unable to resolve reference|not a git repository: '|index file .* is too small|remote did not send all necessary objects|unexpected line in .*packed-refs|invalid sha1 pointer|failed to read object|Could not read [0-9a-f]{40}/iu;

const LOCKED = /\.lock': File exists/u;

/** First match wins; the texts are those of git 2.20 to 2.50 under LC_ALL=C. */
const RULES: readonly Rule[] = [
  {
    pattern: LOCKED,
    state: 'remote-down',
    code: 'mirror-locked',
    mend: 'another git works in the mirror, or one was killed; a stale lock is removed at a later poll',
    mirror: 'locked',
  },
  {
    pattern:
      /fsck error|error in (?:packed object|object)|: (?:zeroPadded|hasDot|nullSha1|badTree)/u,
    state: 'refused',
    code: 'remote-corrupt',
    mend: 'the remote sends objects that git does not trust; run `git fsck` there',
  },
  {
    pattern: /dubious ownership/u,
    state: 'refused',
    code: 'remote-not-owned',
    mend: 'the directory belongs to another user; run Sluice as its owner, or fetch over https',
  },
  {
    pattern:
      /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|HTTP Basic: Access denied|returned error: 40[13]/iu,
    state: 'refused',
    code: 'remote-unauthorized',
    mend: 'check source.token_file and what its token may read',
  },
  {
    pattern: /returned error: 30[1-8]|unable to update url base from redirection/u,
    state: 'refused',
    code: 'remote-redirects',
    mend: 'redirects are not followed, since they would carry the token along; set source.url to the final url',
  },
  {
    pattern: /transport '.*' not allowed|protocol '.*' (?:is )?not (?:allowed|supported)/u,
    state: 'refused',
    code: 'remote-refused',
    mend: 'set source.url to an https:// or file:// url, or to an absolute path',
  },
  {
    pattern:
      /No space left on device|Permission denied|Read-only file system|unable to create temporary/iu,
    state: 'remote-down',
    code: 'mirror-unwritable',
    mend: 'make room in, or give access to, mirror.git in state_dir',
  },
  {
    pattern: CORRUPT,
    state: 'remote-down',
    code: 'mirror-corrupt',
    mend: 'the mirror is made anew at the next poll',
    mirror: 'corrupt',
  },
  {
    pattern:
      /not found|does not appear to be a git repository|returned error: 404|does not exist|not valid: is this a git repository/iu,
    state: 'remote-down',
    code: 'remote-not-found',
    mend: 'check source.url, and whether the token may see this repository',
  },
];

export function isLocked(error: GitFault): boolean {
  return LOCKED.test(error.text);
}

/** Turns what git said into a status with what to do next. `secrets` are taken out of the text. */
export function explainRemote(
  error: GitFault,
  shown: string,
  secrets: readonly string[],
): RemoteFault {
  if (error.kind === 'unstarted') {
    return { state: 'remote-down', code: 'git-missing', message: sayUnstarted(error) };
  }
  if (error.kind === 'timeout' || error.kind === 'aborted') {
    return {
      state: 'remote-down',
      code: 'remote-timeout',
      message: `${shown} did not answer in time. The last good revision stays; check the network or raise source.limits.timeout`,
    };
  }
  const said = quote(error.text, secrets);
  const rule = RULES.find((candidate) => candidate.pattern.test(error.text));
  if (rule === undefined) {
    return {
      state: 'remote-down',
      code: 'remote-unreachable',
      message: `${shown} cannot be reached: ${said}. The last good revision stays; the next poll tries again`,
    };
  }
  const mirror = rule.mirror === undefined ? {} : { mirror: rule.mirror };
  const message = `${shown}: ${said}. What to do: ${rule.mend}`;
  return { state: rule.state, code: rule.code, message, ...mirror };
}

/** Turns a failed read of the mirror into an error for people. */
export function explainRead(error: unknown, what: string): DriverError {
  if (error instanceof DriverError) return error;
  if (!(error instanceof GitFault)) throw error;
  if (error.kind === 'timeout' || error.kind === 'aborted') {
    return new DriverError(
      'git-timeout',
      `Reading ${what} took too long. Raise source.limits.timeout, or narrow source.path`,
      { retry: 'backoff', cause: error },
    );
  }
  if (error.kind === 'unstarted') {
    return new DriverError('git-missing', sayUnstarted(error), { retry: 'backoff', cause: error });
  }
  const said = quote(error.text, []);
  if (isCorrupt(error)) {
    return new DriverError(
      'mirror-corrupt',
      `The mirror is broken at ${what}: ${said}. It is made anew at the next poll`,
      { retry: 'soon', cause: error },
    );
  }
  return new DriverError(
    'mirror-unreadable',
    `The mirror cannot be read at ${what}: ${said}. Check the disk and the rights of its directory`,
    { retry: 'backoff', cause: error },
  );
}

/** Only what is surely broken is thrown away: the mirror may hold the only copy of old heads. */
function isCorrupt(error: GitFault): boolean {
  return CORRUPT.test(error.text) || /Not a valid object name/u.test(error.text);
}

function sayUnstarted(error: GitFault): string {
  const code = /\bE[A-Z]+\b/u.exec(error.text)?.[0] ?? 'unknown';
  return `The program git could not be started (${code}). Install git 2.30 or newer on the PATH of Sluice`;
}

/**
 * The telling line of git's words, fit for a terminal and a log: no credentials, no control
 * characters (a remote may send escape sequences), no more than 300 characters.
 */
export function quote(text: string, secrets: readonly string[]): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('Please make sure'));
  let line =
    lines.find((each) => /^(?:fatal|error):/u.test(each)) ?? lines[0] ?? 'git said nothing';
  for (const secret of secrets) line = line.replaceAll(secret, '***');
  return hideCredentials(line)
    .replaceAll(/\p{C}+/gu, ' ')
    .replace(/^(?:fatal|error): /u, '')
    .replace(/[.\s]+$/u, '')
    .slice(0, 300);
}
