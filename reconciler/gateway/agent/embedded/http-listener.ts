import http from 'node:http';
import type { Duplex } from 'node:stream';

import type { ProxyTuning } from '../proxy.ts';
import { forward, type Exchange } from './forward.ts';
import { tunnel } from './tunnel.ts';
import type { Backend } from './backend.ts';

/** What a listener needs of its gateway: who takes the next request. */
export interface Chooser {
  choose(): Backend | undefined;
}

export interface ListenerOptions {
  readonly chooser: Chooser;
  readonly tuning: ProxyTuning;
}

/** The HTTP side of one gateway. Not listening yet. */
export function createHttpServer(options: ListenerOptions): http.Server {
  const server = http.createServer({
    keepAliveTimeout: 65_000,
    requestTimeout: 0,
    // An offer to speak HTTP/2 is declined by answering; other upgrades are passed through.
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() !== 'h2c',
  });
  server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    const backend = options.chooser.choose();
    if (backend === undefined) {
      refuse(response);
      return;
    }
    backend.count('requests');
    const exchange: Exchange = { request, response, backend, tuning: options.tuning };
    void forward(exchange);
  });
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    const backend = options.chooser.choose();
    if (backend === undefined) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
      return;
    }
    backend.count('requests');
    void tunnel({ request, socket, head, backend, tuning: options.tuning });
  });
  return server;
}

function refuse(response: http.ServerResponse): void {
  response.writeHead(503, { 'content-type': 'text/plain', 'cache-control': 'no-cache' });
  response.end('No version of this gateway has a usable server.\n');
}
