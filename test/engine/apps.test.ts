import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { SIMPLE, SLEEPER, engineFor, settled, tasksOf, until } from './running-engine.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

test('an app is created, found, listed, scaled, versioned and deleted', async () => {
  const { call, engine } = await engineFor();
  const made = await call('POST', '/v2/apps', { ...SLEEPER, id: '/a/b', labels: { team: 'red' } });
  expect({
    status: made.status,
    location: made.headers.get('location'),
    header: made.headers.get('marathon-deployment-id'),
    versionInfo: made.body['app'],
  }).toEqual({
    status: 201,
    location: `${engine.url}/v2/apps/a/b`,
    header: made.body.deployments[0]?.id,
    versionInfo: undefined,
  });
  await settled(call);
  const { app } = (await call('GET', '/v2/apps/a/b')).body;
  expect(app).toMatchObject({ tasksRunning: 1, tasksHealthy: 0, deployments: [] });
  expect((await call('GET', '/v2/apps//a/b')).body.app.id).toBe('/a/b');
  const ids = async (query: string): Promise<readonly string[]> =>
    (await call('GET', `/v2/apps?${query}`)).body.apps.map((each) => each.id);
  expect(await ids('label=team%3D%3Dred')).toEqual(['/a/b']);
  expect(await ids('label=team%3D%3Dblue')).toEqual([]);
  expect(await ids('id=A%2FB')).toEqual(['/a/b']);

  const scaled = await call('PUT', '/v2/apps/a/b', { instances: 3 });
  expect(scaled.status).toBe(200);
  expect(scaled.body).toEqual({
    version: expect.any(String),
    deploymentId: expect.stringMatching(UUID),
  });
  await settled(call);
  const after = (await call('GET', '/v2/apps/a/b')).body.app;
  expect(after.versionInfo).toEqual({
    lastScalingAt: after.version,
    lastConfigChangeAt: app.versionInfo.lastConfigChangeAt,
  });
  expect(after.tasks.length).toBe(3);
  const { versions } = (await call('GET', '/v2/apps/a/b/versions')).body;
  expect(new Set(versions)).toEqual(new Set([app.version, after.version]));
  const former = await call('GET', `/v2/apps/a/b/versions/${app.version}`);
  expect(former.body).toMatchObject({ id: '/a/b', instances: 1, version: app.version });

  expect((await call('DELETE', '/v2/apps/a/b')).status).toBe(200);
  expect((await call('GET', '/v2/apps/a/b')).status).toBe(404);
  await settled(call);
  expect((await call('GET', '/v2/tasks')).body.tasks).toEqual([]);
});

test('a partial update keeps what it does not name, a full one fills in defaults', async () => {
  const { call } = await engineFor();
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x', instances: 0, labels: { a: 'b' } });
  await settled(call);
  await call('PUT', '/v2/apps/x', { mem: 64 });
  await settled(call);
  expect((await call('GET', '/v2/apps/x')).body.app).toMatchObject({
    mem: 64,
    labels: { a: 'b' },
    portDefinitions: [{ port: 10_000 }],
  });
  await call('PUT', '/v2/apps/x?partialUpdate=false', { cmd: 'exec sleep 1', instances: 0 });
  await settled(call);
  expect((await call('GET', '/v2/apps/x')).body.app).toMatchObject({
    mem: 128,
    labels: {},
    portDefinitions: [{ port: 10_000 }],
  });
});

test('a write that changes nothing answers with a deployment that has no steps', async () => {
  const { call } = await engineFor();
  await call('POST', '/v2/apps', {
    ...SIMPLE,
    id: '/x',
    healthChecks: [{ path: '/health', intervalSeconds: 1 }],
  });
  await settled(call);
  const before = (await call('GET', '/v2/apps/x')).body.app;
  const answer = await call('PUT', '/v2/apps/x', { instances: 1 });
  expect(answer.status).toBe(200);
  await settled(call);
  const after = (await call('GET', '/v2/apps/x')).body.app;
  expect({ version: after.version, tasks: after.tasks.map((task) => task.id) }).toEqual({
    version: before.version,
    tasks: before.tasks.map((task) => task.id),
  });
});

