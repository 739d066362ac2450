import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { checkStatus, renderCheck, runCheck } from '../../reconciler/commands/check.ts';
import type { CheckOptions, CheckResult } from '../../reconciler/commands/check.ts';

const NEVER = new AbortController().signal;
const OLD = 'simpleservice:0.9@1a2b3c4d';
const NEW = 'simpleservice:1.0@5e6f7a8b';

let server: Server | undefined;
afterEach(async () => {
  if (server === undefined) return;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  server = undefined;
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${String(address.port)}/`;
}

async function check(url: string, more: Partial<CheckOptions> = {}): Promise<CheckResult> {
  return runCheck({ url, ...more }, NEVER);
}

describe('check', () => {
  it('counts which versions clients see', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      response.setHeader('x-sluice-version', requests % 5 === 0 ? NEW : OLD).end('hello');
    });
    const result = await check(url);
    expect(result).toEqual({
      url,
      sent: 100,
      answered: [
        { version: OLD, count: 80 },
        { version: NEW, count: 20 },
      ],
      failures: [],
    });
    expect(renderCheck(result)).toBe(`out of 100 clients 80 saw ${OLD} and 20 saw ${NEW}\n`);
    expect([checkStatus(result), requests]).toEqual([0, 100]);
  });

  it('reads the version from the body where it is told to', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      const bodies = [
        '{"app": [{"version": 0.9}]}',
        '{"app": []}',
        'no json',
        '{"app": [{"version": {}}]}',
      ];
      response.end(bodies[requests % 4]);
    });
    const { answered } = await check(url, { count: 8, jsonPath: '$.app.0.version' });
    expect(answered).toEqual([
      { version: undefined, count: 6 },
      { version: '0.9', count: 2 },
    ]);
  });

  it('keeps failures apart, silent closes included', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      response.setHeader('x-sluice-version', OLD);
      const kind = requests % 4;
      if (kind === 0) response.end();
      else if (kind === 1) request.socket.destroy();
      else if (kind === 2) response.writeHead(503).end();
      else response.writeHead(404).end();
    });
    const result = await check(url, { count: 8, concurrency: 1 });
    expect(result).toEqual({
      url,
      sent: 8,
      answered: [{ version: OLD, count: 4 }],
      failures: [
        { kind: 'closed', what: 'UND_ERR_SOCKET', version: undefined, count: 2 },
        { kind: 'status', what: '503', version: OLD, count: 2 },
      ],
    });
    expect(checkStatus(result)).toBe(1);
    expect(renderCheck(result)).toMatchInlineSnapshot(`
      "out of 8 clients 4 saw simpleservice:0.9@1a2b3c4d and 4 got no good answer

      failures  how                       what            from
             2  closed without an answer  UND_ERR_SOCKET
             2  answered with status      503             simpleservice:0.9@1a2b3c4d
      "
    `);
  });

  it('sees answers that are cut, that take too long and that are no HTTP', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      requests += 1;
      if (requests === 1) {
        response.writeHead(200, { 'content-length': '100' }).write('half');
        setImmediate(() => request.socket.destroy());
      } else if (requests === 2) request.socket.end('garbage\r\n\r\n');
    });
    const { failures } = await check(url, { count: 3, concurrency: 1, timeoutMs: 200 });
    expect(failures.map(({ kind }) => kind).sort()).toEqual(['closed', 'timeout', 'unreadable']);
  });

  it('tells that nothing answered', async () => {
    const url = await serve(() => undefined);
    server?.close();
    const result = await check(url, { count: 3 });
    expect(result).toMatchObject({
      sent: 3,
      answered: [],
      failures: [{ kind: 'refused', what: 'ECONNREFUSED', count: 3 }],
    });
    expect(checkStatus(result)).toBe(2);
    expect(renderCheck(result)).toMatchInlineSnapshot(`
      "out of 3 clients 3 got no good answer

      failures  how                what
             3  could not connect  ECONNREFUSED
      "
    `);
  });

  it('is as many separate clients as it is asked to be', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end();
    });
    await check(url, { count: 20, concurrency: 2 });
    expect(ports.size).toBe(2);
    ports.clear();
    await check(url, { count: 20, concurrency: 2, newConnections: true });
    expect(ports.size).toBe(20);
  });

  it('ends early with what it saw, and counts nothing that it cut off itself', async () => {
    const stop = new AbortController();
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      if (requests <= 3) response.setHeader('x-sluice-version', OLD).end();
      else stop.abort();
    });
    const result = await runCheck({ url, count: 50, concurrency: 1 }, stop.signal);
    expect(result).toEqual({
      url,
      sent: 3,
      answered: [{ version: OLD, count: 3 }],
      failures: [],
    });
  });

  it('refuses what is no http url', async () => {
    await expect(check('localhost:8080')).rejects.toMatchObject({ code: 'check-invalid' });
  });
});
