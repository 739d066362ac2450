import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ActualApp } from '../../reconciler/model/actual.ts';
import { LABELS } from '../../reconciler/model/labels.ts';
import type { MarathonApp } from '../../reconciler/model/marathon-app.ts';
import type { Platform } from '../../reconciler/platform/port.ts';

/** An empty platform of one owner. */
export interface PlatformBench {
  readonly platform: Platform;
  readonly owner: string;
  /** Makes an app that is not ours, as somebody else would. */
  addForeign(id: string): Promise<void>;
  /** Resolves when no change is under way and every app of ours runs what it wants. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export function ownedApp(owner: string, instances: number): MarathonApp {
  return {
    cmd: 'sleep 1000',
    cpus: 0.1,
    mem: 16,
    instances,
    labels: {
      [LABELS.owner]: owner,
      [LABELS.deployment]: 'shop',
      [LABELS.cluster]: 'web',
      [LABELS.service]: 'web:1.0',
      [LABELS.digest]: '1-0123456789abcdef',
      [LABELS.revision]: 'a'.repeat(40),
    },
  };
}

/** What every platform promises, the in-memory one too. */
export function platformContract(name: string, makePlatform: () => Promise<PlatformBench>): void {
  describe(`${name} keeps the contract of a platform`, () => {
    const { signal } = new AbortController();
    const id = '/shop/web/web-1.0-01234567';
    let bench: PlatformBench;

    beforeEach(async () => {
      bench = await makePlatform();
    });
    afterEach(async () => {
      await bench.close();
    });

    async function create(instances: number): Promise<ActualApp> {
      const definition = ownedApp(bench.owner, instances);
      await bench.platform.act({ kind: 'create-app', id, definition }, signal);
      await bench.settle();
      return only();
    }
    async function only(): Promise<ActualApp> {
      const [app, ...others] = await bench.platform.list(signal);
      if (app === undefined || others.length > 0) throw new Error('expected one app');
      return app;
    }
    async function taskIds(): Promise<readonly string[]> {
      const detail = await bench.platform.detail(id, signal);
      return (detail?.tasks ?? []).map((task) => task.id).sort();
    }

    it('lists nothing at first', async () => {
      expect(await bench.platform.list(signal)).toEqual([]);
      expect(await bench.platform.detail(id, signal)).toBeUndefined();
    });

    it('creates an app and lists it with its identity and counts', async () => {
      const app = await create(2);

      expect({ ...app, definition: {}, configAt: '' }).toEqual({
        id,
        deployment: 'shop',
        cluster: 'web',
        service: 'web:1.0',
        digest: '1-0123456789abcdef',
        revision: 'a'.repeat(40),
        instances: 2,
        tasksStaged: 0,
        tasksRunning: 2,
        tasksHealthy: app.tasksHealthy,
        tasksUnhealthy: 0,
        configAt: '',
        platformChanges: [],
        definition: {},
      });
      expect(app.configAt).not.toBe('');
      expect(app.definition).toMatchObject({ cmd: 'sleep 1000' });
    });

    it('shows the tasks of an app', async () => {
      await create(1);
      const [task] = (await bench.platform.detail(id, signal))?.tasks ?? [];

      expect(task).toMatchObject({ appId: id, state: 'TASK_RUNNING' });
      expect(task?.host).not.toBe('');
    });

    it('does not create an app twice', async () => {
      await create(1);
      const again = { kind: 'create-app', id, definition: ownedApp(bench.owner, 1) } as const;

      await expect(bench.platform.act(again, signal)).rejects.toMatchObject({ code: 'app-exists' });
    });

    it('scales without a restart, and may be asked twice', async () => {
      const { configAt } = await create(1);
      const [first] = await taskIds();
      const write = { kind: 'scale-app', id, instances: 3, configAt } as const;
      await bench.platform.act(write, signal);
      await bench.settle();
      await bench.platform.act(write, signal);

      expect(await only()).toMatchObject({ instances: 3, tasksRunning: 3, configAt });
      expect(await taskIds()).toContain(first);
    });

    it('does not scale an app that somebody restarted, nor one that is gone', async () => {
      const { configAt } = await create(1);
      const stale = {
        kind: 'scale-app',
        id,
        instances: 2,
        configAt: '2001-01-01T00:00:00.000Z',
      } as const;
      await expect(bench.platform.act(stale, signal)).rejects.toMatchObject({
        code: 'app-restarted',
      });

      const missing = { kind: 'scale-app', id: '/shop/none', instances: 2, configAt } as const;
      await expect(bench.platform.act(missing, signal)).rejects.toMatchObject({
        code: 'app-missing',
      });
      expect(await only()).toMatchObject({ instances: 1 });
    });

    it('kills exactly the named tasks and shrinks by their number, once', async () => {
      const { configAt } = await create(3);
      const [first = '', second = '', third = ''] = await taskIds();
      const write = { kind: 'kill-tasks', appId: id, taskIds: [first, third] } as const;
      await bench.platform.act(write, signal);
      await bench.settle();
      await bench.platform.act(write, signal);
      await bench.settle();

      expect(await taskIds()).toEqual([second]);
      expect(await only()).toMatchObject({ instances: 1, tasksRunning: 1, configAt });
    });

    it('deletes an app, and takes one that is gone for deleted', async () => {
      await create(1);
      await bench.platform.act({ kind: 'delete-app', id }, signal);
      await bench.settle();
      await bench.platform.act({ kind: 'delete-app', id }, signal);

      expect(await bench.platform.list(signal)).toEqual([]);
    });

    it('neither shows nor deletes what is not ours', async () => {
      await bench.addForeign('/other/app');
      await bench.settle();

      expect(await bench.platform.list(signal)).toEqual([]);
      const write = { kind: 'delete-app', id: '/other/app' } as const;
      await expect(bench.platform.act(write, signal)).rejects.toMatchObject({ code: 'not-ours' });
    });
  });
}
