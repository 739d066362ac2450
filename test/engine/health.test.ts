import { expect, test } from 'vitest';
import type { Call, TaskBody } from './running-engine.ts';
import {
  SIMPLE,
  SLEEPER,
  engineFor,
  fastClock,
  settled,
  tasksOf,
  until,
} from './running-engine.ts';

const CHECK = { path: '/health', intervalSeconds: 2, timeoutSeconds: 2, gracePeriodSeconds: 0 };

async function resultOf(
  call: Call,
  appId: string,
): Promise<NonNullable<TaskBody['healthCheckResults']>[number] | undefined> {
  return (await tasksOf(call, appId))[0]?.healthCheckResults?.[0];
}

async function setKnobs(call: Call, appId: string, knobs: object): Promise<void> {
  const [task] = await tasksOf(call, appId);
  // A task counts as running before its process listens.
  await until('the knobs are taken', () =>
    fetch(`http://127.0.0.1:${task?.ports[0]}/knobs`, {
      method: 'PUT',
      body: JSON.stringify(knobs),
    }).then(
      (answer) => answer.status === 200,
      () => false,
    ),
  );
}

test('health is unknown until the first tick, then good; a change of leader forgets it', async () => {
  const { call } = await engineFor({ clock: fastClock(2) });
  await call('POST', '/v2/apps', { ...SIMPLE, id: '/x', healthChecks: [CHECK] });
  await until('it runs', async () => (await tasksOf(call, '/x')).length === 1);
  const { tasksRunning, tasksHealthy, tasksUnhealthy } = (await call('GET', '/v2/apps/x')).body.app;
  expect({ tasksRunning, tasksHealthy, tasksUnhealthy }).toEqual({
    tasksRunning: 1,
    tasksHealthy: 0,
    tasksUnhealthy: 0,
  });
  await settled(call);
  expect(await resultOf(call, '/x')).toMatchObject({ alive: true, consecutiveFailures: 0 });
  expect((await call('DELETE', '/v2/leader')).body).toEqual({ message: 'Leadership abdicated' });
  await until('it is forgotten', async () => (await resultOf(call, '/x')) === undefined);
  expect((await call('GET', '/v2/apps/x')).body.app).toMatchObject({
    tasksRunning: 1,
    tasksHealthy: 0,
    tasksUnhealthy: 0,
  });
  await until('it is known again', async () => (await resultOf(call, '/x'))?.alive === true);
});

test('the failure after maxConsecutiveFailures kills, and the task is replaced', async () => {
  const { call } = await engineFor({ clock: fastClock(10) });
  const healthChecks = [{ ...CHECK, maxConsecutiveFailures: 2 }];
  await call('POST', '/v2/apps', { ...SIMPLE, id: '/x', healthChecks });
  await settled(call);
  const [old] = await tasksOf(call, '/x');
  const seen = new Set<number>();
  await setKnobs(call, '/x', { HEALTHY: false });
  await until('it is killed', async () => {
    const now = (await tasksOf(call, '/x')).find((task) => task.id === old?.id);
    const result = now?.healthCheckResults?.[0];
    if (now?.state === 'TASK_RUNNING' && result?.alive === false)
      seen.add(result.consecutiveFailures);
    return now === undefined;
  });
  // The count that can be seen while the task lives ends at the limit: the next failure kills.
  expect([...seen]).toEqual([1, 2]);
  await until('another is healthy', async () => (await resultOf(call, '/x'))?.alive === true);
});

test('a failure within the grace period makes unhealthy, but counts nothing and kills nobody', async () => {
  const { call } = await engineFor({ clock: fastClock(10) });
  const healthChecks = [{ ...CHECK, gracePeriodSeconds: 300, maxConsecutiveFailures: 1 }];
  const env = { ...SIMPLE.env, HEALTHY: 'false' };
  await call('POST', '/v2/apps', { ...SIMPLE, id: '/x', env, healthChecks });
  await until('it has a result', async () => (await resultOf(call, '/x')) !== undefined);
  expect(await resultOf(call, '/x')).toEqual({
    alive: false,
    consecutiveFailures: 0,
    instanceId: expect.any(String),
  });
  expect((await call('GET', '/v2/apps/x')).body.app).toMatchObject({
    tasksRunning: 1,
    tasksHealthy: 0,
    tasksUnhealthy: 1,
  });
  await setKnobs(call, '/x', { HEALTHY: true });
  await settled(call);
  await setKnobs(call, '/x', { HEALTHY: false });
  // After the first success the grace protects no more.
  await until(
    'failures count',
    async () => ((await resultOf(call, '/x'))?.consecutiveFailures ?? 0) > 0,
  );
});

