import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Cell } from './cell.ts';
import { every } from './clock.ts';
import type { EngineEvent, Listener } from './events.ts';
import type { Query } from './query.ts';
import { many } from './query.ts';

// Jetty's rhythm in Marathon, so that neither end takes a quiet stream for a dead one.
const HEARTBEAT_MS = 10_000;
// What may wait for a slow reader. Marathon 1.8+ closes the stream then, and so do we.
const MOST_WAITING_BYTES = 1_000_000;

function frame(event: EngineEvent): string {
  return `event: ${event.eventType}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Streams events to one client until it leaves, is too slow, or the stream is cut. */
function stream(
  cell: Cell,
  response: ServerResponse,
  request: { readonly types: ReadonlySet<string>; readonly ip: string },
): void {
  const { types, ip } = request;
  const remoteAddress = { remoteAddress: ip };
  const write = (text: string): void => {
    response.write(text);
    if (response.writableLength > MOST_WAITING_BYTES) response.destroy();
  };
  const heartbeat = every(cell.clock, { first: HEARTBEAT_MS, ms: HEARTBEAT_MS }, () => {
    write('\r\n');
  });
  const listener: Listener = {
    next: (event) => {
      if (types.size === 0 || types.has(event.eventType)) write(frame(event));
    },
    end: () => response.end(),
  };
  response.once('close', () => {
    heartbeat.cancel();
    cell.events.detach(listener);
    cell.events.publish('event_stream_detached', remoteAddress);
  });
  response.writeHead(200, {
    'content-type': 'text/event-stream;charset=utf-8',
    'cache-control': 'no-cache',
    connection: 'close',
  });
  // The first frame of a stream is its own attachment; the others hear of it as well.
  cell.events.publish('event_stream_attached', remoteAddress);
  listener.next(cell.events.stamped('event_stream_attached', remoteAddress));
  response.flushHeaders();
  cell.events.attach(listener);
}

export function eventRoutes(server: FastifyInstance, cell: Cell): void {
  server.get<{ Querystring: Query }>('/v2/events', (request, reply) => {
    if (!(request.headers.accept ?? '').includes('text/event-stream')) {
      return reply
        .status(405)
        .type('text/html')
        .send('<html><body><h2>HTTP ERROR 405</h2><p>Method Not Allowed</p></body></html>');
    }
    reply.hijack();
    const types = new Set(many(request.query, 'event_type'));
    stream(cell, reply.raw, { types, ip: request.ip });
    return reply;
  });
}
