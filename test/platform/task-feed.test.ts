import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createMarathonClient } from '../../reconciler/platform/marathon/client.ts';
import { createTaskFeed } from '../../reconciler/platform/marathon/task-feed.ts';
import type { Wake } from '../../reconciler/platform/port.ts';
import { answer, startScripted } from './scripted-server.ts';
import type { Script } from './scripted-server.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function open(script: Script) {
  const server = await startScripted(script);
  const client = createMarathonClient({
    urls: [server.url],
    timeoutMs: 2_000,
    maxResponseBytes: 100_000,
  });
  closers.push(
    async () => server.close(),
    async () => client.close(),
  );
  return { server, feed: createTaskFeed(client, { minDelayMs: 1, maxDelayMs: 4 }) };
}

/** Collects until `count` wakes have come, then aborts. */
async function collect(wakes: (signal: AbortSignal) => AsyncIterable<Wake>, count: number) {
  const stop = new AbortController();
  const found: Wake[] = [];
  for await (const wake of wakes(stop.signal)) {
    found.push(wake);
    if (found.length === count) stop.abort();
  }
  return found;
}

function stream(
  response: ServerResponse,
  ...events: readonly (readonly [string, unknown])[]
): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('\n');
  for (const [type, body] of events) {
    response.write(
      `event: ${type}\ndata: ${typeof body === 'string' ? body : JSON.stringify(body)}\n\n`,
    );
  }
}

function update(taskStatus: string): readonly [string, unknown] {
  return ['status_update_event', { taskId: 'web.1', taskStatus, appId: '/web' }];
}

describe('The task feed', () => {
  it('reads the tasks of all apps', async () => {
    const { feed } = await open((_seen, response) => {
      answer(response, 200, {
        tasks: [
          {
            id: 'web.1',
            appId: '/web',
            host: 'agent-1',
            ports: [31_000, 31_001],
            state: 'TASK_RUNNING',
            startedAt: '2026-01-01T00:00:00.000Z',
            healthCheckResults: [{ alive: true, consecutiveFailures: 0, firstSuccess: 't' }],
          },
          { id: 'web.2', appId: '/web', host: null, state: 'TASK_STAGING' },
        ],
      });
    });

    expect(await feed.tasks(new AbortController().signal)).toEqual([
      {
        id: 'web.1',
        appId: '/web',
        host: 'agent-1',
        ports: [31_000, 31_001],
        state: 'TASK_RUNNING',
        startedAt: '2026-01-01T00:00:00.000Z',
        health: 'healthy',
      },
      { id: 'web.2', appId: '/web', host: '', ports: [], state: 'TASK_STAGING', health: 'unknown' },
    ]);
  });

  it('wakes on events and names the tasks that are gone', async () => {
    const { server, feed } = await open((_seen, response) => {
      stream(
        response,
        ['event_stream_attached', {}],
        update('TASK_RUNNING'),
        update('TASK_KILLING'),
        update('TASK_FAILED'),
        update('TASK_UNREACHABLE'),
        ['status_update_event', 'not json'],
        ['health_status_changed_event', {}],
      );
    });
    const gone = { taskId: 'web.1', appId: '/web' };

    expect(await collect((signal) => feed.wakes(signal), 8)).toEqual([
      { type: 'stream-attached' },
      { type: 'event_stream_attached' },
      { type: 'status_update_event' },
      { type: 'status_update_event', gone },
      { type: 'status_update_event', gone },
      { type: 'status_update_event' },
      { type: 'status_update_event' },
      { type: 'health_status_changed_event' },
    ]);
    expect(server.seen[0]?.url).toContain('event_type=status_update_event&');
    expect(server.seen[0]?.url).toContain('plan-format=light');
  });

  it('comes back after a refusal, a cut and an event without end', async () => {
    const scripts: Script[] = [
      (_seen, response) => {
        answer(response, 503, '<html/>');
      },
      (_seen, response) => {
        stream(response, update('TASK_RUNNING'));
        response.end();
      },
      (_seen, response) => {
        stream(response);
        response.write(`data: ${'x'.repeat(1_500_000)}`);
      },
      (_seen, response) => {
        stream(response, update('TASK_KILLED'));
      },
    ];
    const { feed } = await open((seen, response) => {
      scripts.shift()?.(seen, response);
    });

    expect(await collect((signal) => feed.wakes(signal), 8)).toEqual([
      { type: 'stream-cut' },
      { type: 'stream-attached' },
      { type: 'status_update_event' },
      { type: 'stream-cut' },
      { type: 'stream-attached' },
      { type: 'stream-cut' },
      { type: 'stream-attached' },
      { type: 'status_update_event', gone: { taskId: 'web.1', appId: '/web' } },
    ]);
  });

  it('ends without a word when it is told to while the stream is quiet', async () => {
    const stop = new AbortController();
    const { feed } = await open((_seen, response) => {
      stream(response);
    });
    const found: Wake[] = [];
    for await (const wake of feed.wakes(stop.signal)) {
      found.push(wake);
      setImmediate(() => {
        stop.abort();
      });
    }

    expect(found).toEqual([{ type: 'stream-attached' }]);
  });
});
