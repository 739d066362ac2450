/**
 * A sample service in the manner of mhausenblas/simpleservice, with knobs. Reads its environment
 * only: PORT0, HOST, SIMPLE_SERVICE_VERSION, HEALTH_MIN, HEALTH_MAX, DRAIN_MS, START_MS and the
 * first values of the knobs. Stands alone, so that it starts fast.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

// oxlint-disable-next-line node/no-process-env -- a program of its own; its environment is its input
const env = process.env;

function number(name: string, fallback: number): number {
  const value = Number(env[name] ?? fallback);
  return Number.isFinite(value) && value >= 0 ? value : fallback;
}

/** What can be changed while the service runs, by PUT /knobs. */
const knobs: Record<string, number | boolean> = {
  ERROR_RATE: number('ERROR_RATE', 0),
  LATENCY_MS: number('LATENCY_MS', 0),
  HEALTH_MIN: number('HEALTH_MIN', 0),
  HEALTH_MAX: number('HEALTH_MAX', 0),
  HEALTHY: env['HEALTHY'] !== 'false',
  FAIL_AFTER_MS: number('FAIL_AFTER_MS', 0),
};
const version = env['SIMPLE_SERVICE_VERSION'] ?? '0.9';
let draining = false;
let failure: NodeJS.Timeout | undefined;

function armFailure(): void {
  clearTimeout(failure);
  const after = Number(knobs['FAIL_AFTER_MS']);
  if (after > 0) failure = setTimeout(() => process.exit(1), after);
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  // While draining the client must not send another request down a connection that will close.
  if (draining) response.setHeader('connection', 'close');
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function later(ms: number, run: () => void): void {
  if (ms > 0) setTimeout(run, ms);
  else run();
}

function endpoint(request: IncomingMessage, response: ServerResponse): void {
  later(Number(knobs['LATENCY_MS']), () => {
    if (Math.random() < Number(knobs['ERROR_RATE'])) {
      reply(response, 500, { host: request.headers.host, version, result: 'all is broken' });
      return;
    }
    reply(response, 200, { host: request.headers.host, version, result: 'all is well' });
  });
}

function health(response: ServerResponse): void {
  const least = Number(knobs['HEALTH_MIN']);
  const most = Math.max(least, Number(knobs['HEALTH_MAX']));
  later(least + Math.random() * (most - least), () => {
    reply(response, knobs['HEALTHY'] === true ? 200 : 500, { healthy: knobs['HEALTHY'] === true });
  });
}

function setKnobs(request: IncomingMessage, response: ServerResponse): void {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > 10_000) request.destroy();
  });
  request.on('end', () => {
    const fault = turn(text);
    if (fault === undefined) reply(response, 200, knobs);
    else reply(response, 400, { message: fault });
  });
}

/** Sets the knobs that the text names, all or none; says what is wrong with it. */
function turn(text: string): string | undefined {
  let asked: unknown;
  try {
    asked = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  if (typeof asked !== 'object' || asked === null) return 'not an object';
  for (const [name, value] of Object.entries(asked)) {
    if (!Object.hasOwn(knobs, name))
      return `no knob ${name}; there are ${Object.keys(knobs).join(', ')}`;
    if (typeof value !== typeof knobs[name]) return `${name} must be a ${typeof knobs[name]}`;
  }
  Object.assign(knobs, asked);
  if (Object.hasOwn(asked, 'FAIL_AFTER_MS')) armFailure();
  return undefined;
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?')[0];
  if (path === '/health') health(response);
  else if (path === '/info') {
    const from = request.socket.remoteAddress;
    reply(response, 200, { version, host: request.headers.host, from });
  } else if (path === '/env') reply(response, 200, { version, env });
  else if (path === '/knobs' && request.method === 'PUT') setKnobs(request, response);
  else if (path === '/knobs') reply(response, 200, knobs);
  else if (path === '/endpoint0') endpoint(request, response);
  else reply(response, 404, { message: `no such page: ${path}` });
}

const server = createServer(answer);
// Longer than any proxy keeps an idle connection: the proxy closes first, so none of its requests
// meets a connection that is being closed here.
server.keepAliveTimeout = 75_000;
server.headersTimeout = 80_000;

/** Serves on for DRAIN_MS, then finishes what is in flight and goes. A second signal ends at once. */
function drain(): void {
  if (draining) process.exit(0);
  draining = true;
  setTimeout(
    () => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
    },
    number('DRAIN_MS', 1000),
  );
}

process.on('SIGTERM', drain);
process.on('SIGINT', drain);
later(number('START_MS', 0), () => {
  const port = number('PORT0', number('PORT', 0));
  server.listen(port, env['LISTEN_HOST'] ?? '127.0.0.1', () => {
    process.stdout.write(`simpleservice ${version} on port ${port}\n`);
    armFailure();
  });
});
