import { createHash, timingSafeEqual } from 'node:crypto';
import { rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';

import fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';

import { DriverError } from '../../errors.ts';
import type { GatewayView, NodeView, Split } from '../../model/split.ts';
import type { GatewayAbilities } from '../port.ts';
import { splitSchema } from '../split-schema.ts';
import { assertShortPath, isListening } from './state-lock.ts';

/** Where the agent listens for the reconciler. */
export type Listen = { readonly socket: string } | { readonly host: string; readonly port: number };

/** `GET /v1/state`. */
export interface AgentView extends NodeView {
  readonly proxy: 'haproxy' | 'embedded';
  /** The agent's own version. */
  readonly version: string;
  readonly abilities: GatewayAbilities;
  readonly reloads: number;
  /** When Marathon last gave a full answer, epoch milliseconds, and what is wrong since. */
  readonly marathon: { readonly seenAt?: number; readonly error?: string };
}

/** What the HTTP API needs of the agent. */
export interface Desk {
  state(signal: AbortSignal): Promise<AgentView>;
  put(split: Split, signal: AbortSignal): Promise<GatewayView>;
  remove(gateway: string, generation: number, signal: AbortSignal): Promise<void>;
  /** Ends the agent and its proxy, after the answer has been sent. */
  stop(): void;
}

export interface ApiOptions {
  readonly listen: Listen;
  readonly token?: string;
  readonly desk: Desk;
}

export interface Api {
  readonly address: { readonly url: string } | { readonly socket: string };
  close(): Promise<void>;
}

const BODY_LIMIT = 1_048_576;
const REQUEST_MS = 15_000;
const CONFLICTS: ReadonlySet<string> = new Set([
  'generation-outdated',
  'generation-clash',
  'gateway-owned',
  'port-claimed',
]);

export async function startApi(options: ApiOptions): Promise<Api> {
  const app = fastify({ bodyLimit: BODY_LIMIT, routerOptions: { maxParamLength: 100 } });
  refuseBrowsers(app);
  if (options.token !== undefined) requireToken(app, options.token);
  addRoutes(app, options.desk);
  app.setErrorHandler(async (error, _request, reply) => {
    const { status, code, message } = explain(error);
    await reply.code(status).send({ error: { code, message } });
  });
  await app.ready();
  const server = http.createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS });
  server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    app.routing(request, response);
  });
  const address = await listen(server, options.listen, options.token !== undefined);
  return {
    address,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), 1_000);
      await closed;
      clearTimeout(late);
      await app.close();
    },
  };
}

function addRoutes(app: FastifyInstance, desk: Desk): void {
  const name = z.object({ name: z.string() });
  const generation = z.object({ generation: z.coerce.number().int().min(0) });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/v1/state', () => desk.state(AbortSignal.timeout(REQUEST_MS)));
  app.put('/v1/gateways/:name', async (request, reply) => {
    const split = splitSchema.safeParse(request.body);
    if (!split.success) return reply.code(422).send(invalid(z.prettifyError(split.error)));
    if (split.data.gateway !== name.parse(request.params).name) {
      return reply.code(422).send(invalid('the split is for another gateway than the path'));
    }
    return desk.put(split.data, AbortSignal.timeout(REQUEST_MS));
  });
  app.delete('/v1/gateways/:name', async (request, reply) => {
    const query = generation.safeParse(request.query);
    if (!query.success) return reply.code(422).send(invalid('?generation=N is missing'));
    const signal = AbortSignal.timeout(REQUEST_MS);
    await desk.remove(name.parse(request.params).name, query.data.generation, signal);
    return reply.code(204).send();
  });
  app.post('/v1/stop', async (_request, reply) => {
    reply.raw.once('close', () => desk.stop());
    return reply.code(202).send({ status: 'stopping' });
  });
}

function invalid(message: string): { error: { code: string; message: string } } {
  return { error: { code: 'split-invalid', message } };
}

/** Without a token, a page in a browser on this host could else reach the agent behind its back. */
function refuseBrowsers(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (origin === undefined && site === undefined) return undefined;
    const message = 'this address is not for browsers';
    return reply.code(403).send({ error: { code: 'browser-refused', message } });
  });
}

function requireToken(app: FastifyInstance, token: string): void {
  const expected = createHash('sha256').update(`Bearer ${token}`).digest();
  app.addHook('onRequest', async (request, reply) => {
    if (request.url === '/healthz') return undefined;
    const given = createHash('sha256')
      .update(request.headers.authorization ?? '')
      .digest();
    if (timingSafeEqual(given, expected)) return undefined;
    const message = 'the bearer token is missing or wrong';
    return reply.code(401).send({ error: { code: 'token-refused', message } });
  });
}

function explain(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof DriverError) {
    return {
      status: CONFLICTS.has(error.code) ? 409 : 503,
      code: error.code,
      message: error.message,
    };
  }
  const status = z.object({ statusCode: z.int() }).safeParse(error).data?.statusCode ?? 500;
  const message = error instanceof Error && status < 500 ? error.message : 'internal error';
  return { status, code: status < 500 ? 'request-invalid' : 'agent-failed', message };
}

async function listen(
  server: http.Server,
  where: Listen,
  guarded: boolean,
): Promise<Api['address']> {
  if ('socket' in where) {
    await listenSocket(server, where.socket);
    return { socket: where.socket };
  }
  if (!guarded && !isLoopback(where.host)) {
    throw new DriverError(
      'token-required',
      `${where.host} can be reached from other hosts: give the agent a token file, or listen on loopback`,
      { retry: 'never' },
    );
  }
  await whenListening(server, () => server.listen({ port: where.port, host: where.host }));
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : where.port;
  const host = net.isIPv6(where.host) ? `[${where.host}]` : where.host;
  return { url: `http://${host}:${String(port)}` };
}

async function listenSocket(server: http.Server, file: string): Promise<void> {
  assertShortPath(file);
  if (await isListening(file)) {
    throw new DriverError('agent-running', `another agent listens on ${file}`, { retry: 'never' });
  }
  await rm(file, { force: true });
  await whenListening(server, () => {
    // The socket must never be open to others, not even until a chmod.
    const umask = process.umask(0o177);
    try {
      server.listen(file);
    } finally {
      process.umask(umask);
    }
  });
}

function whenListening(server: http.Server, begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new DriverError('agent-address-unavailable', `cannot listen: ${error.message}`, {
          retry: 'never',
          cause: error,
        }),
      );
    });
    server.once('listening', resolve);
    begin();
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/u.test(host);
}
