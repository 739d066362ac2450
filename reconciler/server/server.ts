import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DriverError } from '../errors.ts';
import type { Status } from '../model/status.ts';
import { placeSocket } from './socket.ts';

export interface ServerOptions {
  readonly listen: { readonly host: string; readonly port: number } | { readonly socket: string };
  /**
   * File with what callers send as `Authorization: Bearer ...`, read anew for every request; needed
   * beyond loopback.
   */
  readonly tokenFile?: string;
  /** Undefined until a first round has ended. */
  readonly status: () => Status | undefined;
  /** Left out: ready as soon as there is a status. */
  readonly readiness?: () => Readiness;
  /** Asks the loop for a round now; asking twice before it starts is one round. */
  readonly wake: () => void;
}

export interface Readiness {
  readonly ready: boolean;
  readonly why: string;
}

export interface StatusServer {
  /** `http://127.0.0.1:7400`, or `unix:/path/of.sock`. */
  readonly url: string;
  /** Ends open connections as well. */
  close(): Promise<void>;
}

/** Far above what people, probes and one dashboard need; each costs a descriptor. */
const MAX_CONNECTIONS = 100;
const MAX_BODY_BYTES = 1_024;
const REQUEST_MS = 10_000;
const NO_ROUND = 'no round has ended well yet';
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * Serves `/healthz`, `/readyz`, `/status` and `POST /rounds` on loopback or a unix socket of mode
 * 600; on other addresses only if callers need a token.
 *
 * @throws DriverError `server-token-missing`, `server-token-unreadable`, `server-address-in-use`,
 * `server-not-listening`.
 */
export async function startServer(options: ServerOptions): Promise<StatusServer> {
  const { listen, tokenFile } = options;
  if ('host' in listen && !LOOPBACK.has(listen.host) && tokenFile === undefined) {
    throw new DriverError(
      'server-token-missing',
      `The status server would listen on ${listen.host}, where others can reach it. Set server.token_file, or listen on 127.0.0.1 or a unix socket`,
      { retry: 'never' },
    );
  }
  if (tokenFile !== undefined) await readToken(tokenFile);
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_MS,
    connectionTimeout: REQUEST_MS,
    keepAliveTimeout: REQUEST_MS,
    forceCloseConnections: true,
    return503OnClosing: false,
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  addGuards(app, options);
  addRoutes(app, options);
  if ('socket' in listen) return onSocket(app, listen.socket);
  return onAddress(app, listen);
}

function addGuards(app: FastifyInstance, { listen, tokenFile }: ServerOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    // A web page may send requests to loopback under a name of its own (DNS rebinding).
    // Probes that speak HTTP/1.0 name no host at all; no browser does.
    const host = request.headers.host === undefined ? 'localhost' : hostOf(request);
    if ('host' in listen && tokenFile === undefined && !LOOPBACK.has(host)) {
      return refuse(reply, 403, 'host-refused', 'ask for this server as 127.0.0.1 or localhost');
    }
    if (tokenFile === undefined || request.url === '/healthz') return undefined;
    if (isSame(request.headers.authorization ?? '', `Bearer ${await readToken(tokenFile)}`))
      return undefined;
    void reply.header('www-authenticate', 'Bearer');
    return refuse(reply, 401, 'token-refused', 'send the token of this server as a bearer token');
  });
  app.setNotFoundHandler((_request, reply) =>
    refuse(reply, 404, 'not-found', 'there are /healthz, /readyz, /status and POST /rounds'),
  );
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = statusOf(error);
    const why = status < 500 ? 'the request cannot be read' : 'this is a bug of Sluice';
    return refuse(reply, status, status < 500 ? 'bad-request' : 'internal', why);
  });
}

function addRoutes(app: FastifyInstance, options: ServerOptions): void {
  // Nobody's body is of interest: it is read up to the limit and dropped.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => {
    done(null);
  });
  app.get('/healthz', () => ({ alive: true }));
  app.get('/readyz', (_request, reply) => {
    const { ready, why } = (options.readiness ?? (() => readinessOf(options.status())))();
    return reply.code(ready ? 200 : 503).send({ ready, why });
  });
  app.get('/status', async (_request, reply) => {
    const status = options.status();
    if (status === undefined) return refuse(reply, 503, 'no-round-yet', NO_ROUND);
    return reply.header('cache-control', 'no-store').send(status);
  });
  app.post('/rounds', (_request, reply) => {
    options.wake();
    return reply.code(202).send({ asked: true });
  });
}

function readinessOf(status: Status | undefined): Readiness {
  return status === undefined ? { ready: false, why: NO_ROUND } : { ready: true, why: '' };
}

async function readToken(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, 'cannot be read', error);
  });
  const token = text.trim();
  if (token === '' || /\s/.test(token)) throw unreadable(file, 'does not hold one word');
  return token;
}

function unreadable(file: string, what: string, cause?: unknown): DriverError {
  return new DriverError(
    'server-token-unreadable',
    `The file with the token of the status server, ${file}, ${what}. It should hold the token in one line`,
    { retry: 'never', cause },
  );
}

async function onAddress(
  app: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<StatusServer> {
  try {
    const url = await app.listen({ host, port });
    return { url, close: async () => app.close() };
  } catch (error) {
    await app.close();
    throw notListening(`${host}:${String(port)}`, error);
  }
}

async function onSocket(app: FastifyInstance, path: string): Promise<StatusServer> {
  try {
    const remove = await placeSocket(path, async (temporaryPath) => {
      await app.listen({ path: temporaryPath });
    });
    return {
      url: `unix:${path}`,
      close: async () => {
        await app.close();
        remove();
      },
    };
  } catch (error) {
    await app.close();
    throw notListening(path, error);
  }
}

function notListening(where: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'EADDRINUSE') {
    return new DriverError(
      'server-address-in-use',
      `Another program listens on ${where}. End it, or set server.listen to another address`,
      { retry: 'never', cause: error },
    );
  }
  return new DriverError(
    'server-not-listening',
    `The status server cannot listen on ${where}: ${error.message}. Set server.listen to an address or a path that Sluice may use`,
    { retry: 'never', cause: error },
  );
}

async function refuse(
  reply: FastifyReply,
  status: number,
  code: string,
  message: string,
): Promise<FastifyReply> {
  return reply.code(status).send({ code, message });
}

function statusOf(error: unknown): number {
  const isKnown = error instanceof Error && 'statusCode' in error;
  return isKnown && typeof error.statusCode === 'number' ? error.statusCode : 500;
}

function hostOf(request: FastifyRequest): string {
  return request.hostname.replaceAll(/[[\]]/g, '');
}

/** Takes the same time wherever the texts differ. */
function isSame(a: string, b: string): boolean {
  const [first, second] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return first !== undefined && second !== undefined && timingSafeEqual(first, second);
}
