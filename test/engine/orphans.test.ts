import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { startEngine } from '../../reconciler/engine/engine.ts';
import type { Call } from './running-engine.ts';
import { SLEEPER, caller, engineFor, pidsWith, temporaryFolder, until } from './running-engine.ts';

const CHILD = fileURLToPath(new URL('./engine-child.ts', import.meta.url));

async function engineProcess(stateDir: string): Promise<{ child: ChildProcess; call: Call }> {
  const child = spawn(process.execPath, [CHILD, stateDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  return { child, call: caller(String(line).trim()) };
}

/** Apps that hold on to life in different ways, each marked by the word. */
function stubbornApps(word: string): readonly { readonly id: string }[] {
  const env = { WORD: word };
  const base = { ...SLEEPER, env };
  return [
    { ...base, id: '/plain' },
    { ...base, id: '/deaf', cmd: `trap '' TERM; while :; do sleep 1; done` },
    { ...base, id: '/away', cmd: 'setsid sleep 1000 & exec sleep 1000' },
    { ...base, id: '/twice', cmd: '(setsid sh -c "(sleep 1000 &)" &); exec sleep 1000' },
    {
      ...base,
      id: '/bare',
      cmd: `setsid env -i sh -c ': ${word}; sleep 1000; :' & exec sleep 1000`,
    },
    {
      ...base,
      id: '/grouped',
      cmd: `cd /; env -i sh -c ': ${word}; sleep 1000; :' & exec sleep 1000`,
    },
  ];
}

async function runStubborn(call: Call, word: string): Promise<void> {
  for (const app of stubbornApps(word)) {
    expect((await call('POST', '/v2/apps', app)).status).toBe(201);
  }
  await until('all of them run', () => pidsWith(word).length >= 10);
}

test('five seconds after kill -9 of the engine no process of a task is left', async () => {
  const word = `word-${randomUUID()}`;
  const { child, call } = await engineProcess(temporaryFolder());
  await runStubborn(call, word);
  child.kill('SIGKILL');
  expect(await until('all tasks are gone', () => pidsWith(word).length === 0, 5000)).toBe(true);
});

test('an engine that starts while the tasks of a killed one still run ends them and begins anew', async () => {
  const word = `word-${randomUUID()}`;
  const stateDir = temporaryFolder();
  const first = await engineProcess(stateDir);
  await runStubborn(first.call, word);
  const before = new Set(pidsWith(word));
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const { call } = await engineFor({ stateDir });
  expect(pidsWith(word).filter((pid) => before.has(pid))).toEqual([]);
  await until('the apps run again', () => pidsWith(word).length >= 10);
  const { body } = await call('GET', '/v2/apps');
  const ids = new Set(body.apps.map((app) => app.id));
  expect(ids).toEqual(new Set(stubbornApps(word).map((app) => app.id)));
  await until('each has its task', async () => {
    const tasks = (await call('GET', '/v2/tasks')).body.tasks;
    return tasks.length === 6 && tasks.every((task) => task.state === 'TASK_RUNNING');
  });
});

test('SIGTERM ends the engine and all of its tasks', async () => {
  const word = `word-${randomUUID()}`;
  const { child, call } = await engineProcess(temporaryFolder());
  await runStubborn(call, word);
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect({ code, left: pidsWith(word) }).toEqual({ code: 0, left: [] });
});

test('a process that left the group of its task goes when the task ends', async () => {
  const word = `word-${randomUUID()}`;
  const { call } = await engineFor();
  const app = { ...SLEEPER, id: '/away', cmd: 'setsid sleep 1000 & exec sleep 1000' };
  await call('POST', '/v2/apps', { ...app, env: { WORD: word } });
  await until('both run', () => pidsWith(word).length === 2);
  await call('DELETE', '/v2/apps/away');
  expect(await until('both are gone', () => pidsWith(word).length === 0, 5000)).toBe(true);
});

test('a second engine on the same state folder is refused', async () => {
  const { stateDir } = await engineFor();
  await expect(startEngine({ stateDir })).rejects.toMatchObject({
    code: 'engine-state-in-use',
    retry: 'never',
  });
});

test('a reaper that was killed is replaced, and the new one knows the tasks', async () => {
  const word = `word-${randomUUID()}`;
  const stateDir = temporaryFolder();
  const { child, call } = await engineProcess(stateDir);
  await runStubborn(call, word);
  const reapers = (): readonly number[] =>
    pidsWith(`${stateDir}/sandbox`).filter((pid) => pidsWith('reaper.sh').includes(pid));
  const [reaper] = reapers();
  process.kill(reaper!, 'SIGKILL');
  await until('there is another', () => reapers().length === 1 && reapers()[0] !== reaper);
  child.kill('SIGKILL');
  expect(await until('all tasks are gone', () => pidsWith(word).length === 0, 5000)).toBe(true);
});
