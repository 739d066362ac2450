import type { FastifyInstance } from 'fastify';
import type { Cell } from './cell.ts';
import type { Query } from './query.ts';
import { flag, many } from './query.ts';
import { Refusal, noSuchApp } from './refusal.ts';
import { TaskIds } from './schema.ts';
import { appJson } from './app-view.ts';
import { assertTaskIds, killTasks } from './task-writes.ts';
import { taskJson } from './tasks.ts';
import { parseInput } from './validate.ts';

export function taskRoutes(server: FastifyInstance, cell: Cell): void {
  server.get<{ Querystring: Query }>('/v2/tasks', (request) => {
    const asked = [...many(request.query, 'status'), ...many(request.query, 'status[]')];
    const states = new Set(asked.map((status) => `TASK_${status.toUpperCase()}`));
    const tasks = cell.tasks.shown().filter((task) => states.size === 0 || states.has(task.state));
    return { tasks: tasks.map(taskJson) };
  });
  server.post<{ Querystring: Query }>('/v2/tasks/delete', (request, reply) => {
    const { ids } = parseInput(TaskIds, request.body);
    assertTaskIds(ids);
    const tasks = ids.map((id) => cell.tasks.get(id)).filter((task) => task !== undefined);
    const result = killTasks(cell, [...new Set(tasks)], {
      scale: flag(request.query, 'scale', false),
      wipe: flag(request.query, 'wipe', false),
      force: flag(request.query, 'force', false),
    });
    if ('deploymentId' in result) reply.header('Marathon-Deployment-Id', result.deploymentId);
    return result;
  });
}

export function queueRoutes(server: FastifyInstance, cell: Cell): void {
  server.get('/v2/queue', () => ({
    queue: cell.queue.json((id) => cell.apps.get(id)),
  }));
  server.delete<{ Params: { readonly '*': string } }>('/v2/queue/*', (request, reply) => {
    const path = request.params['*'].replace(/^\/+/, '');
    if (!path.endsWith('/delay')) throw new Refusal(405, 'Method Not Allowed');
    const id = `/${path.slice(0, -'/delay'.length)}`;
    const app = cell.apps.get(id);
    if (app === undefined) throw noSuchApp(id);
    if (!cell.queue.has(id)) throw new Refusal(404, `Application ${id} not found in tasks queue.`);
    cell.queue.clearDelay(app);
    cell.scheduler.sync(id);
    return reply.status(204).send();
  });
}

export function deploymentRoutes(server: FastifyInstance, cell: Cell): void {
  interface ById {
    readonly Params: { readonly id: string };
    readonly Querystring: Query;
  }
  server.get('/v2/deployments', () => cell.deployments.json());
  server.delete<ById>('/v2/deployments/:id', (request, reply) => {
    const { id } = request.params;
    if (flag(request.query, 'force', false)) {
      cell.deployments.stop(id);
      return reply.status(202).send();
    }
    const result = cell.deployments.rollBack(id);
    reply.header('Marathon-Deployment-Id', result.deploymentId);
    return result;
  });
}

/** Groups follow from the ids of the apps; here they can only be read. */
export function groupRoutes(server: FastifyInstance, cell: Cell): void {
  const read = (path: string, query: Query): unknown => {
    const parts = path.split('/').filter((part) => part !== '');
    const last = parts.at(-1);
    const listsApps = last === 'apps';
    const listsVersions = last === 'versions';
    const id = `/${(listsApps || listsVersions ? parts.slice(0, -1) : parts).join('/')}`;
    const group = groupJson(cell, id, { embed: many(query, 'embed') });
    if (listsVersions) return [group['version']];
    if (!listsApps) return group;
    const prefix = id === '/' ? '/' : `${id}/`;
    const apps = cell.apps.list().filter((app) => app.id.startsWith(prefix));
    return { apps: apps.map((app) => appJson(cell, app, ['counts', 'deployments'])) };
  };
  server.get<{ Querystring: Query }>('/v2/groups', (request) => read('', request.query));
  server.get<{ Params: { readonly '*': string }; Querystring: Query }>('/v2/groups/*', (request) =>
    read(request.params['*'], request.query),
  );
}

function groupJson(
  cell: Cell,
  id: string,
  options: { readonly embed: readonly string[] },
): Readonly<Record<string, unknown>> {
  const prefix = id === '/' ? '/' : `${id}/`;
  const below = cell.apps.list().filter((app) => app.id.startsWith(prefix));
  if (below.length === 0 && id !== '/') throw new Refusal(404, `Group '${id}' does not exist`);
  const direct = below.filter((app) => !app.id.slice(prefix.length).includes('/'));
  const names = new Set(
    below
      .filter((app) => !direct.includes(app))
      .map((app) => app.id.slice(prefix.length).split('/')[0] ?? ''),
  );
  const { embed } = options;
  const shows = (what: string): boolean =>
    embed.length === 0 || embed.some((each) => each === what || each.startsWith(`${what}.`));
  const versions = below.map((app) => app.version).sort();
  return {
    id,
    dependencies: [],
    version: versions.at(-1) ?? '1970-01-01T00:00:00.000Z',
    ...(shows('group.apps') ? { apps: direct.map((app) => appJson(cell, app, [])) } : {}),
    ...(shows('group.groups')
      ? { groups: [...names].map((name) => groupJson(cell, `${prefix}${name}`, options)) }
      : {}),
    ...(shows('group.pods') ? { pods: [] } : {}),
    enforceRole: false,
  };
}
