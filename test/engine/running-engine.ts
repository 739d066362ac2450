import { once } from 'node:events';
import { createServer } from 'node:net';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../reconciler/engine/clock.ts';
import { systemClock } from '../../reconciler/engine/clock.ts';
import type { Engine, EngineOptions } from '../../reconciler/engine/engine.ts';
import { startEngine } from '../../reconciler/engine/engine.ts';

export const SIMPLE = {
  cpus: 0.1,
  mem: 32,
  container: { docker: { image: 'mhausenblas/simpleservice:0.4.0' } },
  env: { DRAIN_MS: '0' },
};

/** A program that stays. */
export const SLEEPER = { cmd: 'exec sleep 1000', cpus: 0.1, mem: 32 };

export interface TaskBody {
  readonly id: string;
  readonly appId: string;
  readonly state: string;
  readonly ports: readonly number[];
  readonly version: string;
  readonly startedAt: string;
  readonly healthCheckResults?: readonly {
    readonly alive: boolean;
    readonly consecutiveFailures: number;
    readonly firstSuccess?: string;
    readonly lastFailureCause?: string;
  }[];
}

export interface AppBody {
  readonly id: string;
  readonly instances: number;
  readonly version: string;
  readonly versionInfo: { readonly lastScalingAt: string; readonly lastConfigChangeAt: string };
  readonly portDefinitions: readonly { readonly port: number }[];
  readonly tasksRunning: number;
  readonly tasksHealthy: number;
  readonly tasksUnhealthy: number;
  readonly tasks: readonly TaskBody[];
  readonly deployments: readonly { readonly id: string }[];
  readonly lastTaskFailure?: { readonly state: string; readonly message: string };
  readonly [field: string]: unknown;
}

/** Every field that a test reads of some answer; which are there depends on the call. */
export interface Body {
  readonly app: AppBody;
  readonly apps: readonly AppBody[];
  readonly tasks: readonly TaskBody[];
  readonly queue: readonly {
    readonly count: number;
    readonly delay: { readonly timeLeftSeconds: number; readonly overdue: boolean };
    readonly processedOffersSummary: {
      readonly rejectSummaryLastOffers: readonly { readonly reason: string }[];
    };
  }[];
  readonly message: string;
  readonly details: readonly { readonly path: string; readonly errors: readonly string[] }[];
  readonly deployments: readonly { readonly id: string }[];
  readonly deploymentId: string;
  readonly version: string;
  readonly versions: readonly string[];
  readonly length?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

export function caller(url: string): Call {
  return async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true && text !== '';
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-engine-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

export async function engineFor(
  options: Partial<EngineOptions> = {},
): Promise<{ engine: Engine; call: Call; stateDir: string }> {
  const stateDir = options.stateDir ?? temporaryFolder();
  const engine = await startEngine({ closeGraceMs: 200, ...options, stateDir });
  onTestFinished(() => engine.close());
  return { engine, call: caller(engine.url), stateDir };
}

/** Time that runs `factor` times as fast, so that intervals of seconds take a blink. */
export function fastClock(factor: number): Clock {
  const begin = Date.now();
  return {
    now: () => begin + Math.round((Date.now() - begin) * factor),
    after: (ms, run) => systemClock.after(ms / factor, run),
  };
}

/** Waits until the claim is true, within the deadline. */
export async function until(
  what: string,
  claim: () => boolean | Promise<boolean>,
  deadlineMs = 15_000,
): Promise<true> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    if (await claim()) return true;
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until no deployment runs. */
export async function settled(call: Call): Promise<void> {
  await until('no deployment runs', async () => {
    const { body } = await call('GET', '/v2/deployments');
    return body.length === 0;
  });
}

export async function tasksOf(call: Call, appId: string): Promise<readonly TaskBody[]> {
  const { body } = await call('GET', '/v2/tasks');
  return body.tasks.filter((task) => task.appId === appId);
}

/** Pids of all processes whose environment or arguments hold the word. */
export function pidsWith(word: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return ['environ', 'cmdline'].some((file) =>
          readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(word),
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}
