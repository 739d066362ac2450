import { Agent, request } from 'undici';
import { DriverError } from '../errors.ts';
import { renderTable } from './table.ts';
import type { ExitStatus } from './terminal.ts';
import { printable } from './text.ts';

export interface CheckOptions {
  readonly url: string;
  /** Clients to send; default 100, at most 1,000,000. */
  readonly count?: number;
  /** How many at once; default 10, at most 256. */
  readonly concurrency?: number;
  /** Response header that names who answered; default `x-sluice-version`. */
  readonly header?: string;
  /** Where a JSON body names it instead: `version`, `$.app.version`, `hosts.0`. */
  readonly jsonPath?: string;
  /** Longest that one answer may take; default 5000. */
  readonly timeoutMs?: number;
  /** A connection of its own for each client, as separate clients have. */
  readonly newConnections?: boolean;
}

export interface CheckResult {
  readonly url: string;
  /** How many were sent. */
  readonly sent: number;
  /** Who gave good answers, the most frequent first. */
  readonly answered: readonly Seen[];
  readonly failures: readonly Failure[];
}

export interface Seen {
  /** Undefined: an answer that names nobody. */
  readonly version: string | undefined;
  readonly count: number;
}

export interface Failure {
  /** `status`: 500 and above; `closed`: a connection that ended without an answer. */
  readonly kind: 'status' | 'refused' | 'closed' | 'timeout' | 'unreadable';
  /** The status, or the error's own code. */
  readonly what: string;
  readonly version: string | undefined;
  readonly count: number;
}

type Outcome =
  | { readonly version: string | undefined }
  | (Omit<Failure, 'count'> & { readonly kind: Failure['kind'] });

const MAX_COUNT = 1_000_000;
const MAX_CONCURRENCY = 256;
const MAX_BODY_BYTES = 1_048_576;
const MAX_NAMES = 1_000;
const CLOSED = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
const TIMEOUT = /TIMEOUT|ETIMEDOUT|ABORT/;

/**
 * Sends GETs and counts who answered. Redirects are not followed; below 500 any answer is one. An
 * abort ends it early with what was seen so far.
 *
 * @throws DriverError `check-invalid` for a url that is no http url.
 */
export async function runCheck(options: CheckOptions, signal: AbortSignal): Promise<CheckResult> {
  const { url, timeoutMs = 5_000 } = options;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new DriverError(
      'check-invalid',
      `${url} is no url that starts with http:// or https://`,
      {
        retry: 'never',
      },
    );
  }
  const count = bounded(options.count ?? 100, MAX_COUNT);
  const concurrency = Math.min(bounded(options.concurrency ?? 10, MAX_CONCURRENCY), count);
  const agent = new Agent({
    connections: concurrency,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: timeoutMs },
    maxResponseSize: MAX_BODY_BYTES,
  });
  const tally = new Tally(url);
  async function work(): Promise<void> {
    while (!signal.aborted && tally.begin(count)) {
      const outcome = await ask(options, agent, signal);
      // What our own end cut off says nothing about the server.
      if (!signal.aborted) tally.add(outcome);
    }
  }
  try {
    await Promise.all(Array.from({ length: concurrency }, work));
  } finally {
    await agent.destroy();
  }
  return tally.result();
}

/** 0: all were answered; 1: some were not; 2: none was. */
export function checkStatus(result: CheckResult): ExitStatus {
  if (result.answered.length === 0) return 2;
  return result.failures.length === 0 ? 0 : 1;
}

/** `out of 100 clients 80 saw simpleservice:0.9@1a2b3c4d and 20 saw ...`, then the failures. */
export function renderCheck(result: CheckResult, options = { colour: false }): string {
  const { sent, answered, failures } = result;
  const clients = `out of ${String(sent)} ${sent === 1 ? 'client' : 'clients'}`;
  const seen = answered.map(({ version, count }) => `${String(count)} saw ${named(version)}`);
  const failed = failures.reduce((sum, { count }) => sum + count, 0);
  if (failed > 0) seen.push(`${String(failed)} got no good answer`);
  if (seen.length === 0) seen.push('none was sent');
  const rows = failures.map(({ kind, what, version, count }) => [
    String(count),
    WORDS[kind],
    printable(what),
    version === undefined ? '' : printable(version),
  ]);
  const table = renderTable(['failures', 'how', 'what', 'from'], rows, options);
  return `${clients} ${joined(seen)}\n${table === '' ? '' : `\n${table}`}`;
}

