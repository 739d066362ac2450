import { setTimeout as sleep } from 'node:timers/promises';

import { DriverError } from '../../../errors.ts';
import type { HaproxyFiles } from './config.ts';
import { askOnce, openSession, type Session } from './runtime.ts';
import { parseStats, type StatRow } from './stats.ts';

/** One worker of HAProxy, the current one or one that is stopping. */
export interface Worker {
  readonly pid: number;
  readonly session: Session;
  /** Tells which version a backend belongs to in this worker. */
  ownerOf: (backend: string) => string | undefined;
}

const CONNECT_MS = 3_000;

/** Talks to the current worker; a moment after a reload the socket may still lead to the old one. */
export async function attachWorker(files: HaproxyFiles, pid: number): Promise<Worker> {
  const until = performance.now() + CONNECT_MS;
  for (;;) {
    const session = await openSession(files.admin).catch(() => undefined);
    if (session !== undefined) {
      const info = await readInfo(session).catch(() => undefined);
      if (info?.get('Pid') === String(pid)) return { pid, session, ownerOf: () => undefined };
      session.close();
    }
    if (performance.now() > until) {
      throw new DriverError('haproxy-unreachable', `worker ${String(pid)} cannot be reached`, {
        retry: 'soon',
      });
    }
    await sleep(20);
  }
}

/** A worker that an earlier agent left stopping; only the master can still reach it. */
export function oldWorker(files: HaproxyFiles, pid: number): Worker {
  return {
    pid,
    session: {
      ask: (command) => askOnce(files.master, `@!${String(pid)} ${command}`),
      close: () => undefined,
    },
    ownerOf: () => undefined,
  };
}

export async function readRows(session: Session): Promise<ReadonlyMap<string, readonly StatRow[]>> {
  // Every proxy (-1), backends and servers (2 + 4), every server (-1).
  const rows = parseStats(await session.ask('show stat -1 6 -1'));
  return Map.groupBy(rows, (row) => row.backend);
}

export async function readInfo(session: Session): Promise<ReadonlyMap<string, string>> {
  const lines = (await session.ask('show info')).split('\n');
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    }),
  );
}

/** Nothing is left in a stopping worker but this conversation, itself one job. */
export async function isQuiet(session: Session): Promise<boolean> {
  const info = await readInfo(session);
  return Number(info.get('Jobs')) - Number(info.get('Unstoppable Jobs')) <= 1;
}
