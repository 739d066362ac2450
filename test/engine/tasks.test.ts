import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TaskBody } from './running-engine.ts';
import {
  SIMPLE,
  SLEEPER,
  engineFor,
  freePort,
  settled,
  tasksOf,
  temporaryFolder,
  until,
} from './running-engine.ts';

const INSTANCE = /^a_b\.instance-[0-9a-f-]{36}\._app\.1$/;

test('a task runs in its sandbox with the environment that Marathon gives', async () => {
  const { call, stateDir } = await engineFor();
  await call('POST', '/v2/apps', {
    id: '/a/b',
    cmd: 'env; echo wrong >&2; exec sleep 1000',
    cpus: 0.5,
    mem: 64,
    env: { GREETING: 'hello', PORT1: 'mine', SLUICE_ENGINE: 'nobody' },
    labels: { 'my-team': 'red' },
    portDefinitions: [{ port: 0, name: 'http' }, { port: 0 }],
  });
  await settled(call);
  const [task] = await tasksOf(call, '/a/b');
  const { app } = (await call('GET', '/v2/apps/a/b')).body;
  const sandbox = join(stateDir, 'sandbox', task?.id ?? '');
  await until('it has printed', () => readFileSync(join(sandbox, 'stderr'), 'utf8') === 'wrong\n');
  const lines = readFileSync(join(sandbox, 'stdout'), 'utf8').trim().split('\n');
  const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  const [http, other] = (task?.ports ?? []).map(String);
  const [first, second] = app.portDefinitions.map((each) => each.port);
  expect(env).toMatchObject({
    PORT: http,
    PORT0: http,
    PORT_HTTP: http,
    [`PORT_${first}`]: http,
    [`PORT_${second}`]: other,
    PORT1: 'mine',
    PORTS: `${http},${other}`,
    HOST: '127.0.0.1',
    GREETING: 'hello',
    MARATHON_APP_ID: '/a/b',
    MARATHON_APP_VERSION: app.version,
    MARATHON_APP_RESOURCE_CPUS: '0.5',
    MARATHON_APP_RESOURCE_MEM: '64',
    MARATHON_APP_LABELS: 'MY_TEAM',
    MARATHON_APP_LABEL_MY_TEAM: 'red',
    MESOS_TASK_ID: task?.id,
    MESOS_SANDBOX: sandbox,
    PWD: sandbox,
  });
  expect(env['SLUICE_ENGINE']).not.toBe('nobody');
  expect(task).toEqual({
    appId: '/a/b',
    id: expect.stringMatching(INSTANCE),
    host: '127.0.0.1',
    ports: [Number(http), Number(other)],
    servicePorts: [first, second],
    slaveId: expect.any(String),
    state: 'TASK_RUNNING',
    stagedAt: expect.any(String),
    startedAt: expect.any(String),
    version: app.version,
    ipAddresses: [{ ipAddress: '127.0.0.1', protocol: 'IPv4' }],
    localVolumes: [],
  });
});

test('a mapped image of the older form serves on the host port of its mapping', async () => {
  const { call } = await engineFor();
  const docker = {
    image: 'mhausenblas/simpleservice:0.5.0',
    network: 'BRIDGE',
    portMappings: [{ containerPort: 9876, name: 'api' }],
  };
  const env = { SIMPLE_SERVICE_VERSION: '1.1' };
  const healthChecks = [{ path: '/health', intervalSeconds: 1 }];
  await call('POST', '/v2/apps', { ...SIMPLE, id: '/x', container: { docker }, env, healthChecks });
  await settled(call);
  const [task] = await tasksOf(call, '/x');
  const url = `http://127.0.0.1:${task?.ports[0]}`;
  expect(await (await fetch(`${url}/endpoint0`)).json()).toEqual({
    host: `127.0.0.1:${task?.ports[0]}`,
    version: '1.1',
    result: 'all is well',
  });
});

test('a task serves while it is killed, shows TASK_KILLING, and is gone after its grace', async () => {
  const { call } = await engineFor();
  const healthChecks = [{ path: '/health', intervalSeconds: 1 }];
  const env = { DRAIN_MS: '1000' };
  await call('POST', '/v2/apps', { ...SIMPLE, id: '/x', env, healthChecks });
  await settled(call);
  const [task] = await tasksOf(call, '/x');
  const killed = await call('POST', '/v2/tasks/delete?scale=true', { ids: [task?.id] });
  expect(killed.status).toBe(200);
  await until('it is being killed', async () => {
    return (await tasksOf(call, '/x'))[0]?.state === 'TASK_KILLING';
  });
  // Between the signal and its handler the answer still offers to keep the connection.
  await until('it answers and asks for no further request', async () => {
    const answer = await fetch(`http://127.0.0.1:${task?.ports[0]}/endpoint0`);
    expect(answer.status).toBe(200);
    return answer.headers.get('connection') === 'close';
  });
  await settled(call);
  expect(await tasksOf(call, '/x')).toEqual([]);
});

