import type { z } from 'zod';
import { DriverError } from '../../errors.ts';
import type { JsonObject } from '../../model/marathon-app.ts';
import type { Call, MarathonOptions, Reply } from './exchange.ts';
import {
  AppReply,
  AppsReply,
  DeploymentsReply,
  OneAppReply,
  QueueReply,
  TasksReply,
} from './schema.ts';
import type { QueueEntry, ReadApp, TaskReply } from './schema.ts';
import { createTransport } from './transport.ts';
import type { Transport } from './transport.ts';

export type { MarathonAuth } from './credentials.ts';
export type { MarathonCall, MarathonOptions } from './exchange.ts';

/** The calls of one Marathon that Sluice makes. Every method throws DriverError only. */
export interface MarathonClient {
  /** The apps that a label selector finds, raw: one that cannot be read must not hide others. */
  listApps(selector: string, signal: AbortSignal): Promise<readonly JsonObject[]>;
  /** One app with its tasks and last failure; undefined if it does not exist. */
  readApp(id: string, signal: AbortSignal): Promise<ReadApp | undefined>;
  listTasks(signal: AbortSignal): Promise<readonly TaskReply[]>;
  readQueue(signal: AbortSignal): Promise<readonly QueueEntry[]>;
  createApp(app: JsonObject, signal: AbortSignal): Promise<void>;
  /** Changes only the fields given; never forces. */
  updateApp(id: string, fields: JsonObject, signal: AbortSignal): Promise<void>;
  /** Never forces, unlike Marathon's own default. */
  deleteApp(id: string, signal: AbortSignal): Promise<void>;
  /** Ids of the apps and pods that a running platform change touches; undefined: it has ended. */
  touchedBy(change: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** Stops a platform change where it is; nothing is rolled back. One that has ended is fine. */
  stopChange(change: string, signal: AbortSignal): Promise<void>;
  /** Kills the tasks and lowers `instances` of their app by their number. */
  killAndShrink(taskIds: readonly string[], signal: AbortSignal): Promise<void>;
  /** The bytes of the event stream, light plans only; lives until the signal aborts. */
  openEvents(types: readonly string[], signal: AbortSignal): Promise<Reply['body']>;
  close(): Promise<void>;
}

/** @throws DriverError `secret-in-url` or `marathon-url-invalid`; no request is made yet. */
export function createMarathonClient(options: MarathonOptions): MarathonClient {
  const transport = createTransport(options);

  async function read<T>(schema: z.ZodType<T>, call: Call, signal: AbortSignal): Promise<T> {
    return parse(schema, await transport.send(call, signal), call);
  }

  return {
    ...writesTo(transport),
    async listApps(selector, signal) {
      const query = [['label', selector], ...embeds('apps.counts', 'apps.deployments')] as const;
      const call: Call = { method: 'GET', path: '/v2/apps', query };
      return (await read(AppsReply, call, signal)).apps;
    },
    async readApp(id, signal) {
      const query = embeds('app.counts', 'app.deployments', 'app.tasks', 'app.lastTaskFailure');
      const call: Call = { method: 'GET', path: appPath(id), query };
      try {
        const { app } = await read(OneAppReply, call, signal);
        return { whole: app, app: check(AppReply, app, call) };
      } catch (error) {
        if (error instanceof DriverError && error.code === 'app-missing') return undefined;
        throw error;
      }
    },
    async listTasks(signal) {
      return (await read(TasksReply, { method: 'GET', path: '/v2/tasks' }, signal)).tasks;
    },
    async readQueue(signal) {
      return (await read(QueueReply, { method: 'GET', path: '/v2/queue' }, signal)).queue;
    },
    async touchedBy(change, signal) {
      const call: Call = { method: 'GET', path: '/v2/deployments' };
      const found = (await read(DeploymentsReply, call, signal)).find((one) => one.id === change);
      return found && [...found.affectedApps, ...found.affectedPods];
    },
    async openEvents(types, signal) {
      const filters = types.map((type) => ['event_type', type] as const);
      const query = [...filters, ['plan-format', 'light']] as const;
      return transport.open({ method: 'GET', path: '/v2/events', query }, signal);
    },
    async close() {
      await transport.close();
    },
  };
}

type Writes = 'createApp' | 'updateApp' | 'deleteApp' | 'stopChange' | 'killAndShrink';

function writesTo(transport: Transport): Pick<MarathonClient, Writes> {
  return {
    async createApp(app, signal) {
      await transport.send({ method: 'POST', path: '/v2/apps', body: app }, signal);
    },
    async updateApp(id, fields, signal) {
      const query = [UNFORCED, ['partialUpdate', 'true']] as const;
      await transport.send({ method: 'PUT', path: appPath(id), query, body: fields }, signal);
    },
    async deleteApp(id, signal) {
      await transport.send({ method: 'DELETE', path: appPath(id), query: [UNFORCED] }, signal);
    },
    async stopChange(change, signal) {
      const path = `/v2/deployments/${encodeURIComponent(change)}`;
      const query = [['force', 'true']] as const;
      try {
        await transport.send({ method: 'DELETE', path, query }, signal);
      } catch (error) {
        if (!(error instanceof DriverError) || error.code !== 'marathon-not-found') throw error;
      }
    },
    async killAndShrink(taskIds, signal) {
      const query = [['scale', 'true'], UNFORCED] as const;
      const body = { ids: [...taskIds] };
      await transport.send({ method: 'POST', path: '/v2/tasks/delete', query, body }, signal);
    },
  };
}

const UNFORCED = ['force', 'false'] as const;

function embeds(...values: readonly string[]): readonly (readonly [string, string])[] {
  return values.map((value) => ['embed', value] as const);
}

/** `/shop/web` becomes `/v2/apps/shop/web`. */
function appPath(id: string): string {
  const parts = id.split('/').filter((part) => part !== '');
  return `/v2/apps/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}

function parse<T>(schema: z.ZodType<T>, text: string, call: Call): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own error would quote the answer.
    const html = /^\s*</u.test(text);
    throw new DriverError(
      html ? 'marathon-html' : 'marathon-bad-answer',
      `${call.method} ${call.path} was answered with ${html ? 'an HTML page' : 'something that is not JSON'}. Check marathon.urls: a proxy or a login page may stand before it`,
      { retry: 'backoff' },
    );
  }
  return check(schema, value, call);
}

function check<T>(schema: z.ZodType<T>, value: unknown, call: Call): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue === undefined ? '' : ` at ${issue.path.map(String).join('.')}`;
  throw new DriverError(
    'marathon-bad-answer',
    `The answer to ${call.method} ${call.path} does not look like Marathon's${where}: ${issue?.message ?? ''}. Nothing is concluded from it; check what answers there`,
    { retry: 'backoff', cause: result.error },
  );
}
