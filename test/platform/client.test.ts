import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DriverError } from '../../reconciler/errors.ts';
import { createMarathonClient } from '../../reconciler/platform/marathon/client.ts';
import type {
  MarathonCall,
  MarathonClient,
  MarathonOptions,
} from '../../reconciler/platform/marathon/client.ts';
import { answer, startScripted } from './scripted-server.ts';
import type { Script, ScriptedServer } from './scripted-server.ts';

const { signal } = new AbortController();
const SECRET = 'hunter22-very-secret';
let directory: string;
let closers: (() => Promise<void>)[];

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'sluice-client-'));
  closers = [];
});
afterEach(async () => {
  for (const close of closers) await close();
  await rm(directory, { recursive: true });
});

async function serve(script: Script): Promise<ScriptedServer> {
  const server = await startScripted(script);
  closers.push(async () => server.close());
  return server;
}

function open(urls: readonly string[], more: Partial<MarathonOptions> = {}): MarathonClient {
  const client = createMarathonClient({
    urls,
    timeoutMs: 2_000,
    maxResponseBytes: 10_000,
    ...more,
  });
  closers.push(async () => client.close());
  return client;
}

async function faultOf(promise: Promise<unknown>) {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DriverError)) throw new Error('expected a DriverError', { cause: error });
  return { code: error.code, retry: error.retry, message: error.message };
}

async function secretFile(text: string): Promise<string> {
  const file = path.join(directory, 'secret');
  await writeFile(file, text);
  return file;
}

describe('A status of Marathon becomes an error that says what to do', () => {
  const locked = { message: 'App is locked', deployments: [{ id: 'd-1' }, { id: 'd-2' }] };
  const invalid = {
    message: 'Object is not valid',
    details: [{ path: '/cpus', errors: ['must be positive', 'really'] }],
  };
  it.each([
    [
      400,
      { message: 'Invalid JSON' },
      'invalid-app',
      'never',
      'Invalid JSON. Correct the blueprint',
    ],
    [422, invalid, 'invalid-app', 'never', 'Object is not valid; /cpus: must be positive, really'],
    [
      422,
      { errors: [{ attribute: 'id', error: 'is not legal' }] },
      'invalid-app',
      'never',
      'id: is not legal',
    ],
    [401, '<html>login</html>', 'unauthorized', 'backoff', 'an HTML page'],
    [
      403,
      { message: 'Max number of running deployments' },
      'too-many-platform-changes',
      'backoff',
      'waits',
    ],
    [403, { message: 'Not authorized' }, 'forbidden', 'backoff', 'Give the account'],
    [404, { message: "App '/x' does not exist" }, 'app-missing', 'soon', 'looks again'],
    [405, '<html/>', 'marathon-refused', 'backoff', 'check marathon.urls'],
    [409, locked, 'app-locked', 'soon', 'd-1, d-2'],
    [409, { message: 'An app with id [/x] already exists.' }, 'app-exists', 'soon', 'another id'],
    [415, '', 'marathon-refused', 'backoff', 'no reason given'],
    [500, { message: 'queue full' }, 'marathon-unavailable', 'backoff', 'may have been applied'],
    [502, '<html>Bad gateway</html>', 'marathon-unavailable', 'backoff', 'an HTML page'],
    [
      503,
      { message: 'Futures timed out' },
      'marathon-unavailable',
      'backoff',
      'may have been applied',
    ],
    [418, 'teapot', 'marathon-unexpected', 'backoff', 'teapot'],
  ])('%i %j', async (status, body, code, retry, part) => {
    const server = await serve((_seen, response) => {
      answer(response, status, body);
    });
    const fault = await faultOf(open([server.url]).updateApp('/x', { instances: 1 }, signal));

    expect(fault).toMatchObject({ code, retry });
    expect(fault.message).toContain(part);
    expect(fault.message).toContain(`PUT ${server.url}/v2/apps/x`);
    expect(server.seen).toHaveLength(1);
  });

  it('never repeats an env value that Marathon quotes', async () => {
    const server = await serve((_seen, response) => {
      answer(response, 422, {
        message: `bad value ${SECRET}`,
        details: [{ path: '/env', errors: [`got "${SECRET}"`] }],
      });
    });
    const app = { id: '/x', env: { DB_PASSWORD: SECRET } };

    const fault = await faultOf(open([server.url]).createApp(app, signal));

    expect(fault.message).toContain('bad value ***; /env: got "***"');
    expect(fault.message).not.toContain(SECRET);
  });

  it.each([
    ['an HTML page', '<html>Welcome</html>', 'marathon-html'],
    ['no JSON', 'pong', 'marathon-bad-answer'],
    ['the JSON of something else', { hello: 'world' }, 'marathon-bad-answer'],
    ['tasks that cannot be read', { tasks: [{ id: 1 }] }, 'marathon-bad-answer'],
  ])('concludes nothing from %s', async (_what, body, code) => {
    const server = await serve((_seen, response) => {
      answer(response, 200, body);
    });

    expect(await faultOf(open([server.url]).listTasks(signal))).toMatchObject({
      code,
      retry: 'backoff',
    });
  });
});

