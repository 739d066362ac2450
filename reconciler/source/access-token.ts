import { readFile } from 'node:fs/promises';
import { DriverError } from '../errors.ts';
import type { Remote } from './remote-url.ts';

/** What is sent to the remote, and the strings that must never be shown. */
export interface Access {
  readonly header?: string;
  readonly secrets: readonly string[];
}

/** GitHub, GitLab, Gitea and Bitbucket take any user name beside a token. */
const TOKEN_USER = 'x-access-token';

/**
 * Reads the token anew for every poll, so that a rotated one is taken up without a restart. The
 * file holds a bare token, `user:password`, or a whole header value (`Bearer ...`, `Basic ...`).
 *
 * @throws DriverError `token-unreadable` if the file is missing, empty or of several lines.
 */
export async function readAccess(remote: Remote, tokenFile: string | undefined): Promise<Access> {
  if (tokenFile === undefined || remote.origin === undefined) return { secrets: [] };
  let text: string;
  try {
    text = (await readFile(tokenFile, 'utf8')).trim();
  } catch (error) {
    throw unreadable(tokenFile, 'cannot be read', error);
  }
  if (text === '' || /[\r\n\0]/u.test(text)) {
    throw unreadable(tokenFile, text === '' ? 'is empty' : 'has more than one line');
  }
  if (/^(?:Bearer|Basic) \S/u.test(text)) {
    return { header: text, secrets: [text, text.slice(text.indexOf(' ') + 1)] };
  }
  const pair = text.includes(':') ? text : `${TOKEN_USER}:${text}`;
  const encoded = Buffer.from(pair, 'utf8').toString('base64');
  return {
    header: `Basic ${encoded}`,
    secrets: [encoded, text, pair.slice(pair.indexOf(':') + 1)],
  };
}

function unreadable(file: string, what: string, cause?: unknown): DriverError {
  return new DriverError(
    'token-unreadable',
    `The token file ${file} ${what}. It should hold the token in one line`,
    { retry: 'backoff', cause },
  );
}
