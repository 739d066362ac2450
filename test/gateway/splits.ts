import type { Task } from '../../reconciler/model/actual.ts';
import type { Split, SplitVersion } from '../../reconciler/model/split.ts';
import type { TaskFeed, Wake } from '../../reconciler/platform/port.ts';

export function makeSplit(change: Partial<Split> = {}): Split {
  const port = change.port ?? 10_099;
  return {
    gateway: String(port),
    title: 'a gateway',
    owner: 'us',
    generation: 1,
    port,
    protocol: 'http',
    versions: [],
    fallback: [],
    memory: { rejected: [] },
    ...change,
  };
}

export function appVersion(id: string, weight: number): SplitVersion {
  return {
    id,
    name: `${id.slice(1)}:name`,
    weight,
    source: { kind: 'app', appId: id, service: 's', digest: 'd', portIndex: 0 },
    check: { path: '/ready', intervalMs: 200, timeoutMs: 200 },
    draining: [],
  };
}

export function makeTask(id: string, appId: string, port: number, host = 'h1'): Task {
  return { id, appId, state: 'TASK_RUNNING', host, ports: [port], health: 'healthy' };
}

/** Marathon as the agent sees it, in the hands of a test. */
export interface FakeFeed extends TaskFeed {
  list: readonly Task[];
  /** While set, every answer is this error. */
  failure: Error | undefined;
  wake(event: Wake): void;
}

export function fakeFeed(list: readonly Task[] = []): FakeFeed {
  const events: Wake[] = [];
  let ring = (): void => undefined;
  const feed: FakeFeed = {
    list,
    failure: undefined,
    tasks() {
      return feed.failure === undefined ? Promise.resolve(feed.list) : Promise.reject(feed.failure);
    },
    async *wakes(signal) {
      while (!signal.aborted) {
        const next = events.shift();
        if (next !== undefined) {
          yield next;
          continue;
        }
        await new Promise<void>((resolve) => {
          ring = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    },
    wake(event) {
      events.push(event);
      ring();
    },
  };
  return feed;
}
