import { readFileSync } from 'node:fs';
import { Agent } from 'undici';
import { DriverError } from '../../errors.ts';
import { describe, explain, follow, isSuccess, NoAnswer, readText } from './exchange.ts';
import type { Call, MarathonOptions, Reply, Wire } from './exchange.ts';
import { refusal } from './refusal.ts';

export interface Transport {
  /** The text of a 2xx answer. */
  send(call: Call, signal: AbortSignal): Promise<string>;
  /** The body of a 2xx answer that never ends; the caller reads and destroys it. */
  open(call: Call, signal: AbortSignal): Promise<Reply['body']>;
  close(): Promise<void>;
}

/** The urls of one Marathon. */
interface Ring {
  readonly bases: readonly URL[];
  /** Where the last answer came from: the next call starts there. */
  preferred: number;
}

/** An event stream that is silent for this long is taken for dead. */
const SILENCE_MS = 120_000;

/**
 * Speaks HTTP with one Marathon behind several urls: reads fail over to the next url, writes only
 * while they certainly have not been sent.
 *
 * @throws DriverError `secret-in-url` for urls with credentials.
 */
export function createTransport(options: MarathonOptions): Transport {
  const bases = options.urls.map(parseBase);
  const trusted = new Set(
    [...bases, ...(options.leaders ?? []).map(parseBase)].map((url) => url.origin),
  );
  const agent = new Agent({
    connect: {
      timeout: Math.ceil(options.timeoutMs / (bases.length + 1)),
      ...(options.caFile === undefined ? {} : { ca: readFileSync(options.caFile, 'utf8') }),
    },
    headersTimeout: 0,
    bodyTimeout: SILENCE_MS,
  });
  const wire: Wire = { options, agent, trusted };
  const ring: Ring = { bases, preferred: 0 };

  async function send(call: Call, signal: AbortSignal): Promise<string> {
    return eachBase(wire, ring, { call, signal }, async (base, attempt) => {
      const reply = await follow(wire, call, base, attempt);
      const answer = {
        status: reply.statusCode,
        text: await readText(wire, reply, describe(wire, call, base)),
      };
      if (isSuccess(answer.status)) return answer.text;
      throw refusal(describe(wire, call, base), answer);
    });
  }

  async function open(call: Call, signal: AbortSignal): Promise<Reply['body']> {
    return eachBase(wire, ring, { call, signal }, async (base, attempt) => {
      // The time limit ends with the headers: the stream itself lives as long as its caller.
      const limit = new AbortController();
      const stop = (): void => {
        limit.abort();
      };
      attempt.addEventListener('abort', stop, { once: true });
      const reply = await follow(wire, call, base, AbortSignal.any([limit.signal, signal]));
      attempt.removeEventListener('abort', stop);
      if (isSuccess(reply.statusCode)) return reply.body;
      const text = await readText(wire, reply, describe(wire, call, base));
      throw refusal(describe(wire, call, base), { status: reply.statusCode, text });
    });
  }

  return {
    send,
    open,
    async close() {
      await agent.destroy();
    },
  };
}

/** Tries the urls in turn, within one time limit for all of them. */
async function eachBase<T>(
  wire: Wire,
  ring: Ring,
  asked: { readonly call: Call; readonly signal: AbortSignal },
  attempt: (base: URL, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { call, signal } = asked;
  const { bases } = ring;
  const endsAt = performance.now() + wire.options.timeoutMs;
  const start = ring.preferred;
  for (let count = 0; ; count += 1) {
    const index = (start + count) % bases.length;
    const base = bases[index];
    if (base === undefined) throw new Error('A Marathon needs at least one url');
    const others = bases.length - count - 1;
    const left = Math.max(1, endsAt - performance.now());
    const limit = AbortSignal.timeout(Math.ceil(others > 0 ? left / 2 : left));
    try {
      const result = await attempt(base, AbortSignal.any([signal, limit]));
      ring.preferred = index;
      return result;
    } catch (error) {
      if (others > 0 && !signal.aborted && mayRepeat(call, error)) continue;
      throw explain(wire, error, describe(wire, call, base));
    }
  }
}

function mayRepeat(call: Call, error: unknown): boolean {
  if (error instanceof NoAnswer) return call.method === 'GET' || !error.sent;
  return (
    call.method === 'GET' && error instanceof DriverError && error.code === 'marathon-unavailable'
  );
}

function parseBase(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/u.test(parsed.protocol)) {
    throw new DriverError(
      'marathon-url-invalid',
      'A url in marathon.urls is not http:// or https://',
      {
        retry: 'never',
      },
    );
  }
  if (parsed.username !== '' || parsed.password !== '' || parsed.search !== '') {
    throw new DriverError(
      'secret-in-url',
      `The url of Marathon at ${parsed.host} holds credentials or a query. Take them out of marathon.urls and into a file, named by marathon.token_file or marathon.password_file`,
      { retry: 'never' },
    );
  }
  return parsed;
}
