import { Agent, request } from 'undici';

/** What clients saw in one phase of the demo. */
export interface Tally {
  readonly phase: string;
  readonly sent: number;
  readonly failed: number;
  /** Answers by the version in the response header. */
  readonly versions: Readonly<Record<string, number>>;
  /** What failed, by cause, silent closes included. */
  readonly causes: Readonly<Record<string, number>>;
}

export interface Traffic {
  /** Counts on under another name. */
  enter(phase: string): void;
  tallies(): readonly Tally[];
  /** Ends the load and waits for the answers under way. */
  stop(): Promise<readonly Tally[]>;
}

export interface TrafficOptions {
  readonly url: string;
  readonly perSecond: number;
  /** No request is sent after this long, whatever happens. */
  readonly longestMs: number;
}

const HEADER = 'x-sluice-version';
const TICK_MS = 20;
const TIMEOUT_MS = 10_000;

interface Count {
  sent: number;
  failed: number;
  readonly versions: Map<string, number>;
  readonly causes: Map<string, number>;
}

/**
 * A bounded load of real clients: half of the requests reuse a connection, half open a new one, as
 * the two fail differently when a server goes away. Every failure counts, silent closes too.
 */
export function startTraffic(options: TrafficOptions): Traffic {
  const counts = new Map<string, Count>();
  const reusing = new Agent({ connections: 8, pipelining: 1, keepAliveTimeout: 30_000 });
  const underWay = new Set<Promise<void>>();
  const startedAt = performance.now();
  let phase = 'start';
  let issued = 0;

  function launch(): void {
    const count = countOf(counts, phase);
    count.sent += 1;
    issued += 1;
    const ask = once(options.url, issued % 2 === 0 ? reusing : undefined, count);
    underWay.add(ask);
    void ask.finally(() => underWay.delete(ask));
  }

  const timer = setInterval(() => {
    const elapsed = performance.now() - startedAt;
    if (elapsed > options.longestMs) return;
    const due = Math.floor((elapsed * options.perSecond) / 1000);
    // A stalled machine catches up slowly instead of in one burst.
    for (let room = options.perSecond / 10; issued < due && room > 0; room -= 1) launch();
  }, TICK_MS);

  return {
    enter(next) {
      phase = next;
    },
    tallies: () => tell(counts),
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      await reusing.close();
      return tell(counts);
    },
  };
}

/** One request; one that is not answered well is counted with its cause, never repeated. */
async function once(url: string, dispatcher: Agent | undefined, count: Count): Promise<void> {
  const own = dispatcher ?? new Agent({ connections: 1, pipelining: 0 });
  try {
    const answer = await request(url, {
      dispatcher: own,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    await answer.body.dump();
    if (answer.statusCode >= 400) {
      fail(count, `status ${String(answer.statusCode)}`);
      return;
    }
    const version = answer.headers[HEADER];
    add(count.versions, typeof version === 'string' ? version : 'no version header');
  } catch (error) {
    fail(count, codeOf(error));
  } finally {
    if (own !== dispatcher) await own.close().catch(() => undefined);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return error instanceof Error ? error.message : 'unknown';
}

function fail(count: Count, cause: string): void {
  count.failed += 1;
  add(count.causes, cause);
}

function add(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function countOf(counts: Map<string, Count>, phase: string): Count {
  const known = counts.get(phase);
  if (known) return known;
  const fresh: Count = { sent: 0, failed: 0, versions: new Map(), causes: new Map() };
  counts.set(phase, fresh);
  return fresh;
}

function tell(counts: ReadonlyMap<string, Count>): readonly Tally[] {
  return [...counts].map(([phase, count]) => ({
    phase,
    sent: count.sent,
    failed: count.failed,
    versions: Object.fromEntries(count.versions),
    causes: Object.fromEntries(count.causes),
  }));
}