test.each([{ protocol: 'TCP' }, { protocol: 'COMMAND', command: { value: 'test -n "$PORT0"' } }])(
  'a $protocol check is asked as well',
  async (check) => {
    const { call } = await engineFor({ clock: fastClock(10) });
    const { path: _path, ...times } = CHECK;
    await call('POST', '/v2/apps', { ...SIMPLE, id: '/x', healthChecks: [{ ...times, ...check }] });
    await settled(call);
    expect(await resultOf(call, '/x')).toMatchObject({ alive: true });
  },
);

test('a readiness check holds a deployment, shows in it, and vanishes with it', async () => {
  const { call } = await engineFor({ clock: fastClock(10) });
  const readinessChecks = [
    { portName: 'default', path: '/health', intervalSeconds: 2, timeoutSeconds: 1 },
  ];
  const env = { ...SIMPLE.env, HEALTHY: 'false' };
  await call('POST', '/v2/apps', { ...SIMPLE, id: '/x', env, readinessChecks });
  const results = async (): Promise<unknown> =>
    (await call('GET', '/v2/apps/x?embed=app.readiness')).body.app['readinessCheckResults'];
  await until('it was asked', async () =>
    JSON.stringify(await results()).includes('"ready":false'),
  );
  expect(await results()).toEqual([
    { name: 'readinessCheck', taskId: (await tasksOf(call, '/x'))[0]?.id, ready: false },
  ]);
  await until('it listens', async () => {
    const [task] = await tasksOf(call, '/x');
    return fetch(`http://127.0.0.1:${task?.ports[0]}/knobs`).then(
      () => true,
      () => false,
    );
  });
  await setKnobs(call, '/x', { HEALTHY: true });
  await settled(call);
  expect(await results()).toEqual([]);
});

test('what fails waits longer each time, the queue shows it, and the delay can be cleared', async () => {
  const { call } = await engineFor({ clock: fastClock(10) });
  const app = { ...SLEEPER, id: '/x', cmd: 'exit 3', backoffSeconds: 5, backoffFactor: 60 };
  await call('POST', '/v2/apps', app);
  // 5 s, then 300 s: the second wait is the limit of what a delay may be.
  await until('it has failed twice', async () => {
    const [entry] = (await call('GET', '/v2/queue')).body.queue;
    return (entry?.delay.timeLeftSeconds ?? 0) > 100;
  });
  const [entry] = (await call('GET', '/v2/queue')).body.queue;
  expect(entry).toMatchObject({ count: 1, delay: { overdue: false }, app: { id: '/x' } });
  expect((await call('GET', '/v2/apps/x')).body.app.lastTaskFailure).toMatchObject({
    appId: '/x',
    state: 'TASK_FAILED',
    message: 'Command exited with status 3',
  });
  expect((await call('DELETE', '/v2/queue//x/delay')).status).toBe(204);
  await until('it has failed again, from a delay that began anew', async () => {
    const [now] = (await call('GET', '/v2/queue')).body.queue;
    return (now?.delay.timeLeftSeconds ?? 999) <= 5;
  });
  expect((await call('DELETE', '/v2/queue/nope/delay')).status).toBe(404);
});

test('tasks beyond the resources wait in the queue with the reason', async () => {
  const { call } = await engineFor({ resources: { cpus: 0.2 } });
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x', instances: 3 });
  await until('two run and one waits', async () => {
    const [entry] = (await call('GET', '/v2/queue')).body.queue;
    return entry?.count === 1 && (await tasksOf(call, '/x')).length === 2;
  });
  const [entry] = (await call('GET', '/v2/queue')).body.queue;
  expect(entry).toMatchObject({
    delay: { timeLeftSeconds: 0, overdue: true },
    processedOffersSummary: { rejectSummaryLastOffers: [{ reason: 'InsufficientCpus' }] },
  });
});