const WORDS: Readonly<Record<Failure['kind'], string>> = {
  status: 'answered with status',
  refused: 'could not connect',
  closed: 'closed without an answer',
  timeout: 'took too long',
  unreadable: 'sent what cannot be read',
};

async function ask(options: CheckOptions, agent: Agent, signal: AbortSignal): Promise<Outcome> {
  const { url, header = 'x-sluice-version', jsonPath, timeoutMs = 5_000 } = options;
  try {
    const { statusCode, headers, body } = await request(url, {
      dispatcher: agent,
      reset: options.newConnections ?? false,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const value = headers[header.toLowerCase()];
    const named = Array.isArray(value) ? value.join(', ') : value;
    // All of it is read in any case: an answer that breaks off is a failure.
    const text = await body.text();
    const version = jsonPath === undefined ? named : valueAt(text, jsonPath);
    if (statusCode < 500) return { version };
    return { kind: 'status', what: String(statusCode), version: named };
  } catch (error) {
    return { ...explained(error), version: undefined };
  }
}

function explained(error: unknown): { readonly kind: Failure['kind']; readonly what: string } {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const what = typeof code === 'string' ? code : nameOf(error);
  if (TIMEOUT.test(what.toUpperCase())) return { kind: 'timeout', what };
  if (CLOSED.has(what)) return { kind: 'closed', what };
  const isParser =
    what === 'HTTPParserError' || what.startsWith('HPE_') || what.startsWith('UND_ERR_RES');
  return { kind: isParser ? 'unreadable' : 'refused', what };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

/** The text or number at a dotted path of a JSON text; undefined if there is none. */
function valueAt(text: string, path: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (const name of path.replace(/^\$\.?/, '').split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = Object.entries(value).find(([key]) => key === name)?.[1];
  }
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

class Tally {
  readonly #url: string;
  #begun = 0;
  readonly #seen = new Map<string, Seen>();
  readonly #failures = new Map<string, Failure>();

  constructor(url: string) {
    this.#url = url;
  }

  /** True if one more may be sent. */
  begin(count: number): boolean {
    this.#begun += 1;
    return this.#begun <= count;
  }

  add(outcome: Outcome): void {
    const key = JSON.stringify(outcome);
    if ('kind' in outcome) {
      this.#failures.set(key, { ...outcome, count: (this.#failures.get(key)?.count ?? 0) + 1 });
      return;
    }
    // A server that makes up a name for every answer must not fill the memory.
    const isKnown = this.#seen.has(key) || this.#seen.size < MAX_NAMES;
    const { version } = isKnown ? outcome : { version: 'others' };
    const slot = isKnown ? key : 'others';
    this.#seen.set(slot, { version, count: (this.#seen.get(slot)?.count ?? 0) + 1 });
  }

  result(): CheckResult {
    const answered = [...this.#seen.values()].sort(byCount);
    const failures = [...this.#failures.values()].sort(byCount);
    const sent = [...answered, ...failures].reduce((sum, { count }) => sum + count, 0);
    return { url: this.#url, sent, answered, failures };
  }
}

function byCount(a: Seen, b: Seen): number {
  return b.count - a.count || ((a.version ?? '') < (b.version ?? '') ? -1 : 1);
}

function bounded(value: number, most: number): number {
  return Math.min(Math.max(Math.trunc(value), 1), most);
}

function named(version: string | undefined): string {
  return version === undefined ? 'an answer that names no version' : printable(version);
}

function joined(parts: readonly string[]): string {
  const last = parts.at(-1) ?? '';
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(', ')} and ${last}`;
}