describe('Several urls', () => {
  it('lets reads go on to the next one, and stays there', async () => {
    const down = await startScripted(() => undefined);
    await down.close();
    const sick = await serve((_seen, response) => {
      answer(response, 502, '<html/>');
    });
    const well = await serve((_seen, response) => {
      answer(response, 200, { tasks: [] });
    });
    const calls: MarathonCall[] = [];
    const client = open([down.url, sick.url, `${well.url}/service/marathon/`], {
      onCall: (call) => calls.push(call),
    });

    expect(await client.listTasks(signal)).toEqual([]);
    expect(await client.listTasks(signal)).toEqual([]);
    expect(calls.map(({ where, status }) => [where, status])).toEqual([
      [`${down.url}/v2/tasks`, undefined],
      [`${sick.url}/v2/tasks`, 502],
      [`${well.url}/service/marathon/v2/tasks`, 200],
      [`${well.url}/service/marathon/v2/tasks`, 200],
    ]);
  });

  it('sends a write again only where it was certainly not sent', async () => {
    const down = await startScripted(() => undefined);
    await down.close();
    const cut = await serve((_seen, response) => {
      response.destroy();
    });
    const well = await serve((_seen, response) => {
      answer(response, 200, {});
    });

    await open([down.url, well.url]).deleteApp('/x', signal);
    expect(well.seen.map((seen) => `${seen.method} ${seen.url}`)).toEqual([
      'DELETE /v2/apps/x?force=false',
    ]);
    const fault = await faultOf(open([cut.url, well.url]).deleteApp('/x', signal));
    expect(fault).toMatchObject({ code: 'marathon-unavailable', retry: 'backoff' });
    expect(fault.message).toContain('may have been applied');
    expect(well.seen).toHaveLength(1);
  });

  it('says that nobody answers', async () => {
    const down = await startScripted(() => undefined);
    await down.close();

    expect(await faultOf(open([down.url]).listTasks(signal))).toEqual({
      code: 'marathon-unreachable',
      retry: 'backoff',
      message: `No answer to GET ${down.url}/v2/tasks: the connection was refused. Check that Marathon runs there and can be reached.`,
    });
  });

  it('leaves time for the second one when the first is silent', async () => {
    const silent = await serve(() => undefined);
    const well = await serve((_seen, response) => {
      answer(response, 200, { tasks: [] });
    });

    expect(await open([silent.url, well.url], { timeoutMs: 400 }).listTasks(signal)).toEqual([]);
  });

  it('gives up in time', async () => {
    const silent = await serve(() => undefined);
    const fault = await faultOf(
      open([silent.url], { timeoutMs: 200 }).createApp({ id: '/x' }, signal),
    );

    expect(fault).toMatchObject({ code: 'marathon-timeout', retry: 'backoff' });
    expect(fault.message).toContain('may have been applied');
  });

  it.each([
    'http://user:pw@127.0.0.1:1',
    'ftp://127.0.0.1',
    'nonsense',
    'http://127.0.0.1/?token=1',
  ])('does not take %s for a url', (url) => {
    expect(() => createMarathonClient({ urls: [url], timeoutMs: 1, maxResponseBytes: 1 })).toThrow(
      DriverError,
    );
  });
});

