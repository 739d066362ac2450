import fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { appRoutes } from './app-routes.ts';
import type { Cell } from './cell.ts';
import { clusterRoutes } from './cluster-routes.ts';
import { eventRoutes } from './event-routes.ts';
import { Refusal } from './refusal.ts';
import { deploymentRoutes, groupRoutes, queueRoutes, taskRoutes } from './task-routes.ts';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const LARGEST_BODY = 10 * 1024 * 1024;

function parseJson(request: FastifyRequest, text: string): unknown {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && type !== 'application/json') {
    throw new Refusal(415, 'Unsupported Media Type');
  }
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, 'Invalid JSON', { details: String(error) });
  }
}

/**
 * Whoever may call this API may run commands here, so a page in a browser must not: neither by a
 * request from another origin nor by a name that was made to point at this host.
 */
function refuseBrowsers(request: FastifyRequest, loopback: boolean): void {
  const { host = '', origin } = request.headers;
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new Refusal(403, `Requests from ${origin} are not allowed`);
  }
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (loopback && !LOOPBACK.has(name)) {
    throw new Refusal(
      403,
      `This API listens on loopback only and does not know the host '${host}'`,
    );
  }
}

function answerError(cell: Cell, error: unknown, reply: FastifyReply): FastifyReply {
  if (error instanceof Refusal) return reply.status(error.status).send(error.body);
  const message = error instanceof Error ? error.message : String(error);
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (typeof status === 'number' && status < 500) return reply.status(status).send({ message });
  cell.logger.error({ error }, 'a request failed');
  return reply.status(500).send({ message });
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

function refuseOtherRequests(server: FastifyInstance): void {
  server.setNotFoundHandler((request, reply) => {
    const known = METHODS.some(
      (method) =>
        method !== request.method &&
        server.findRoute({ method, url: request.url.split('?')[0] ?? '/' }) !== null,
    );
    if (known) return reply.status(405).send({ message: 'Method Not Allowed' });
    if (request.url.startsWith('/v2/groups')) {
      return reply.status(405).send({ message: 'Groups can only be read in the embedded engine' });
    }
    return reply.status(404).send({ message: 'URI not found' });
  });
}

/** The HTTP side of the engine. */
export function buildServer(cell: Cell, options: { readonly loopback: boolean }): FastifyInstance {
  const server = fastify({
    bodyLimit: LARGEST_BODY,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 2000 },
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    try {
      done(null, parseJson(request, body.toString()));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
  server.addHook('onRequest', (request, reply, done) => {
    refuseBrowsers(request, options.loopback);
    reply.header('X-Marathon-Leader', cell.address());
    reply.header('Cache-Control', 'no-cache, no-store, must-revalidate');
    done();
  });
  server.setErrorHandler((error, _request, reply) => answerError(cell, error, reply));
  refuseOtherRequests(server);
  appRoutes(server, cell);
  taskRoutes(server, cell);
  queueRoutes(server, cell);
  deploymentRoutes(server, cell);
  groupRoutes(server, cell);
  eventRoutes(server, cell);
  clusterRoutes(server, cell);
  return server;
}
