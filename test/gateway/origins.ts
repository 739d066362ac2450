import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';

/** A small server that stands for one instance: counts what it got and answers as told. */
export interface Origin {
  readonly port: number;
  readonly host: string;
  /** Requests that were not checks. */
  readonly hits: () => number;
  /** Status of `/ready`, the check path. */
  setReady(status: number): void;
  close(): Promise<void>;
  /** Listens on its old port again. */
  reopen(): Promise<void>;
}

/**
 * Answers `/status/N` with N, `/slow/MS` after that many milliseconds, `/echo` with the body, all
 * else with 200 and its name.
 */
export async function startOrigin(name = 'origin'): Promise<Origin> {
  let hits = 0;
  let ready = 200;
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const url = request.url ?? '/';
    if (url === '/ready') {
      response.writeHead(ready).end();
      return;
    }
    hits += 1;
    const [, what, value] = url.split('/');
    if (what === 'status') response.writeHead(Number(value)).end(name);
    else if (what === 'slow') setTimeout(() => response.end(name), Number(value));
    else if (what === 'echo') request.pipe(response);
    else response.end(name);
  };
  let server = http.createServer({ keepAliveTimeout: 65_000 }, listener);
  server.on('upgrade', upgrade);
  await listen(server, 0);
  const port = portOf(server);
  return {
    port,
    host: '127.0.0.1',
    hits: () => hits,
    setReady(status) {
      ready = status;
    },
    close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      return closed;
    },
    async reopen() {
      server = http.createServer({ keepAliveTimeout: 65_000 }, listener);
      server.on('upgrade', upgrade);
      await listen(server, port);
    },
  };
}

function upgrade(_request: http.IncomingMessage, socket: Duplex): void {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n');
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}

function portOf(server: net.Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return address.port;
}

/** Echoes bytes, prefixed with its name. */
export async function startTcpOrigin(name: string): Promise<Origin> {
  let hits = 0;
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('data', (bytes) => {
      hits += 1;
      socket.end(`${name}:${bytes.toString()}`);
    });
  });
  await listen(server, 0);
  const port = portOf(server);
  return {
    port,
    host: '127.0.0.1',
    hits: () => hits,
    setReady: () => undefined,
    close() {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
    reopen: () => listen(server, port),
  };
}

function listen(server: net.Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}

let next = 21_000 + Math.floor(Math.random() * 8_000);

/** A port that nobody listens on now, below the range that the kernel gives to clients. */
export async function freePort(): Promise<number> {
  for (;;) {
    next += 1;
    const server = net.createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(next, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return next;
  }
}

/** Waits until `claim` holds, or fails with the last thing that `describe` said. */
export async function until(
  claim: () => boolean | Promise<boolean>,
  describe: string | (() => unknown) = 'the condition',
  deadlineMs = 10_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    if (await claim()) return;
    if (performance.now() > end) {
      const what = typeof describe === 'string' ? describe : JSON.stringify(await describe());
      throw new Error(`not within ${String(deadlineMs)} ms: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
