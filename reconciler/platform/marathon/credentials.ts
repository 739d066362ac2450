import { readFile } from 'node:fs/promises';
import { DriverError } from '../../errors.ts';

/** Where the credentials for Marathon are kept; always in files, never in configuration. */
export type MarathonAuth =
  /** A file with `user:password`. */
  | { readonly basicFile: string }
  | { readonly user: string; readonly passwordFile: string }
  /** A file with a DC/OS token, or with a whole header value (`Bearer ...`, `token=...`). */
  | { readonly tokenFile: string };

/** The file that a person has to look at when Marathon answers 401. */
export function authFile(auth: MarathonAuth): string {
  if ('basicFile' in auth) return auth.basicFile;
  return 'passwordFile' in auth ? auth.passwordFile : auth.tokenFile;
}

/**
 * The Authorization header, read anew for every call, so that rotated credentials are taken up.
 *
 * @throws DriverError `credentials-unreadable`
 */
export async function readAuthorization(auth: MarathonAuth): Promise<string> {
  const file = authFile(auth);
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw unreadable(file, 'cannot be read', error);
  }
  if (text === '' || /[\r\n\0]/u.test(text)) {
    throw unreadable(file, text === '' ? 'is empty' : 'has more than one line');
  }
  if ('tokenFile' in auth) return /^(?:Bearer |Basic |token=)/u.test(text) ? text : `token=${text}`;
  if ('basicFile' in auth && !text.includes(':')) {
    throw unreadable(file, 'does not hold user:password');
  }
  const pair = 'user' in auth ? `${auth.user}:${text}` : text;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function unreadable(file: string, what: string, cause?: unknown): DriverError {
  return new DriverError(
    'credentials-unreadable',
    `The file with the credentials for Marathon, ${file}, ${what}. It should hold them in one line`,
    { retry: 'backoff', cause },
  );
}
