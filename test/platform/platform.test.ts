import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DriverError } from '../../reconciler/errors.ts';
import { createMarathonClient } from '../../reconciler/platform/marathon/client.ts';
import type { MarathonClient } from '../../reconciler/platform/marathon/client.ts';
import { createMarathonPlatform } from '../../reconciler/platform/marathon/platform.ts';
import type { Platform } from '../../reconciler/platform/port.ts';
import { startFakeMarathon } from './fake-marathon.ts';
import type { FakeMarathon } from './fake-marathon.ts';
import { ownedApp } from './platform-contract.ts';
import { answer, startScripted } from './scripted-server.ts';

const { signal } = new AbortController();
const owner = 'team a';
const id = '/shop/web';
let marathon: FakeMarathon;
let client: MarathonClient;
let platform: Platform;

beforeEach(async () => {
  marathon = await startFakeMarathon();
  client = createMarathonClient({
    urls: [marathon.url],
    timeoutMs: 5_000,
    maxResponseBytes: 100_000,
  });
  platform = createMarathonPlatform(client, { owner });
});
afterEach(async () => {
  await client.close();
  await marathon.close();
});

async function create(instances: number, more: Record<string, number | object> = {}) {
  const definition = { ...ownedApp(owner, instances), ...(more as object) };
  await platform.act({ kind: 'create-app', id, definition }, signal);
  const [app] = await platform.list(signal);
  if (app === undefined) throw new Error('not created');
  marathon.seen.length = 0;
  return app;
}

function requests(): readonly string[] {
  return marathon.seen.map((seen) => `${seen.method} ${seen.url.replace(/\?.*/u, '')}`);
}

describe('The list', () => {
  it('is one call with a selector that is safe for odd owners', async () => {
    await platform.list(signal);

    expect(marathon.seen.map((seen) => decodeURIComponent(seen.url.replaceAll('+', ' ')))).toEqual([
      String.raw`/v2/apps?label=sluice.owner==team\ a&embed=apps.counts&embed=apps.deployments`,
    ]);
  });

  it('tells platform changes', async () => {
    await create(1);
    marathon.locks = ['d-1'];

    expect((await platform.list(signal)).map((app) => app.platformChanges)).toEqual([['d-1']]);
  });

  it.each([
    ['instances', { instances: 'many' }],
    ['labels', { labels: 'sluice.owner=team a' }],
  ])('counts for nothing if the %s of an app cannot be read', async (_what, overlay) => {
    await create(1);
    marathon.overlay = overlay;

    await expect(platform.list(signal)).rejects.toMatchObject({
      code: 'marathon-bad-answer',
      retry: 'backoff',
    });
  });

  it('does not stumble over a broken app of somebody else', async () => {
    await create(1);
    marathon.overlay = { instances: 'many', labels: {} };

    expect(await platform.list(signal)).toEqual([]);
  });

  it('reads an app of Marathon 1.1, nulls and all', async () => {
    await create(2);
    marathon.overlay = {
      cmd: null,
      user: null,
      versionInfo: null,
      deployments: null,
      version: 'v1',
    };

    expect(await platform.list(signal)).toMatchObject([{ id, instances: 2, configAt: 'v1' }]);
  });
});

describe('A lost answer', () => {
  it('to a creation that was done is a success', async () => {
    const definition = ownedApp(owner, 1);
    marathon.lose('POST');
    await platform.act({ kind: 'create-app', id, definition }, signal);

    expect(requests()).toEqual(['POST /v2/apps', 'GET /v2/apps/shop/web']);
  });

  it('to a scaling that was done is a success', async () => {
    const { configAt } = await create(1);
    marathon.lose('PUT');
    await platform.act({ kind: 'scale-app', id, instances: 2, configAt }, signal);

    expect(requests()).toEqual([
      'GET /v2/apps/shop/web',
      'PUT /v2/apps/shop/web',
      'GET /v2/apps/shop/web',
    ]);
    expect(marathon.apps.get(id)?.instances).toBe(2);
  });

  it('to a kill does not shrink the app twice', async () => {
    await create(3);
    const [first = '', second = ''] = marathon.apps.get(id)?.tasks ?? [];
    const write = { kind: 'kill-tasks', appId: id, taskIds: [first, second] } as const;
    marathon.lose('POST');
    await expect(platform.act(write, signal)).rejects.toMatchObject({
      code: 'marathon-unavailable',
    });
    await platform.act(write, signal);

    expect(marathon.apps.get(id)?.instances).toBe(1);
    expect(requests().filter((request) => request.startsWith('POST'))).toHaveLength(1);
  });
});

describe('Killing', () => {
  it('waits while a platform change holds the app', async () => {
    await create(2);
    const [first = ''] = marathon.apps.get(id)?.tasks ?? [];
    marathon.locks = ['d-1'];

    await expect(
      platform.act({ kind: 'kill-tasks', appId: id, taskIds: [first] }, signal),
    ).rejects.toMatchObject({ code: 'app-locked', retry: 'soon' });
    expect(marathon.apps.get(id)?.instances).toBe(2);
  });

  it('names only the tasks that are still there', async () => {
    await create(2);
    const [first = ''] = marathon.apps.get(id)?.tasks ?? [];
    await platform.act({ kind: 'kill-tasks', appId: id, taskIds: [first, 'gone'] }, signal);

    expect(marathon.seen.at(-1)).toMatchObject({
      method: 'POST',
      url: '/v2/tasks/delete?scale=true&force=false',
      body: { ids: [first] },
    });
  });

  it('does nothing while more tasks are leaving already than it would name', async () => {
    await create(2);
    const [first = ''] = marathon.apps.get(id)?.tasks ?? [];
    marathon.overlay = { instances: 1 };
    await platform.act({ kind: 'kill-tasks', appId: id, taskIds: [first] }, signal);

    expect(requests()).toEqual(['GET /v2/apps/shop/web']);
  });
});