test('a locked app answers 409 with the deployment that holds it, and force breaks the lock', async () => {
  const { call } = await engineFor();
  const stuck = { ...SLEEPER, id: '/x', healthChecks: [{ protocol: 'TCP', intervalSeconds: 60 }] };
  const holder = (await call('POST', '/v2/apps', stuck)).body.deployments[0]?.id;
  const taken = await call('POST', '/v2/apps', stuck);
  expect([taken.status, taken.body]).toEqual([
    409,
    { message: 'An app with id [/x] already exists.' },
  ]);
  const refused = await call('PUT', '/v2/apps/x', { instances: 2 });
  expect([refused.status, refused.body.deployments]).toEqual([409, [{ id: holder }]]);
  expect((await call('DELETE', '/v2/apps/x?force=false')).status).toBe(409);
  const forced = await call('PUT', '/v2/apps/x?force=true', { healthChecks: [] });
  expect(forced.status).toBe(200);
  await settled(call);
  expect(await tasksOf(call, '/x')).toHaveLength(1);
});

test('a deployment can be rolled back, or stopped where it is', async () => {
  const { call } = await engineFor();
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x' });
  await settled(call);
  const [old] = await tasksOf(call, '/x');
  const stuck = { healthChecks: [{ protocol: 'TCP', intervalSeconds: 60 }] };
  const first = (await call('PUT', '/v2/apps/x', stuck)).body.deploymentId;
  await until('old and new run', async () => (await tasksOf(call, '/x')).length === 2);
  const stopped = await call('DELETE', `/v2/deployments/${first}?force=true`);
  expect([stopped.status, stopped.body]).toEqual([202, '']);
  expect((await call('DELETE', `/v2/deployments/${first}`)).status).toBe(404);
  expect(await tasksOf(call, '/x')).toHaveLength(2);
  const second = (await call('PUT', '/v2/apps/x', { ...stuck, mem: 33 })).body.deploymentId;
  expect((await call('DELETE', `/v2/deployments/${second}`)).body).toEqual({
    version: expect.any(String),
    deploymentId: expect.stringMatching(UUID),
  });
  expect((await call('GET', '/v2/apps/x')).body.app).toMatchObject({ mem: 32 });
  expect(old?.state).toBe('TASK_RUNNING');
});

test('an upgrade replaces the tasks one by one once the new ones are healthy', async () => {
  const { call } = await engineFor();
  const healthChecks = [{ path: '/health', intervalSeconds: 1, gracePeriodSeconds: 5 }];
  const upgradeStrategy = { minimumHealthCapacity: 1, maximumOverCapacity: 0.5 };
  await call('POST', '/v2/apps', {
    ...SIMPLE,
    id: '/x',
    instances: 2,
    healthChecks,
    upgradeStrategy,
  });
  await settled(call);
  const before = (await tasksOf(call, '/x')).map((task) => task.id);
  await call('PUT', '/v2/apps/x', { labels: { round: '2' } });
  let most = 0;
  let least = 9;
  await until('the upgrade is over', async () => {
    const running = (await tasksOf(call, '/x')).filter((task) => task.state === 'TASK_RUNNING');
    most = Math.max(most, running.length);
    least = Math.min(least, running.length);
    return (await call('GET', '/v2/deployments')).body.length === 0;
  });
  const after = (await tasksOf(call, '/x')).map((task) => task.id);
  expect({ most, least, kept: after.filter((id) => before.includes(id)) }).toEqual({
    most: 3,
    least: 2,
    kept: [],
  });
});

test('an image outside of the image map is refused by name, with the way to add it', async () => {
  const { call } = await engineFor();
  const app = { id: '/x', container: { docker: { image: 'nginx:1.25' } } };
  const answer = await call('POST', '/v2/apps', app);
  expect([answer.status, answer.body]).toEqual([
    422,
    {
      message: 'Object is not valid',
      details: [
        {
          path: '/container/docker/image',
          errors: [
            "image 'nginx:1.25' is not in the image map of this engine, which runs local commands " +
              "and no containers; add it with --image 'nginx:1.25=COMMAND' (the map has: " +
              'mhausenblas/simpleservice:*, magneticio/simpleservice:*), or give the app a cmd',
          ],
        },
      ],
    },
  ]);
});

