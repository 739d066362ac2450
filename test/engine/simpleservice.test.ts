import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from './running-engine.ts';

const SERVICE = fileURLToPath(new URL('../../reconciler/engine/simpleservice.ts', import.meta.url));

async function service(
  env: Readonly<Record<string, string>>,
): Promise<{ url: string; child: ChildProcess }> {
  const port = await freePort();
  const child = spawn(process.execPath, [SERVICE], {
    env: { ...env, PORT0: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return { url: `http://127.0.0.1:${port}`, child };
}

async function get(url: string): Promise<readonly [number, unknown]> {
  const answer = await fetch(url);
  return [answer.status, await answer.json()];
}

test('it answers like the original', async () => {
  const { url } = await service({ SIMPLE_SERVICE_VERSION: '1.0' });
  const { host } = new URL(url);
  expect(await get(`${url}/endpoint0`)).toEqual([
    200,
    { host, version: '1.0', result: 'all is well' },
  ]);
  expect(await get(`${url}/health`)).toEqual([200, { healthy: true }]);
  expect(await get(`${url}/info`)).toEqual([200, { version: '1.0', host, from: '127.0.0.1' }]);
  expect(await get(`${url}/env`)).toMatchObject([
    200,
    { version: '1.0', env: { SIMPLE_SERVICE_VERSION: '1.0' } },
  ]);
  expect((await get(`${url}/nope`))[0]).toBe(404);
});

test('its knobs turn while it runs, all of a request or none', async () => {
  const { url } = await service({ LATENCY_MS: '1' });
  const put = async (body: string): Promise<number> =>
    (await fetch(`${url}/knobs`, { method: 'PUT', body })).status;
  expect(await put('{"ERROR_RATE": 1, "HEALTHY": false}')).toBe(200);
  expect(await put('{"ERROR_RATE": 0, "NOPE": 1}')).toBe(400);
  expect(await put('{"ERROR_RATE": "0"}')).toBe(400);
  expect(await put('nonsense')).toBe(400);
  expect(await get(`${url}/knobs`)).toEqual([
    200,
    {
      ERROR_RATE: 1,
      LATENCY_MS: 1,
      HEALTH_MIN: 0,
      HEALTH_MAX: 0,
      HEALTHY: false,
      FAIL_AFTER_MS: 0,
    },
  ]);
  expect([(await get(`${url}/endpoint0`))[0], (await get(`${url}/health`))[0]]).toEqual([500, 500]);
});

test('on SIGTERM it serves on for its drain time, finishes what is in flight, and exits with 0', async () => {
  const { url, child } = await service({ DRAIN_MS: '300', LATENCY_MS: '600' });
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = fetch(`${url}/endpoint0`);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect((await late).status).toBe(200);
  expect(await exited).toEqual([0, null]);
});

test('it fails when it was told to', async () => {
  const { child } = await service({ FAIL_AFTER_MS: '50' });
  expect(await once(child, 'exit')).toEqual([1, null]);
});
