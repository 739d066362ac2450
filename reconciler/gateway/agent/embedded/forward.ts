import http from 'node:http';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ProxyTuning } from '../proxy.ts';
import type { Backend, Upstream } from './backend.ts';
import { requestHeaders, responseHeaders, versionHeader } from './headers.ts';

/** One request, from the moment its version is chosen. */
export interface Exchange {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly backend: Backend;
  readonly tuning: ProxyTuning;
}

/** As HAProxy's `retries 3`: one try and three more, all inside the version. */
const TRIES = 4;
const PAUSE_MS = 100;

type Failure = 'not-connected' | 'stale-connection' | 'broken' | 'slow';

/**
 * Hands one request to a server of its version. It moves on to another one only while nothing of
 * its body was read: when no connection came about, or when a kept connection turned out to be
 * closed and repeating is harmless.
 */
export async function forward(exchange: Exchange): Promise<void> {
  const { backend, response } = exchange;
  const tried = new Set<Upstream>();
  let failure: Failure | 'nobody' = 'nobody';
  for (let attempt = 0; attempt < TRIES && !response.destroyed; attempt += 1) {
    const upstream = backend.pick(tried);
    if (upstream === undefined) break;
    if (attempt > 0) backend.count('retries');
    if (tried.has(upstream)) await sleep(PAUSE_MS * attempt);
    tried.add(upstream);
    const outcome = await attemptOnce(exchange, upstream);
    if (outcome === 'done') return;
    failure = outcome;
    if (failure === 'not-connected') upstream.check.suspect();
    if (failure === 'broken' || failure === 'slow') break;
  }
  if (failure === 'not-connected' || failure === 'nobody') backend.count('connectErrors');
  answerFailure(exchange, failure);
}

function attemptOnce(exchange: Exchange, upstream: Upstream): Promise<'done' | Failure> {
  const { request, response, backend, tuning } = exchange;
  const hasBody = mayHaveBody(request);
  return new Promise((resolve) => {
    const outgoing = http.request({
      host: upstream.host,
      port: upstream.port,
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: requestHeaders(request),
      setHost: false,
      agent: upstream.agent,
      timeout: tuning.idleTimeoutMs,
    });
    let connected = false;
    let answered = false;
    const end = (): void => {
      response.destroy();
      outgoing.destroy();
    };
    upstream.sessions.add(end);
    const onClientGone = (): void => {
      if (!response.writableFinished) {
        backend.count('aborts');
        outgoing.destroy();
      }
      settle('done');
    };
    function settle(outcome: 'done' | Failure): void {
      upstream.sessions.delete(end);
      response.off('close', onClientGone);
      if (upstream.leavingSince !== undefined) backend.reap();
      resolve(outcome);
    }
    response.on('close', onClientGone);
    whenConnected(outgoing, tuning.connectTimeoutMs, () => {
      connected = true;
      if (hasBody) request.pipe(outgoing);
    });
    outgoing.on('timeout', () => outgoing.destroy(new SlowError()));
    outgoing.on('error', (error) => {
      if (answered) {
        response.destroy();
        return;
      }
      if (hasBody && connected) request.unpipe(outgoing);
      settle(classify(error, { connected, reused: outgoing.reusedSocket, request, hasBody }));
    });
    outgoing.on('response', (answer) => {
      answered = true;
      backend.countStatus(answer.statusCode ?? 0);
      relay(answer, exchange);
    });
    if (!hasBody) outgoing.end();
  });
}

class SlowError extends Error {}

function classify(
  error: Error,
  seen: { connected: boolean; reused: boolean; request: http.IncomingMessage; hasBody: boolean },
): Failure {
  if (!seen.connected) return 'not-connected';
  if (error instanceof SlowError) return 'slow';
  const harmless = ['GET', 'HEAD', 'OPTIONS'].includes(seen.request.method ?? '') && !seen.hasBody;
  return seen.reused && harmless ? 'stale-connection' : 'broken';
}

/** Calls back once the request has a connection; destroys it if that takes too long. */
function whenConnected(outgoing: http.ClientRequest, timeoutMs: number, go: () => void): void {
  const late = setTimeout(() => outgoing.destroy(new Error('connect timeout')), timeoutMs);
  outgoing.on('close', () => {
    clearTimeout(late);
  });
  outgoing.on('socket', (socket) => {
    const ready = (): void => {
      clearTimeout(late);
      go();
    };
    if (socket.connecting) socket.once('connect', ready);
    else ready();
  });
}

function relay(answer: http.IncomingMessage, exchange: Exchange): void {
  const { response, backend } = exchange;
  response.writeHead(
    answer.statusCode ?? 502,
    answer.statusMessage,
    responseHeaders(answer, backend.version.name),
  );
  pipeline(answer, response, () => {
    // A broken answer was passed on as a broken answer: pipeline destroyed the client's side.
  });
}

function answerFailure(exchange: Exchange, failure: Failure | 'nobody'): void {
  const { response, backend } = exchange;
  if (response.destroyed || response.headersSent) return;
  const status =
    failure === 'slow' ? 504 : failure === 'not-connected' || failure === 'nobody' ? 503 : 502;
  backend.countStatus(status);
  response.writeHead(status, {
    'content-type': 'text/plain',
    connection: 'close',
    ...versionHeader(backend.version.name),
  });
  response.end(`${http.STATUS_CODES[status] ?? 'Failed'}\n`);
}

function mayHaveBody(request: http.IncomingMessage): boolean {
  const length = request.headers['content-length'];
  if (request.headers['transfer-encoding'] !== undefined) return true;
  return length !== undefined && length !== '0';
}
