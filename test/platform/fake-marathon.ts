import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { LABELS } from '../../reconciler/model/labels.ts';
import type { JsonObject } from '../../reconciler/model/marathon-app.ts';
import { answer, startScripted } from './scripted-server.ts';
import type { ScriptedServer, Seen } from './scripted-server.ts';

const AppBody = z.looseObject({
  id: z.string().optional(),
  instances: z.number().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});
const KillBody = z.object({ ids: z.array(z.string()) });

interface FakeApp {
  definition: Record<string, unknown>;
  labels: Record<string, string>;
  instances: number;
  configAt: string;
  tasks: string[];
}

export interface FakeMarathon extends ScriptedServer {
  readonly apps: Map<string, FakeApp>;
  /** The next answer to this method is lost after the write was applied. */
  lose(method: string): void;
  /** Ids of platform changes that hold every app. */
  locks: string[];
  /** Fields that every list and read shows for an app in place of its own. */
  overlay: Record<string, unknown>;
}

/** Enough of Marathon to speak with over a socket; every change is done at once. */
export async function startFakeMarathon(): Promise<FakeMarathon> {
  const apps = new Map<string, FakeApp>();
  let lost: string | undefined;
  let counter = 0;

  function reconcile(id: string, app: FakeApp): void {
    while (app.tasks.length > app.instances) app.tasks.pop();
    while (app.tasks.length < app.instances) {
      counter += 1;
      app.tasks.push(`${id.slice(1).replaceAll('/', '_')}.${String(counter)}`);
    }
  }

  function show(id: string, app: FakeApp): Record<string, unknown> {
    return {
      ...app.definition,
      id,
      labels: app.labels,
      instances: app.instances,
      tasksStaged: 0,
      tasksRunning: app.tasks.length,
      tasksHealthy: 0,
      tasksUnhealthy: 0,
      deployments: fake.locks.map((each) => ({ id: each })),
      versionInfo: { lastConfigChangeAt: app.configAt },
      tasks: app.tasks.map((task) => ({
        id: task,
        appId: id,
        host: '127.0.0.1',
        state: 'TASK_RUNNING',
        ports: [31_000],
      })),
      ...fake.overlay,
    };
  }

  function write(seen: Seen, id: string): readonly [number, unknown] {
    const body = AppBody.parse(seen.body ?? {});
    if (seen.method === 'POST' && id === '/') return create(body);
    const app = apps.get(id);
    if (app === undefined) return [404, { message: `App '${id}' does not exist` }];
    if (seen.method === 'DELETE') apps.delete(id);
    else {
      app.instances = body.instances ?? app.instances;
      reconcile(id, app);
    }
    return [200, { version: 'v', deploymentId: 'd' }];
  }

  function create(body: z.infer<typeof AppBody>): readonly [number, unknown] {
    const { id, instances, labels, ...definition } = body;
    const key = id ?? '';
    if (apps.has(key)) return [409, { message: `An app with id [${key}] already exists.` }];
    counter += 1;
    const app: FakeApp = {
      definition,
      labels: labels ?? {},
      instances: instances ?? 1,
      configAt: new Date(counter).toISOString(),
      tasks: [],
    };
    apps.set(key, app);
    reconcile(key, app);
    return [201, show(key, app)];
  }

  function killTasks(seen: Seen): readonly [number, unknown] {
    const { ids } = KillBody.parse(seen.body);
    for (const app of apps.values()) {
      const left = app.tasks.filter((task) => !ids.includes(task));
      app.instances -= app.tasks.length - left.length;
      app.tasks = left;
    }
    return [200, { version: 'v', deploymentId: 'd' }];
  }

  function route(seen: Seen): readonly [number, unknown] {
    const url = new URL(seen.url, 'http://localhost');
    const id = url.pathname.replace('/v2/apps', '') || '/';
    if (url.pathname === '/v2/tasks/delete') return killTasks(seen);
    if (url.pathname === '/v2/queue') return [200, { queue: [] }];
    if (seen.method !== 'GET') return write(seen, id);
    if (id === '/') return [200, { apps: [...apps].map(([key, app]) => show(key, app)) }];
    const app = apps.get(id);
    return app === undefined ? [404, { message: 'no such app' }] : [200, { app: show(id, app) }];
  }

  function script(seen: Seen, response: ServerResponse): void {
    const [status, body] = route(seen);
    if (lost === seen.method) {
      lost = undefined;
      response.destroy();
      return;
    }
    answer(response, status, body);
  }

  const server = await startScripted(script);
  const fake: FakeMarathon = {
    ...server,
    apps,
    locks: [],
    overlay: {},
    lose(method) {
      lost = method;
    },
  };
  return fake;
}

export function foreignApp(id: string): JsonObject {
  return { id, cmd: 'sleep 1000', cpus: 0.1, mem: 16, labels: { [LABELS.owner]: 'somebody-else' } };
}
