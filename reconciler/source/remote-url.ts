import { DriverError } from '../errors.ts';

/** A git remote that Sluice is willing to talk to. */
export interface Remote {
  /** What git gets; it never holds a secret. */
  readonly url: string;
  /** The one protocol that git may use for it. */
  readonly protocol: 'file' | 'http' | 'https';
  /** Where a token may be sent: scheme, host and port. Undefined for files. */
  readonly origin?: string;
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * Accepts an absolute path, `file://`, `https://` and, on loopback only, `http://`. Everything else
 * would let a URL start programs (`ext::`), talk in the clear (`git://`) or use keys that Sluice
 * does not manage (`ssh://`, `host:path`).
 *
 * @throws DriverError `remote-refused`, or `secret-in-url` for user names, passwords and queries.
 */
export function parseRemote(url: string): Remote {
  if (url.startsWith('/')) return { url, protocol: 'file' };
  const parsed = URL.parse(url);
  if (parsed === null || hasTransportHelper(url)) throw refuse(url);
  if (parsed.username !== '' || parsed.password !== '' || parsed.search !== '') {
    throw new DriverError(
      'secret-in-url',
      `The git url ${showUrl(url)} holds credentials or a query. Remove them from source.url, and name a file with the token in source.token_file`,
      { retry: 'never' },
    );
  }
  if (parsed.protocol === 'file:' && parsed.host === '') return { url, protocol: 'file' };
  if (parsed.protocol === 'https:') return { url, protocol: 'https', origin: parsed.origin };
  if (parsed.protocol === 'http:' && LOOPBACK.has(parsed.hostname)) {
    return { url, protocol: 'http', origin: parsed.origin };
  }
  throw refuse(url);
}

/** The url without user name, password and query: fit for logs and fingerprints. */
export function showUrl(url: string): string {
  return hideCredentials(url).replace(/[?#].*$/u, '');
}

/** Takes credentials out of every url in a text, wherever git printed it. */
export function hideCredentials(text: string): string {
  return text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/@\s'"]*@/giu, '$1***@');
}

function hasTransportHelper(url: string): boolean {
  return /^[a-z0-9+.-]+::/iu.test(url);
}

function refuse(url: string): DriverError {
  return new DriverError(
    'remote-refused',
    `The git url ${showUrl(url)} is of a kind that Sluice does not open. Use https://, file:// or an absolute path (http:// on loopback only)`,
    { retry: 'never' },
  );
}