test('a task that ignores SIGTERM gets SIGKILL when its grace is over', async () => {
  const { call } = await engineFor();
  const marker = join(temporaryFolder(), 'deaf');
  const cmd = `trap '' TERM; touch ${marker}; while :; do sleep 0.1; done`;
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x', cmd, taskKillGracePeriodSeconds: 1 });
  await settled(call);
  // Until the shell has come to its trap, SIGTERM still ends it.
  await until('it ignores SIGTERM', () => existsSync(marker));
  const begin = Date.now();
  await call('DELETE', '/v2/apps/x');
  await settled(call);
  const took = Date.now() - begin;
  expect([took >= 950, took < 3000]).toEqual([true, true]);
});

test('of three tasks exactly the two that were named are scaled away', async () => {
  const { call } = await engineFor();
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x', instances: 3 });
  await settled(call);
  const [first, second, third] = await tasksOf(call, '/x');
  const ids = [first?.id, third?.id];
  const both = await call('POST', '/v2/tasks/delete?scale=true&wipe=true', { ids });
  expect(both.status).toBe(400);
  const answer = await call('POST', '/v2/tasks/delete?scale=true', { ids });
  expect(answer.body).toEqual({ version: expect.any(String), deploymentId: expect.any(String) });
  await settled(call);
  expect((await tasksOf(call, '/x')).map((task) => task.id)).toEqual([second?.id]);
  expect((await call('GET', '/v2/apps/x')).body.app.instances).toBe(1);
});

test('a task killed without scale is replaced by the next incarnation of its instance', async () => {
  const { call } = await engineFor();
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x' });
  await settled(call);
  const [old] = await tasksOf(call, '/x');
  const answer = await call('POST', '/v2/tasks/delete', { ids: [old?.id] });
  expect(answer.body.tasks.map((task: TaskBody) => task.id)).toEqual([old?.id]);
  await until('another runs', async () => {
    const tasks = await tasksOf(call, '/x');
    return tasks.length === 1 && tasks[0]?.id !== old?.id && tasks[0]?.state === 'TASK_RUNNING';
  });
});

test('a command that the system refuses ends as TASK_ERROR and leaves the engine well', async () => {
  const { call } = await engineFor();
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x', cmd: 'echo \0' });
  await until('the failure is told', async () => {
    return (await call('GET', '/v2/apps/x')).body.app.lastTaskFailure?.state === 'TASK_ERROR';
  });
  expect((await call('GET', '/ping')).status).toBe(200);
});

test('two engines side by side never give one port to two tasks', async () => {
  const [one, two] = [await engineFor(), await engineFor()];
  const app = { ...SLEEPER, id: '/x', instances: 15, ports: [0, 0] };
  await Promise.all([one.call('POST', '/v2/apps', app), two.call('POST', '/v2/apps', app)]);
  await Promise.all([settled(one.call), settled(two.call)]);
  const tasks = [...(await tasksOf(one.call, '/x')), ...(await tasksOf(two.call, '/x'))];
  const ports = tasks.flatMap((task) => task.ports);
  expect([ports.length, new Set(ports).size]).toEqual([60, 60]);
});

test('a port that an app insists on is waited for, and the queue says why', async () => {
  const { call } = await engineFor();
  const port = await freePort();
  const app = { ...SLEEPER, ports: [port], requirePorts: true };
  await call('POST', '/v2/apps', { ...app, id: '/one' });
  await settled(call);
  await call('POST', '/v2/apps', { ...app, id: '/two' });
  await until('the port is missed', async () => {
    const [entry] = (await call('GET', '/v2/queue')).body.queue;
    const [reject] = entry?.processedOffersSummary.rejectSummaryLastOffers ?? [];
    return reject?.reason === 'InsufficientPorts';
  });
  await call('DELETE', '/v2/apps/one');
  await settled(call);
  expect((await tasksOf(call, '/two')).map((task) => task.ports)).toEqual([[port]]);
});
