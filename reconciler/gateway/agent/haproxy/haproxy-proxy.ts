import { mkdir } from 'node:fs/promises';

import type { Proxy } from '../proxy.ts';
import { createTurns } from '../turns.ts';
import { haproxyFiles, readSlots, readTally } from './haproxy-files.ts';
import { Haproxy, type HaproxyOptions } from './haproxy.ts';

/** While somebody waits for a check or for a last session, the next look comes this soon (ms). */
const SETTLE_MS = 100;
/** A session may last for hours: after so many looks they come less often. */
const PATIENCE = 50;
const SETTLE_SLOWLY_MS = 500;

/** HAProxy 2.6 or newer as a process of its own that outlives the agent. */
export async function createHaproxyProxy(options: HaproxyOptions): Promise<Proxy> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const files = haproxyFiles(options.folder);
  const haproxy = new Haproxy(options, files, {
    table: await readSlots(files),
    tally: await readTally(files),
  });
  const turns = createTurns();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let looks = 0;

  function settle(): Promise<void> {
    return turns.take(async () => {
      if (closed) return;
      clearTimeout(timer);
      const unsettled = await haproxy.settle();
      looks = unsettled ? looks + 1 : 0;
      if (unsettled) {
        const delay = looks > PATIENCE ? SETTLE_SLOWLY_MS : SETTLE_MS;
        timer = setTimeout(() => {
          settle().catch((error: unknown) => {
            options.logger.warn({ err: error }, 'HAProxy does not settle');
          });
        }, delay);
        timer.unref();
      }
    });
  }
  return {
    kind: 'haproxy',
    abilities: { weights: 'exact', protocols: ['http', 'tcp'], durable: true },
    apply(gateways) {
      haproxy.wanted = gateways;
      return settle();
    },
    observe: () => turns.take(() => haproxy.observe()),
    close(mode) {
      return turns.take(async () => {
        closed = true;
        clearTimeout(timer);
        await haproxy.close(mode);
      });
    },
  };
}
