import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { errors, request } from 'undici';
import type { Dispatcher } from 'undici';
import { DriverError } from '../../errors.ts';
import { authFile, readAuthorization } from './credentials.ts';
import type { MarathonAuth } from './credentials.ts';
import type { Asked } from './refusal.ts';

export interface MarathonOptions {
  /** Base urls of one Marathon, paths included; tried in turn. */
  readonly urls: readonly string[];
  /** Origins beyond those of `urls` to which a redirect may take the credentials along. */
  readonly leaders?: readonly string[];
  readonly auth?: MarathonAuth;
  /** PEM file with the authorities of a private TLS. */
  readonly caFile?: string;
  /** Milliseconds that one method may take, retries at other urls included. */
  readonly timeoutMs: number;
  /** Bytes of one answer, unpacked. */
  readonly maxResponseBytes: number;
  /** Called once per request that was sent. */
  readonly onCall?: (call: MarathonCall) => void;
}

/** One request, for logs and metrics. */
export interface MarathonCall {
  readonly method: string;
  /** Origin and path, no query. */
  readonly where: string;
  /** Undefined where no answer came. */
  readonly status?: number;
  readonly ms: number;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: readonly (readonly [string, string])[];
  readonly body?: unknown;
}

/** What all requests to one Marathon share. */
export interface Wire {
  readonly options: MarathonOptions;
  readonly agent: Dispatcher;
  /** Origins that may see the credentials. */
  readonly trusted: ReadonlySet<string>;
}

export type Reply = Dispatcher.ResponseData;

const MAX_REDIRECTS = 3;
const unpack = promisify(gunzip);

/** No answer came. `sent`: the request may have reached Marathon. */
export class NoAnswer extends Error {
  readonly sent: boolean;
  readonly timedOut: boolean;

  constructor(sent: boolean, timedOut: boolean, cause: unknown) {
    super('no answer', { cause });
    this.sent = sent;
    this.timedOut = timedOut;
  }
}

/** One request and the redirects of reads that may be followed. Credentials are read anew. */
export async function follow(
  wire: Wire,
  call: Call,
  base: URL,
  signal: AbortSignal,
): Promise<Reply> {
  const { auth } = wire.options;
  const authorization = auth === undefined ? undefined : await readAuthorization(auth);
  let url = urlOf(base, call);
  for (let hops = 0; ; hops += 1) {
    const reply = await requestOnce(wire, call, { url, authorization }, signal);
    const location = redirectOf(reply);
    if (location === undefined) return reply;
    await reply.body.dump({ limit: 65_536 }).catch(() => undefined);
    url = nextUrl(wire, call, { url, location, hops, secret: authorization !== undefined });
  }
}

function nextUrl(
  wire: Wire,
  call: Call,
  at: {
    readonly url: URL;
    readonly location: string;
    readonly hops: number;
    readonly secret: boolean;
  },
): URL {
  const next = URL.parse(at.location, at.url.href);
  const fits = next !== null && /^https?:$/u.test(next.protocol) && at.hops < MAX_REDIRECTS;
  // Credentials go only where the configuration says; a foreign host would get to see them.
  if (fits && call.method === 'GET' && (!at.secret || wire.trusted.has(next.origin))) return next;
  const whither = next === null ? 'nowhere' : next.origin;
  throw new DriverError(
    'marathon-redirects',
    `${call.method} ${at.url.origin}${at.url.pathname} is redirected to ${whither}, which Sluice does not follow. Add that to marathon.urls if it is one of Marathon's nodes; a login page means that credentials are missing (marathon.token_file, or marathon.user with marathon.password_file)`,
    { retry: 'backoff' },
  );
}

async function requestOnce(
  wire: Wire,
  call: Call,
  to: { readonly url: URL; readonly authorization: string | undefined },
  signal: AbortSignal,
): Promise<Reply> {
  const startedAt = performance.now();
  const where = to.url.origin + to.url.pathname;
  const report = (status?: number): void => {
    const ms = performance.now() - startedAt;
    wire.options.onCall?.({
      method: call.method,
      where,
      ms,
      ...(status === undefined ? {} : { status }),
    });
  };
  try {
    const reply = await request(to.url, {
      method: call.method,
      dispatcher: wire.agent,
      signal,
      headers: headersOf(call, to.authorization),
      body: call.body === undefined ? null : JSON.stringify(call.body),
    });
    report(reply.statusCode);
    return reply;
  } catch (error) {
    report();
    throw new NoAnswer(!isUnsent(error), signal.aborted || isTimeout(error), error);
  }
}

