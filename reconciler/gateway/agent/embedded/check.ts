import http from 'node:http';
import net from 'node:net';

import type { ProxyCheck } from '../../../model/desired.ts';
import type { ProxyTuning } from '../proxy.ts';

export type CheckState = 'checking' | 'up' | 'down';

/** What the checks of one server have shown so far. */
export interface CheckRecord {
  readonly state: CheckState;
  /** Consecutive results that speak against the present state. */
  readonly streak: number;
  /** Milliseconds at which the present run of passes began; undefined after a failure. */
  readonly passingSince: number | undefined;
  /** Times it went from up to down. */
  readonly falls: number;
}

export interface Probe {
  readonly passed: boolean;
  readonly at: number;
  /** A new server has to pass for this long before it is up. */
  readonly holdMs: number;
}

export const UNCHECKED: CheckRecord = {
  state: 'checking',
  streak: 0,
  passingSince: undefined,
  falls: 0,
};

const FALL = 2;
const RISE = 2;

/** A new server is up once it has passed for `holdMs`; then `fall 2`, `rise 2` as in HAProxy. */
export function nextRecord(record: CheckRecord, probe: Probe): CheckRecord {
  const passingSince = probe.passed ? (record.passingSince ?? probe.at) : undefined;
  if (record.state === 'checking') {
    const held = passingSince !== undefined && probe.at - passingSince >= probe.holdMs;
    return { ...record, state: held ? 'up' : 'checking', passingSince };
  }
  const against = record.state === 'up' ? !probe.passed : probe.passed;
  if (!against) return { ...record, streak: 0, passingSince };
  const streak = record.streak + 1;
  if (streak < (record.state === 'up' ? FALL : RISE)) return { ...record, streak, passingSince };
  const falling = record.state === 'up';
  const falls = record.falls + (falling ? 1 : 0);
  return { state: falling ? 'down' : 'up', streak: 0, passingSince, falls };
}

export interface RunningCheck {
  readonly record: CheckRecord;
  /** A request could not connect: counts as one failed check, and the next one comes at once. */
  suspect(): void;
  close(): void;
}

export interface CheckTarget {
  readonly host: string;
  readonly port: number;
  readonly check: ProxyCheck | undefined;
  readonly tuning: ProxyTuning;
  /** How long a new server has to pass before it is up, in milliseconds. */
  readonly holdMs: number;
  /** Where an earlier check of the same server had come to. */
  readonly from: CheckRecord;
}

/** While a state is about to change, the next look comes after this many milliseconds. */
const FAST_MS = 250;
const DOWN_MS = 1_000;

/** Probes one server until closed. */
export function startCheck(target: CheckTarget): RunningCheck {
  const { holdMs } = target;
  const ending = new AbortController();
  let record = target.from;
  let timer: NodeJS.Timeout | undefined;

  function learn(passed: boolean): void {
    record = nextRecord(record, { passed, at: performance.now(), holdMs });
  }
  function schedule(delayMs: number): void {
    clearTimeout(timer);
    if (ending.signal.aborted) return;
    timer = setTimeout(() => void look(), delayMs);
    timer.unref();
  }
  async function look(): Promise<void> {
    const passed = await probe(target, ending.signal);
    if (ending.signal.aborted) return;
    learn(passed);
    schedule(pause(record, target));
  }

  schedule(0);
  return {
    get record() {
      return record;
    },
    suspect() {
      if (record.state !== 'up') return;
      learn(false);
      schedule(0);
    },
    close() {
      ending.abort();
      clearTimeout(timer);
    },
  };
}

function pause(record: CheckRecord, target: CheckTarget): number {
  const intervalMs = target.check?.intervalMs ?? target.tuning.checkIntervalMs;
  if (record.state === 'checking' || record.streak > 0) return Math.min(FAST_MS, intervalMs);
  return record.state === 'down' ? Math.min(DOWN_MS, intervalMs) : intervalMs;
}

function probe(target: CheckTarget, signal: AbortSignal): Promise<boolean> {
  return target.check === undefined
    ? connects(target, signal)
    : answers(target, target.check, signal);
}

function answers(target: CheckTarget, check: ProxyCheck, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({
      host: target.host,
      port: target.port,
      path: check.path,
      agent: false,
      signal: AbortSignal.any([signal, AbortSignal.timeout(check.timeoutMs)]),
    });
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      resolve(status >= 200 && status < 400);
      request.destroy();
    });
    request.on('error', () => {
      resolve(false);
    });
  });
}

function connects(target: CheckTarget, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({
      host: target.host,
      port: target.port,
      signal: AbortSignal.any([signal, AbortSignal.timeout(target.tuning.connectTimeoutMs)]),
    });
    socket.on('connect', () => {
      resolve(true);
      socket.destroy();
    });
    socket.on('error', () => {
      resolve(false);
    });
  });
}
