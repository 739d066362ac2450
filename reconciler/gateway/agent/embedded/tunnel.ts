import type http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';

import type { ProxyTuning } from '../proxy.ts';
import type { Backend, Upstream } from './backend.ts';

/** A request that wants to become something else, as a websocket. */
export interface Upgrade {
  readonly request: http.IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly backend: Backend;
  readonly tuning: ProxyTuning;
}

const TRIES = 4;

/** Passes the upgrade on and then bytes, both ways, until either side ends. */
export async function tunnel(upgrade: Upgrade): Promise<void> {
  const { request, socket, head, backend, tuning } = upgrade;
  socket.on('error', () => socket.destroy());
  const found = await connectUpstream(backend, tuning);
  if (found === undefined) {
    backend.countStatus(503);
    socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
    return;
  }
  found.remote.write(requestText(request));
  if (head.length > 0) found.remote.write(head);
  join(found.remote, socket, found);
}

/** One TCP connection of a tcp gateway. */
export async function relayConnection(
  client: net.Socket,
  backend: Backend,
  tuning: ProxyTuning,
): Promise<void> {
  client.pause();
  client.on('error', () => client.destroy());
  const found = await connectUpstream(backend, tuning);
  if (found === undefined) client.destroy();
  else join(found.remote, client, found);
}

interface Found {
  readonly remote: net.Socket;
  readonly upstream: Upstream;
  readonly backend: Backend;
}

async function connectUpstream(backend: Backend, tuning: ProxyTuning): Promise<Found | undefined> {
  const tried = new Set<Upstream>();
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const upstream = backend.pick(tried);
    if (upstream === undefined) break;
    if (attempt > 0) backend.count('retries');
    tried.add(upstream);
    const remote = await connect(upstream, tuning.connectTimeoutMs);
    if (remote !== undefined) return { remote, upstream, backend };
    upstream.check.suspect();
  }
  backend.count('connectErrors');
  return undefined;
}

function connect(upstream: Upstream, timeoutMs: number): Promise<net.Socket | undefined> {
  return new Promise((resolve) => {
    const remote = net.connect({ host: upstream.host, port: upstream.port, allowHalfOpen: true });
    const late = setTimeout(() => remote.destroy(new Error('connect timeout')), timeoutMs);
    remote.once('connect', () => {
      clearTimeout(late);
      resolve(remote);
    });
    remote.once('error', () => {
      clearTimeout(late);
      resolve(undefined);
    });
  });
}

function join(remote: net.Socket, client: Duplex, found: Found): void {
  const { upstream, backend } = found;
  const end = (): void => {
    remote.destroy();
    client.destroy();
  };
  upstream.sessions.add(end);
  const close = (): void => {
    end();
    upstream.sessions.delete(end);
    if (upstream.leavingSince !== undefined) backend.reap();
  };
  for (const side of [remote, client]) {
    side.on('error', close);
    side.on('close', close);
  }
  remote.pipe(client);
  client.pipe(remote);
}

function requestText(request: http.IncomingMessage): string {
  const lines = [`${request.method ?? 'GET'} ${request.url ?? '/'} HTTP/1.1`];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    lines.push(`${request.rawHeaders[at] ?? ''}: ${request.rawHeaders[at + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