describe('Scaling', () => {
  it('sends instances only, with what a partial update would drop', async () => {
    const { configAt } = await create(1, {
      executorResources: { cpus: 0.1 },
      resourceLimits: { cpus: 2 },
    });
    await platform.act({ kind: 'scale-app', id, instances: 0, configAt }, signal);

    expect(marathon.seen[1]).toMatchObject({
      method: 'PUT',
      url: '/v2/apps/shop/web?force=false&partialUpdate=true',
      body: { instances: 0, executorResources: { cpus: 0.1 }, resourceLimits: { cpus: 2 } },
    });
  });
});

describe('Ending a platform change', () => {
  it.each<[string, readonly object[], string | undefined, number]>([
    ['of one app of ours', [{ id: 'd-1', affectedApps: [id] }], undefined, 1],
    ['that has ended', [], undefined, 0],
    ['of two apps', [{ id: 'd-1', affectedApps: [id, '/b'] }], 'app-locked', 0],
    ['of a pod too', [{ id: 'd-1', affectedApps: [id], affectedPods: ['/p'] }], 'app-locked', 0],
  ])('%s', async (_what, changes, code, stops) => {
    const app = { id, labels: { 'sluice.owner': owner }, instances: 1 };
    const server = await startScripted((seen, response) => {
      // The change ends between the question and the answer.
      if (seen.method === 'DELETE') answer(response, 404, { message: 'does not exist' });
      else answer(response, 200, seen.url.startsWith('/v2/deployments') ? changes : { app });
    });
    const other = createMarathonClient({
      urls: [server.url],
      timeoutMs: 5_000,
      maxResponseBytes: 10_000,
    });
    const write = { kind: 'end-platform-change', appId: id, change: 'd-1' } as const;
    const failed = await createMarathonPlatform(other, { owner })
      .act(write, signal)
      .then(
        () => undefined,
        (error: unknown) => (error instanceof DriverError ? error.code : error),
      );
    await other.close();
    await server.close();

    expect(failed).toBe(code);
    expect(server.seen.filter((seen) => seen.method === 'DELETE').map((seen) => seen.url)).toEqual(
      Array.from({ length: stops }, () => '/v2/deployments/d-1?force=true'),
    );
  });
});

describe('The detail', () => {
  it('tells health, the last failure and why nothing is launched', async () => {
    const results = [{ alive: true, consecutiveFailures: 0, firstSuccess: 't' }];
    const task = { appId: id, host: 'h', ports: [1], startedAt: 't', state: 'TASK_RUNNING' };
    const app = {
      id,
      labels: { 'sluice.owner': owner },
      instances: 4,
      healthChecks: [{}, {}],
      tasks: [
        { ...task, id: 'partly', healthCheckResults: results },
        { ...task, id: 'well', healthCheckResults: [...results, ...results] },
        {
          ...task,
          id: 'sick',
          healthCheckResults: [...results, { alive: false, consecutiveFailures: 2 }],
        },
        {
          ...task,
          id: 'new',
          healthCheckResults: [{ alive: false, consecutiveFailures: 0 }, null],
        },
        { appId: id, id: 'scheduled', state: 'TASK_STAGING' },
      ],
      lastTaskFailure: {
        appId: id,
        timestamp: 't',
        state: 'TASK_FAILED',
        taskId: 'x',
        message: 'exit 1',
      },
    };
    const queue = [
      {
        app: { id },
        count: 2,
        delay: { timeLeftSeconds: 3, overdue: false },
        processedOffersSummary: {
          rejectSummaryLastOffers: [
            { reason: 'UnfulfilledRole', declined: 0, processed: 9 },
            { reason: 'InsufficientMemory', declined: 1, processed: 9 },
            { reason: 'InsufficientCpus', declined: 5, processed: 9 },
          ],
        },
      },
    ];
    // Three of four run the checks: the queue is asked.
    app.instances = 5;
    const server = await startScripted((seen, response) => {
      answer(response, 200, seen.url.startsWith('/v2/queue') ? { queue } : { app });
    });
    const other = createMarathonClient({
      urls: [server.url],
      timeoutMs: 5_000,
      maxResponseBytes: 10_000,
    });
    const detail = await createMarathonPlatform(other, { owner }).detail(id, signal);
    await other.close();
    await server.close();

    expect(detail?.tasks.map((each) => [each.id, each.health])).toEqual([
      ['partly', 'unknown'],
      ['well', 'healthy'],
      ['sick', 'unhealthy'],
      ['new', 'unknown'],
      ['scheduled', 'unknown'],
    ]);
    expect(detail?.lastFailure).toEqual({
      at: 't',
      state: 'TASK_FAILED',
      taskId: 'x',
      message: 'exit 1',
    });
    expect(detail?.queue).toEqual({
      count: 2,
      delayMs: 3_000,
      overdue: false,
      reasons: ['InsufficientCpus', 'InsufficientMemory'],
    });
  });
});