describe('Large answers', () => {
  const large = JSON.stringify({ tasks: [], filler: 'x'.repeat(20_000) });

  it.each([
    ['plain', Buffer.from(large), {}],
    ['packed', gzipSync(large), { 'content-encoding': 'gzip' }],
  ])('are refused when %s', async (_what, bytes, headers) => {
    const server = await serve((_seen, response) => {
      response.writeHead(200, headers).end(bytes);
    });

    expect(await faultOf(open([server.url]).listTasks(signal))).toMatchObject({
      code: 'response-too-large',
      retry: 'backoff',
    });
  });

  it('are unpacked when they fit', async () => {
    const server = await serve((_seen, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"tasks": []}'));
    });

    expect(await open([server.url]).listTasks(signal)).toEqual([]);
  });
});

describe('Credentials', () => {
  const tasks: Script = (_seen, response) => {
    answer(response, 200, { tasks: [] });
  };

  it.each([
    ['basicFile', `user:${SECRET}\n`, `Basic ${Buffer.from(`user:${SECRET}`).toString('base64')}`],
    ['tokenFile', SECRET, `token=${SECRET}`],
    ['tokenFile', `Bearer ${SECRET}`, `Bearer ${SECRET}`],
  ])('come from %s', async (key, text, header) => {
    const server = await serve(tasks);
    const file = await secretFile(text);
    const auth = key === 'basicFile' ? { basicFile: file } : { tokenFile: file };
    await open([server.url], { auth }).listTasks(signal);

    expect(server.seen[0]?.authorization).toBe(header);
  });

  it('come from a user and a file with the password', async () => {
    const server = await serve(tasks);
    const auth = { user: 'user', passwordFile: await secretFile(SECRET) };
    await open([server.url], { auth }).listTasks(signal);

    expect(server.seen[0]?.authorization).toBe(
      `Basic ${Buffer.from(`user:${SECRET}`).toString('base64')}`,
    );
  });

  it('are looked for in the file that a 401 names', async () => {
    const server = await serve((_seen, response) => {
      answer(response, 401, { message: 'no' });
    });
    const file = await secretFile(SECRET);
    const fault = await faultOf(
      open([server.url], { auth: { tokenFile: file } }).listTasks(signal),
    );

    expect(fault.message).toContain(`Check the credentials in ${file}`);
    expect(fault.message).not.toContain(SECRET);
  });

  it('are missed with the name of the file', async () => {
    const file = path.join(directory, 'absent');
    const client = open(['http://127.0.0.1:1'], { auth: { tokenFile: file } });

    expect(await faultOf(client.listTasks(signal))).toEqual({
      code: 'credentials-unreadable',
      retry: 'backoff',
      message: `The file with the credentials for Marathon, ${file}, cannot be read. It should hold them in one line`,
    });
  });

  it('go along to the leader if it is a configured url, and to nobody else', async () => {
    const leader = await serve(tasks);
    const standby = await serve((seen, response) => {
      response.writeHead(302, { location: `${leader.url}${seen.url}` }).end();
    });
    const auth = { tokenFile: await secretFile(SECRET) };

    await open([standby.url, leader.url], { auth }).listTasks(signal);
    await open([standby.url], { auth, leaders: [leader.url] }).listTasks(signal);
    expect(leader.seen.map((seen) => seen.authorization)).toEqual([
      `token=${SECRET}`,
      `token=${SECRET}`,
    ]);

    const fault = await faultOf(open([standby.url], { auth }).listTasks(signal));
    expect(fault).toMatchObject({ code: 'marathon-redirects', retry: 'backoff' });
    expect(fault.message).toContain(leader.url);
    expect(leader.seen).toHaveLength(2);

    await open([standby.url]).listTasks(signal);
    expect(leader.seen[2]?.authorization).toBeUndefined();
  });

  it('do not go round in circles', async () => {
    const server = await serve((seen, response) => {
      response.writeHead(307, { location: seen.url }).end();
    });

    expect(await faultOf(open([server.url]).listTasks(signal))).toMatchObject({
      code: 'marathon-redirects',
    });
    expect(server.seen).toHaveLength(4);
  });

  it('a redirected write is not followed', async () => {
    const server = await serve((_seen, response) => {
      response.writeHead(302, { location: '/login' }).end();
    });

    expect(await faultOf(open([server.url]).deleteApp('/x', signal))).toMatchObject({
      code: 'marathon-redirects',
    });
    expect(server.seen).toHaveLength(1);
  });
});
