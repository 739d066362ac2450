import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Extra } from './app-view.ts';
import { appJson, extrasOf } from './app-view.ts';
import type { Created } from './app-writes.ts';
import {
  createApp,
  deleteApp,
  idFromUrl,
  restartApp,
  updateApp,
  updateApps,
} from './app-writes.ts';
import type { Cell } from './cell.ts';
import type { AppDefinition } from './definition.ts';
import type { DeploymentResult } from './deployments.ts';
import { absoluteId } from './normalise.ts';
import type { Query } from './query.ts';
import { flag, labelSelector, many, one } from './query.ts';
import { Refusal, noSuchApp } from './refusal.ts';
import { killTasks } from './task-writes.ts';
import { taskJson } from './tasks.ts';

interface AppRequest {
  readonly Params: { readonly '*': string };
  readonly Querystring: Query;
}

/** What an app's path asks for: `/v2/apps/{id}[/suffix[/argument]]`. */
interface Target {
  readonly id: string;
  readonly suffix: 'app' | 'tasks' | 'versions' | 'restart';
  readonly argument?: string;
}

export function targetOf(path: string): Target {
  const parts = path.split('/').filter((part) => part !== '');
  const last = parts.at(-1);
  if (last === 'tasks' || last === 'versions' || last === 'restart') {
    return { id: absoluteId(parts.slice(0, -1).join('/')), suffix: last };
  }
  const before = parts.at(-2);
  if (last !== undefined && (before === 'tasks' || before === 'versions')) {
    return { id: absoluteId(parts.slice(0, -2).join('/')), suffix: before, argument: last };
  }
  return { id: absoluteId(parts.join('/')), suffix: 'app' };
}

const LIST_EXTRAS: readonly Extra[] = ['counts', 'deployments'];
const DETAIL_EXTRAS: readonly Extra[] = ['counts', 'deployments', 'tasks', 'lastTaskFailure'];

function listed(cell: Cell, query: Query): readonly AppDefinition[] {
  const cmd = one(query, 'cmd')?.toLowerCase();
  const id = one(query, 'id')?.toLowerCase();
  const selector = one(query, 'label');
  const chosen = selector === undefined ? undefined : labelSelector(selector);
  return cell.apps
    .list()
    .filter((app) => cmd === undefined || (app.cmd ?? '').toLowerCase().includes(cmd))
    .filter((app) => id === undefined || app.id.toLowerCase().includes(id))
    .filter((app) => chosen === undefined || chosen(app.labels));
}

function belowGroup(cell: Cell, id: string): readonly AppDefinition[] {
  const prefix = id.slice(0, -1);
  return cell.apps.list().filter((app) => app.id.startsWith(prefix));
}

function answered(reply: FastifyReply, result: DeploymentResult): DeploymentResult {
  reply.header('Marathon-Deployment-Id', result.deploymentId);
  return result;
}

function created(cell: Cell, reply: FastifyReply, made: Created): object {
  const { app, deploymentId } = made;
  reply.status(201);
  reply.header('Location', `${cell.address()}/v2/apps${app.id}`);
  reply.header('Marathon-Deployment-Id', deploymentId);
  // Marathon answers a creation before it stamps the app.
  const { versionInfo: _stamps, ...definition } = app;
  const counts = { tasksStaged: 0, tasksRunning: 0, tasksHealthy: 0, tasksUnhealthy: 0 };
  return { ...definition, ...counts, deployments: [{ id: deploymentId }] };
}

function readApp(cell: Cell, target: Target, query: Query): object {
  const { id, suffix, argument } = target;
  const extras = extrasOf(many(query, 'embed'));
  if (suffix === 'tasks') return { tasks: tasksBelow(cell, id).map(taskJson) };
  if (id.endsWith('/*')) {
    return {
      '*': belowGroup(cell, id).map((app) => appJson(cell, app, [...LIST_EXTRAS, ...extras])),
    };
  }
  const app = cell.apps.require(id);
  if (suffix === 'app') return { app: appJson(cell, app, [...DETAIL_EXTRAS, ...extras]) };
  const versions = cell.apps.versions(id);
  if (suffix !== 'versions') throw new Refusal(405, 'Method Not Allowed');
  if (argument === undefined)
    return { versions: versions.map((each) => each.version).toReversed() };
  const found = versions.find((each) => each.version === argument);
  if (found === undefined)
    throw new Refusal(404, `App '${id}' does not exist in version ${argument}`);
  return found;
}