/** The body as text, no larger than allowed, packed or unpacked. */
export async function readText(wire: Wire, reply: Reply, asked: Asked): Promise<string> {
  const limit = wire.options.maxResponseBytes;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of reply.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLarge(asked, limit);
      chunks.push(chunk);
    }
    const bytes = Buffer.concat(chunks);
    if (reply.headers['content-encoding'] !== 'gzip') return bytes.toString('utf8');
    return (await unpack(bytes, { maxOutputLength: limit })).toString('utf8');
  } catch (error) {
    if (error instanceof DriverError) throw error;
    if (error instanceof RangeError) throw tooLarge(asked, limit);
    throw new NoAnswer(true, isTimeout(error), error);
  }
}

export function describe(wire: Wire, call: Call, base: URL): Asked {
  const { auth } = wire.options;
  const url = urlOf(base, call);
  const file = auth === undefined ? {} : { authFile: authFile(auth) };
  return { method: call.method, where: url.origin + url.pathname, body: call.body, ...file };
}

/** Turns the lack of an answer into an error for people; others pass. */
export function explain(wire: Wire, error: unknown, asked: Asked): unknown {
  if (!(error instanceof NoAnswer)) return error;
  const at = `${asked.method} ${asked.where}`;
  const doubt = error.sent && asked.method !== 'GET';
  const applied = doubt
    ? ' The write may have been applied: Sluice reads before it repeats anything'
    : '';
  if (error.timedOut) {
    return new DriverError(
      'marathon-timeout',
      `Marathon did not answer ${at} within ${String(wire.options.timeoutMs)} ms. Check its load, or raise marathon.timeout.${applied}`,
      { retry: 'backoff', cause: error.cause },
    );
  }
  const reason = reasonOf(error.cause);
  const code = doubt ? 'marathon-unavailable' : 'marathon-unreachable';
  return new DriverError(
    code,
    `No answer to ${at}: ${reason}. Check that Marathon runs there and can be reached.${applied}`,
    { retry: 'backoff', cause: error.cause },
  );
}

export function urlOf(base: URL, call: Call): URL {
  const url = new URL(base.href.replace(/\/+$/u, '') + call.path);
  for (const [key, value] of call.query ?? []) url.searchParams.append(key, value);
  return url;
}

function headersOf(call: Call, authorization: string | undefined): Record<string, string> {
  const stream = call.path.startsWith('/v2/events');
  return {
    accept: stream ? 'text/event-stream' : 'application/json',
    ...(stream ? {} : { 'accept-encoding': 'gzip' }),
    ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(authorization === undefined ? {} : { authorization }),
  };
}

function redirectOf(reply: Reply): string | undefined {
  const { location } = reply.headers;
  if (![301, 302, 303, 307, 308].includes(reply.statusCode)) return undefined;
  return typeof location === 'string' ? location : undefined;
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function tooLarge(asked: Asked, limit: number): DriverError {
  return new DriverError(
    'response-too-large',
    `The answer to ${asked.method} ${asked.where} is larger than ${String(limit)} bytes, the most that Sluice reads. Check that it is Marathon that answers there; if it is, spread its apps over several`,
    { retry: 'backoff' },
  );
}

const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

function isUnsent(error: unknown): boolean {
  if (error instanceof errors.ConnectTimeoutError) return true;
  return UNSENT.has(codeOf(error));
}

function isTimeout(error: unknown): boolean {
  if (error instanceof errors.UndiciError) return error.name.includes('Timeout');
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED') return 'the connection was refused';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name of the host is not known';
  if (/CERT|SIGNED|UNABLE_TO_VERIFY/u.test(code)) return `its certificate is not trusted (${code})`;
  return code === '' ? 'the connection broke' : `the connection broke (${code})`;
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