test('bad input is refused in the words of Marathon', async () => {
  const { engine, call } = await engineFor();
  const raw = async (path: string, init: RequestInit): Promise<readonly [number, unknown]> => {
    const response = await fetch(engine.url + path, init);
    return [response.status, JSON.parse(await response.text())];
  };
  const json = { 'content-type': 'application/json' };
  expect(await raw('/v2/apps', { method: 'POST', headers: json, body: '{' })).toEqual([
    400,
    { message: 'Invalid JSON', details: expect.any(String) },
  ]);
  const text = { 'content-type': 'text/plain' };
  expect(await raw('/v2/apps', { method: 'POST', headers: text, body: '{}' })).toEqual([
    415,
    { message: 'Unsupported Media Type' },
  ]);
  const wrong = await call('POST', '/v2/apps', { id: 5, cmd: 'sleep 1' });
  expect([wrong.status, wrong.body]).toEqual([
    422,
    {
      message: 'Invalid JSON',
      details: [{ path: '/id', errors: ['error.expected.jsstring'] }],
    },
  ]);
  const strategy = { minimumHealthCapacity: 2, maximumOverCapacity: 0 };
  const broken = await call('POST', '/v2/apps', {
    id: 'x',
    cmd: 'sleep 1',
    upgradeStrategy: strategy,
  });
  expect([broken.status, broken.body.details.map((each) => each.path)]).toEqual([
    422,
    ['/upgradeStrategy/minimumHealthCapacity'],
  ]);
  expect((await call('PUT', '/v2/apps/%2e%2e%2fetc', { cmd: 'sleep 1' })).status).toBe(422);
  const missing = await call('GET', '/v2/apps/nope');
  expect([missing.status, missing.body]).toEqual([404, { message: "App '/nope' does not exist" }]);
  expect((await call('PATCH', '/v2/apps/nope', {})).status).toBe(404);
  expect((await call('POST', '/v2/tasks/delete', { ids: ['no'] })).status).toBe(400);
  expect((await call('PATCH', '/v2/leader')).status).toBe(405);
});

function requestText(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(text));
    socket.once('data', (chunk) => {
      socket.destroy();
      resolve(chunk.toString().split('\r\n')[0] ?? '');
    });
    socket.once('error', reject);
  });
}

test('a page in a browser cannot reach the API, neither across origins nor by another name', async () => {
  const { engine } = await engineFor();
  const port = Number(new URL(engine.url).port);
  const crossed = await fetch(`${engine.url}/v2/apps`, { headers: { origin: 'http://evil.test' } });
  expect(crossed.status).toBe(403);
  const line = await requestText(port, 'GET /v2/apps HTTP/1.1\r\nHost: evil.test\r\n\r\n');
  expect(line).toBe('HTTP/1.1 403 Forbidden');
});

test('groups, info, leader and ping can be read', async () => {
  const { call, engine } = await engineFor();
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/a/b/c', instances: 0 });
  await settled(call);
  expect((await call('GET', '/v2/groups')).body).toMatchObject({
    id: '/',
    apps: [],
    groups: [{ id: '/a', apps: [], groups: [{ id: '/a/b', apps: [{ id: '/a/b/c' }] }] }],
  });
  expect((await call('GET', '/v2/groups/z')).body).toEqual({
    message: "Group '/z' does not exist",
  });
  expect((await call('GET', '/v2/apps/a/*')).body).toMatchObject({ '*': [{ id: '/a/b/c' }] });
  expect((await call('GET', '/v2/info')).body).toMatchObject({
    name: 'marathon',
    version: '1.11.24',
  });
  expect((await call('GET', '/v2/leader')).body).toEqual({ leader: new URL(engine.url).host });
  expect((await call('GET', '/ping')).body).toBe('pong');
});

test('apps, their versions and their ports survive a restart of the engine', async () => {
  const first = await engineFor();
  await first.call('POST', '/v2/apps', { ...SLEEPER, id: '/x' });
  await settled(first.call);
  await first.call('PUT', '/v2/apps/x', { instances: 2 });
  await settled(first.call);
  const before = (await first.call('GET', '/v2/apps/x')).body.app;
  const versions = (await first.call('GET', '/v2/apps/x/versions')).body;
  await first.engine.close();
  const { call } = await engineFor({ stateDir: first.stateDir });
  await until('both tasks run again', async () => {
    return (await call('GET', '/v2/apps/x')).body.app.tasksRunning === 2;
  });
  const after = (await call('GET', '/v2/apps/x')).body.app;
  expect(after).toEqual({ ...before, tasks: after.tasks });
  expect((await call('GET', '/v2/apps/x/versions')).body).toEqual(versions);
});