function tasksBelow(cell: Cell, id: string): ReturnType<Cell['tasks']['shown']> {
  if (id.endsWith('/*')) return belowGroup(cell, id).flatMap((app) => cell.tasks.shown(app.id));
  return cell.tasks.shown(cell.apps.require(id).id);
}

function deleteTasks(cell: Cell, target: Target, query: Query): object {
  const { id, argument } = target;
  const options = {
    scale: flag(query, 'scale', false),
    wipe: flag(query, 'wipe', false),
    force: flag(query, 'force', false),
  };
  const host = one(query, 'host');
  const tasks = tasksBelow(cell, id).filter(
    (task) =>
      (argument === undefined || task.id === argument) &&
      (host === undefined || task.host === host),
  );
  const [only] = tasks;
  if (argument === undefined) return killTasks(cell, tasks, options);
  if (only === undefined) throw new Refusal(404, `Task '${argument}' does not exist`);
  const result = killTasks(cell, tasks, options);
  return 'tasks' in result ? { task: taskJson(only) } : result;
}

export function appRoutes(server: FastifyInstance, cell: Cell): void {
  server.get<{ Querystring: Query }>('/v2/apps', (request) => {
    const extras = [...LIST_EXTRAS, ...extrasOf(many(request.query, 'embed'))];
    return { apps: listed(cell, request.query).map((app) => appJson(cell, app, extras)) };
  });
  server.get<AppRequest>('/v2/apps/*', (request) =>
    readApp(cell, targetOf(request.params['*']), request.query),
  );
  server.delete<AppRequest>('/v2/apps/*', (request, reply) => {
    const target = targetOf(request.params['*']);
    if (target.suffix === 'tasks') return deleteTasks(cell, target, request.query);
    // Marathon's own default: deleting an app forces its way.
    return answered(reply, deleteApp(cell, target.id, flag(request.query, 'force', true)));
  });
  appWriteRoutes(server, cell);
}

function announcePost(
  cell: Cell,
  request: { readonly ip: string; readonly url: string },
  id: string,
): void {
  const app = cell.apps.get(id);
  if (app === undefined) return;
  const fields = { clientIp: request.ip, uri: request.url.split('?')[0], appDefinition: app };
  cell.events.publish('api_post_event', fields);
}

function appWriteRoutes(server: FastifyInstance, cell: Cell): void {
  server.post<{ Querystring: Query }>('/v2/apps', (request, reply) => {
    const made = createApp(cell, request.body, flag(request.query, 'force', false));
    announcePost(cell, request, made.app.id);
    return created(cell, reply, made);
  });
  server.post<AppRequest>('/v2/apps/*', (request, reply) => {
    const { id, suffix } = targetOf(request.params['*']);
    if (suffix !== 'restart') throw new Refusal(405, 'Method Not Allowed');
    return answered(reply, restartApp(cell, id, flag(request.query, 'force', false)));
  });
  for (const method of ['PUT', 'PATCH'] as const) {
    const missing: 'create' | 'refuse' = method === 'PUT' ? 'create' : 'refuse';
    const optionsOf = (query: Query) => ({
      force: flag(query, 'force', false),
      partial: method === 'PATCH' || flag(query, 'partialUpdate', true),
      missing,
    });
    server.route<{ Querystring: Query }>({
      method,
      url: '/v2/apps',
      handler: (request, reply) => {
        const options = optionsOf(request.query);
        return answered(reply, updateApps(cell, { body: request.body, options }));
      },
    });
    server.route<AppRequest>({
      method,
      url: '/v2/apps/*',
      handler: (request, reply) => {
        const id = idFromUrl(request.params['*']);
        const options = optionsOf(request.query);
        if (method === 'PATCH' && cell.apps.get(id) === undefined) throw noSuchApp(id);
        const result = updateApp(cell, id, { body: request.body, options });
        announcePost(cell, request, id);
        return 'app' in result ? created(cell, reply, result) : answered(reply, result);
      },
    });
  }
}
