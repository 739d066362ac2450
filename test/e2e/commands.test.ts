import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Stage } from '../../reconciler/demo/stage.ts';
import { startTraffic } from '../../reconciler/demo/traffic.ts';
import type { Status } from '../../reconciler/model/status.ts';
import { blueprint, converge, openStage, seenOf, unitWhere } from '../bench/lab.ts';

// The real processes of one stage, as a user runs them; the tests follow each other on it.
let stage: Stage;
const ROLLOUT =
  'steps: [{weight: 10%, bake: 1s}, {weight: 100%, bake: 1s}]\ndeadline: 6s\ndrain: 1s\nwarm: 1s\nkeep: 1s';
const OLD = { version: '0.9', weight: 100, instances: 2 };
const MAIN = new URL('../../reconciler/main.ts', import.meta.url).pathname;

beforeAll(async () => {
  stage = await openStage('embedded');
});

afterAll(async () => {
  await stage.close();
});

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function sluice(...words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...words], (error, out, err) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

function configured(...words: readonly string[]): Promise<Outcome> {
  return sluice(...words, '--config', stage.configFile);
}

test('apply beside a live run watches it and ends with status 0 once all is as git asks', async () => {
  stage.writeText(blueprint([OLD], ROLLOUT));
  await stage.push('run 0.9');
  const applied = await configured('apply', '--timeout', '60s');
  expect({ status: applied.status, watched: applied.err.includes('watching it') }).toEqual({
    status: 0,
    watched: true,
  });
  expect(await configured('diff')).toEqual({
    status: 0,
    out: 'no difference: everything is as git asks\n',
    err: '',
  });
});

test('a second reconciler on one state directory is refused and changes nothing', async () => {
  const second = await configured('run');
  expect(second.status).toBe(2);
  expect(second.err).toMatch(/^sluice: second-reconciler: .*\(pid \d+/mu);
  const status = JSON.parse((await configured('status', '-o', 'json')).out) as Status;
  expect(status.units.map((unit) => unit.phase)).toEqual(['converged']);
});

test('kill -9 of the reconciler in the middle of a canary loses no request, and the next one goes on', async () => {
  const traffic = startTraffic({
    url: `http://127.0.0.1:${String(stage.gatewayPort)}/endpoint0`,
    perSecond: 50,
    longestMs: 60_000,
  });
  stage.writeText(blueprint([{ version: '1.0', weight: 100, instances: 2 }], ROLLOUT));
  await stage.push('everything to 1.0');
  await unitWhere(stage, (unit) => seenOf(unit, '1.0') === 10, 'the first step');
  await stage.endReconciler('SIGKILL');
  await stage.startReconciler();
  const unit = await unitWhere(
    stage,
    (one) => one.phase === 'converged' && one.versions.length === 1,
    'the end of the canary',
  );
  const tallies = await traffic.stop();
  expect({
    failed: tallies.reduce((sum, one) => sum + one.failed, 0),
    versions: unit.versions.map((one) => [one.service, one.ready]),
  }).toEqual({ failed: 0, versions: [['simpleservice:1.0', 2]] });
});

test('SIGTERM ends the reconciler within two seconds in the middle of a rollout', async () => {
  stage.writeText(
    blueprint(
      [
        { version: '1.0', weight: 90, instances: 2 },
        { version: '1.1', weight: 10, instances: 1 },
      ],
      ROLLOUT,
    ),
  );
  await stage.push('a tenth to 1.1');
  await unitWhere(stage, (unit) => unit.phase !== 'converged', 'the start');
  const took = await stage.endReconciler('SIGTERM');
  await stage.startReconciler();
  expect(took).toBeLessThan(2000);
  await unitWhere(stage, (unit) => unit.phase === 'converged', 'the target');
});

test('a faulty commit is shown with its place, and what runs goes on', async () => {
  const before = await configured('status', '-o', 'json');
  writeFileSync(join(stage.clone, 'simpleservice.yml'), 'name: simpleservice\nclusters: [\n');
  const revision = await stage.push('a slip');
  await unitWhere(stage, (unit) => unit.revision === revision, 'the faulty commit');
  const shown = await configured('status');
  const after = JSON.parse((await configured('status', '-o', 'json')).out) as Status;
  expect({
    status: shown.status,
    faulty: after.source.faulty,
    codes: after.source.diagnostics.map((one) => one.code),
    same: versionsOf(after),
  }).toEqual({
    status: 1,
    faulty: ['simpleservice.yml'],
    codes: ['yaml-parsing'],
    same: versionsOf(JSON.parse(before.out) as Status),
  });
});

function versionsOf(status: Status): unknown {
  return status.units.flatMap((unit) =>
    unit.versions.map((one) => [one.service, one.wanted, one.ready]),
  );
}

test('history tells what was done and why', async () => {
  await converge(
    stage,
    blueprint([{ version: '1.0', weight: 100, instances: 2 }], ROLLOUT),
    'back',
  );
  const told = await configured('history', '-n', '500');
  expect(told.status).toBe(0);
  for (const sentence of [
    /create-app \/sluice\/simpleservice\/simpleservice\/simpleservice-0\.9-[0-9a-f]{8}/u,
    /apply-split port \d+ .*next step: .*simpleservice:1\.0@[0-9a-f]{8} 10 %/u,
    /delete-app \/sluice\/simpleservice\/simpleservice\/simpleservice-0\.9-/u,
  ]) {
    expect(told.out).toMatch(sentence);
  }
});

test('unknown words, keys and files are errors of status 2 that say what to do', async () => {
  const file = join(stage.folder, 'wrong.yml');
  writeFileSync(file, 'source: {url: /nowhere}\nmarathn: {urls: [http://127.0.0.1:1]}\n');
  const wrong = await sluice('status', '--config', file);
  expect({ status: wrong.status, hint: wrong.err.includes('did you mean `marathon`?') }).toEqual({
    status: 2,
    hint: true,
  });
  const missing = await sluice('status', '--config', '/nowhere/sluice.yml');
  expect(missing).toEqual({
    status: 2,
    out: '',
    err: 'sluice: config-missing: /nowhere/sluice.yml cannot be read: write it, or name another with --config\n',
  });
});
