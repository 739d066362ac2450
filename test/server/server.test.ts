import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { once } from 'node:events';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Status } from '../../reconciler/model/status.ts';
import { startServer } from '../../reconciler/server/server.ts';
import type { ServerOptions, StatusServer } from '../../reconciler/server/server.ts';

const STATUS: Status = {
  at: 1,
  owner: 'sluice',
  source: { state: 'fresh', message: 'up to date', revision: 'abc', faulty: [], diagnostics: [] },
  platform: { state: 'up', message: '3 apps' },
  units: [],
  holds: [],
};
const LOOPBACK = { host: '127.0.0.1', port: 0 };

let folder: string;
let servers: StatusServer[];
let wakes: number;
let ready: { ready: boolean; why: string };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-server-'));
  servers = [];
  wakes = 0;
  ready = { ready: false, why: 'no round has ended well yet' };
});
afterEach(async () => {
  await Promise.all(servers.map(async (server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function start(
  listen: ServerOptions['listen'] = LOOPBACK,
  more: Partial<ServerOptions> = {},
): Promise<StatusServer> {
  const server = await startServer({
    listen,
    status: () => STATUS,
    readiness: () => ready,
    wake: () => {
      wakes += 1;
    },
    ...more,
  });
  servers.push(server);
  return server;
}

function tokenFile(text: string): string {
  writeFileSync(join(folder, 'token'), text);
  return join(folder, 'token');
}

type Sent = Parameters<typeof request>[1];

async function ask(url: string, sent: Sent = {}): Promise<readonly [number, unknown]> {
  const { statusCode, body } = await request(url, sent);
  return [statusCode, await body.json()];
}

describe('the status server', () => {
  it('says that it lives, whether it is ready and why not, and what it knows', async () => {
    const { url } = await start();
    expect(await ask(`${url}/healthz`)).toEqual([200, { alive: true }]);
    expect(await ask(`${url}/readyz`)).toEqual([
      503,
      { ready: false, why: 'no round has ended well yet' },
    ]);
    ready = { ready: true, why: 'the last round ended well' };
    expect(await ask(`${url}/readyz`)).toEqual([
      200,
      { ready: true, why: 'the last round ended well' },
    ]);
    expect(await ask(`${url}/status`)).toEqual([200, STATUS]);
  });

  it('is not ready before there is a status', async () => {
    let status: Status | undefined;
    const server = await startServer({
      listen: LOOPBACK,
      status: () => status,
      wake: () => undefined,
    });
    servers.push(server);
    const codes = async (): Promise<readonly number[]> => [
      (await ask(`${server.url}/readyz`))[0],
      (await ask(`${server.url}/status`))[0],
    ];
    expect(await codes()).toEqual([503, 503]);
    status = STATUS;
    expect(await codes()).toEqual([200, 200]);
  });

  it('wakes the loop, whatever is sent along', async () => {
    const { url } = await start();
    const answers = [
      await ask(`${url}/rounds`, { method: 'POST' }),
      await ask(`${url}/rounds`, {
        method: 'POST',
        body: '{"no json',
        headers: { 'content-type': 'application/json' },
      }),
    ];
    expect(answers).toEqual([
      [202, { asked: true }],
      [202, { asked: true }],
    ]);
    expect(wakes).toBe(2);
  });

  it('refuses what it does not know and what is too long', async () => {
    const { url } = await start();
    const none = { code: 'not-found', message: expect.any(String) };
    expect(await ask(`${url}/`)).toEqual([404, none]);
    expect(await ask(`${url}/rounds`)).toEqual([404, none]);
    expect(await ask(`${url}/rounds`, { method: 'POST', body: 'x'.repeat(2_000) })).toEqual([
      413,
      { code: 'bad-request', message: 'the request cannot be read' },
    ]);
    expect(wakes).toBe(0);
  });

  it('shows no more of a bug of ours than that there is one', async () => {
    const { url } = await start(LOOPBACK, {
      status: () => {
        throw new Error('planted-secret');
      },
    });
    expect(await ask(`${url}/status`)).toEqual([
      500,
      { code: 'internal', message: 'this is a bug of Sluice' },
    ]);
  });

  it('answers no page that reaches loopback under another name', async () => {
    const { url } = await start();
    const evil = { headers: { host: 'evil.example.com' } };
    expect(await ask(`${url}/status`, evil)).toEqual([
      403,
      { code: 'host-refused', message: 'ask for this server as 127.0.0.1 or localhost' },
    ]);
    expect((await ask(`${url}/status`, { headers: { host: 'localhost:1' } }))[0]).toBe(200);
  });

  it('answers probes that speak HTTP/1.0', async () => {
    const { url } = await start();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.end('GET /healthz HTTP/1.0\r\n\r\n');
    const [answer] = await once(socket.setEncoding('utf8'), 'data');
    expect(answer).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
  });

  it('ends open connections when it closes', async () => {
    const server = await start();
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    await server.close();
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});

describe('a token', () => {
  it('is needed beyond loopback', async () => {
    await expect(start({ host: '0.0.0.0', port: 0 })).rejects.toMatchObject({
      code: 'server-token-missing',
    });
    await start({ host: '0.0.0.0', port: 0 }, { tokenFile: tokenFile('abc') });
    for (const text of ['', 'two words']) {
      await expect(start(LOOPBACK, { tokenFile: tokenFile(text) })).rejects.toMatchObject({
        code: 'server-token-unreadable',
      });
    }
  });

  it('is asked for by everything but /healthz', async () => {
    const { url } = await start(LOOPBACK, { tokenFile: tokenFile('abc\n') });
    const status = async (authorization?: string): Promise<number> => {
      const headers = authorization === undefined ? {} : { authorization };
      return (await ask(`${url}/status`, { headers }))[0];
    };
    expect([
      await status(),
      await status('Bearer ab'),
      await status('Bearer abc'),
      (await ask(`${url}/rounds`, { method: 'POST' }))[0],
      (await ask(`${url}/healthz`))[0],
    ]).toEqual([401, 401, 200, 401, 200]);
    expect(wakes).toBe(0);
    tokenFile('rotated');
    expect([await status('Bearer abc'), await status('Bearer rotated')]).toEqual([401, 200]);
    rmSync(join(folder, 'token'));
    expect(await status('Bearer rotated')).toBe(500);
  });
});

describe('an address', () => {
  it('that another program has is named', async () => {
    const { url } = await start();
    await expect(
      start({ host: '127.0.0.1', port: Number(new URL(url).port) }),
    ).rejects.toMatchObject({
      code: 'server-address-in-use',
      message: expect.stringContaining('127.0.0.1:'),
    });
    await expect(
      start({ host: '192.0.2.1', port: 0 }, { tokenFile: tokenFile('x') }),
    ).rejects.toMatchObject({
      code: 'server-not-listening',
    });
  });
});

describe('a unix socket', () => {
  it('is open to its owner only, and gone after close', async () => {
    const path = join(folder, 'run', 'status.sock');
    const server = await start({ socket: path });
    expect([server.url, statSync(path).mode & 0o777]).toEqual([`unix:${path}`, 0o600]);
    const dispatcher = new Agent({ connect: { socketPath: path } });
    expect(await ask('http://localhost/healthz', { dispatcher })).toEqual([200, { alive: true }]);
    expect(await ask('http://anything/status', { dispatcher })).toEqual([200, STATUS]);
    await dispatcher.close();
    await server.close();
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });

  it('that nobody answers on gives way, one that somebody answers on does not', async () => {
    const path = join(folder, 'status.sock');
    const dead = createServer().listen(path);
    await once(dead, 'listening');
    await expect(start({ socket: path })).rejects.toMatchObject({ code: 'server-address-in-use' });
    await expect(start({ socket: path })).rejects.toMatchObject({ code: 'server-address-in-use' });
    // Moved away, it outlives its server as a socket of a killed process would.
    const left = join(folder, 'left.sock');
    renameSync(path, left);
    dead.close();
    await once(dead, 'close');
    const server = await start({ socket: left });
    expect(server.url).toBe(`unix:${left}`);
  });

  it('never replaces a file that is no socket', async () => {
    const path = join(folder, 'precious.txt');
    writeFileSync(path, 'text');
    await expect(start({ socket: path })).rejects.toMatchObject({ code: 'server-address-in-use' });
    mkdirSync(join(folder, 'x'.repeat(100)));
    await expect(
      start({ socket: join(folder, 'x'.repeat(100), 'status.sock') }),
    ).rejects.toMatchObject({ code: 'server-not-listening' });
  });
});
