import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../reconciler/engine/engine.ts';
import type { Engine } from '../../reconciler/engine/engine.ts';
import { LABELS } from '../../reconciler/model/labels.ts';
import { differences } from '../../reconciler/model/marathon-app.ts';
import type { MarathonApp } from '../../reconciler/model/marathon-app.ts';
import { createMarathonClient } from '../../reconciler/platform/marathon/client.ts';
import type { MarathonClient } from '../../reconciler/platform/marathon/client.ts';
import { createMarathonPlatform } from '../../reconciler/platform/marathon/platform.ts';
import { createTaskFeed } from '../../reconciler/platform/marathon/task-feed.ts';

const { signal } = new AbortController();
const owner = 'team-a';
let stateDir: string;
let engine: Engine;
let client: MarathonClient;

beforeAll(async () => {
  stateDir = await mkdtemp(path.join(os.tmpdir(), 'sluice-round-'));
  engine = await startEngine({ stateDir, port: 0, closeGraceMs: 0 });
  client = createMarathonClient({
    urls: [engine.url],
    timeoutMs: 5_000,
    maxResponseBytes: 1_000_000,
  });
});
afterAll(async () => {
  await client.close();
  await engine.close();
  await rm(stateDir, { recursive: true, force: true });
});

describe('What a Marathon returns for what it got', () => {
  it.each<[string, MarathonApp]>([
    ['plain', { cmd: 'sleep 1000' }],
    ['with-env', { cmd: 'sleep 1000', env: { A: '1', B: 'two' }, cpus: 0.1, mem: 32 }],
    ['with-ports', { cmd: 'sleep 1000', portDefinitions: [{ name: 'http', port: 0 }] }],
    ['without-ports', { cmd: 'sleep 1000', portDefinitions: [] }],
    ['with-old-ports', { cmd: 'sleep 1000', ports: [0, 0] }],
    [
      'with-checks',
      {
        cmd: 'sleep 1000',
        portDefinitions: [{ name: 'http', port: 0 }],
        healthChecks: [
          { protocol: 'TCP', portIndex: 0 },
          { protocol: 'HTTP', path: '/health', intervalSeconds: 10 },
        ],
      },
    ],
    [
      'with-constraints',
      { cmd: 'sleep 1000', constraints: [['hostname', 'UNIQUE']], acceptedResourceRoles: ['*'] },
    ],
    ['with-grace', { cmd: 'sleep 1000', taskKillGracePeriodSeconds: 5, backoffFactor: 2 }],
    ['with-user-labels', { cmd: 'sleep 1000', labels: { team: 'blue' } }],
  ])('has no difference to it: %s', async (name, definition) => {
    const platform = createMarathonPlatform(client, { owner });
    const labels = { ...Object(definition['labels']), [LABELS.owner]: owner };
    const id = `/round/${name}`;
    await platform.act(
      { kind: 'create-app', id, definition: { ...definition, labels, instances: 0 } },
      signal,
    );
    const found = (await platform.list(signal)).find((app) => app.id === id);

    expect(found).toBeDefined();
    expect(differences(definition, found?.definition ?? {})).toEqual([]);
  });
});

describe('The task feed of the embedded engine', () => {
  it('names a task that is killed', async () => {
    const feed = createTaskFeed(client);
    const stop = new AbortController();
    const wakes = feed.wakes(stop.signal)[Symbol.asyncIterator]();
    expect((await wakes.next()).value).toEqual({ type: 'stream-attached' });

    await client.createApp({ id: '/feed', cmd: 'sleep 1000', cpus: 0.1, mem: 16 }, signal);
    let task = (await feed.tasks(signal)).find((each) => each.appId === '/feed');
    while (task === undefined || task.state !== 'TASK_RUNNING') {
      await wakes.next();
      task = (await feed.tasks(signal)).find((each) => each.appId === '/feed');
    }
    await client.deleteApp('/feed', signal).catch(async () => {
      // The deployment that made it may not have ended.
      await wakes.next();
      await client.deleteApp('/feed', signal);
    });
    let wake = await wakes.next();
    while (wake.done !== true && wake.value.gone === undefined) wake = await wakes.next();
    stop.abort();

    expect(wake.value).toEqual({
      type: 'status_update_event',
      gone: { taskId: task.id, appId: '/feed' },
    });
  });
});
