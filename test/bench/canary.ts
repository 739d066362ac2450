import { setTimeout as sleep } from 'node:timers/promises';

import type { Stage } from '../../reconciler/demo/stage.ts';
import type { Tally } from '../../reconciler/demo/traffic.ts';
import { startTraffic } from '../../reconciler/demo/traffic.ts';
import type { Mark } from './lab.ts';
import { agentOf, blueprint, converge, mark, openStage, seenOf, unitWhere, urlOf } from './lab.ts';

const PER_SECOND = 240;
const REQUESTS = 20_000;
const ROLLOUT = [
  'steps: [{weight: 1%, bake: 10s}, {weight: 5%, bake: 10s}, {weight: 20%, bake: 10s}, {weight: 50%, bake: 10s}, {weight: 100%, bake: 10s}]',
  'drain: 10s',
  'warm: 5s',
  'keep: 5s',
].join('\n');
const OLD = { version: '0.9', weight: 100, instances: 3 };
const NEW = { version: '1.0', weight: 100, instances: 3 };

export type Disturbance = 'none' | 'kill' | 'down';

/**
 * A whole canary from 0 to 100 % and the retirement of the old version under load: nothing fails,
 * also when the reconciler is killed on the way, or is down for a minute while tasks are killed and
 * come back on other ports.
 */
export async function canary(disturbance: Disturbance): Promise<readonly Mark[]> {
  const stage = await openStage('haproxy');
  try {
    await converge(stage, blueprint([OLD], ROLLOUT), 'run 0.9');
    const before = (await agentOf(stage)).reloads ?? 0;
    const started = performance.now();
    const traffic = startTraffic({
      url: urlOf(stage),
      perSecond: PER_SECOND,
      longestMs: 15 * 60_000,
    });
    const notes: Mark[] = [];
    try {
      stage.writeText(blueprint([NEW], ROLLOUT));
      const revision = await stage.push('everything to 1.0');
      await unitWhere(stage, (unit) => seenOf(unit, '1.0') >= 5, 'the second step');
      notes.push(...(await disturb(stage, disturbance)));
      await unitWhere(
        stage,
        (unit) =>
          unit.revision === revision &&
          unit.phase === 'converged' &&
          unit.versions.every((one) => one.service !== 'simpleservice:0.9'),
        'the retirement of 0.9',
        300_000,
      );
      await fill(() => traffic.tallies());
    } finally {
      const seconds = (performance.now() - started) / 1000;
      notes.push(...tell(disturbance, await traffic.stop(), seconds));
    }
    const reloads = ((await agentOf(stage)).reloads ?? 0) - before;
    return [
      ...notes,
      mark(`canary, ${disturbance}: reloads of HAProxy on the way`, reloads, 'stated', true),
    ];
  } finally {
    await stage.close();
  }
}

/** Goes on until enough requests were sent for the mark. */
async function fill(tallies: () => readonly Tally[]): Promise<void> {
  while (tallies().reduce((sum, one) => sum + one.sent, 0) < REQUESTS) await sleep(200);
}

function tell(
  disturbance: Disturbance,
  tallies: readonly Tally[],
  seconds: number,
): readonly Mark[] {
  const sent = tallies.reduce((sum, one) => sum + one.sent, 0);
  const failed = tallies.reduce((sum, one) => sum + one.failed, 0);
  const rate = sent / seconds;
  const causes = tallies.flatMap((one) => Object.entries(one.causes));
  const told = causes.map(([cause, count]) => `${cause} x ${String(count)}`).join(', ');
  return [
    mark(
      `canary, ${disturbance}: requests`,
      sent,
      `at least ${String(REQUESTS)}`,
      sent >= REQUESTS,
    ),
    mark(`canary, ${disturbance}: requests a second`, rate.toFixed(0), 'at least 200', rate >= 200),
    mark(
      `canary, ${disturbance}: failed, silent closes included`,
      `${String(failed)} ${told}`,
      '0',
      failed === 0,
    ),
  ];
}

async function disturb(stage: Stage, disturbance: Disturbance): Promise<readonly Mark[]> {
  if (disturbance === 'none') return [];
  if (disturbance === 'kill') {
    await stage.endReconciler('SIGKILL');
    await stage.startReconciler();
    return [];
  }
  const took = await stage.endReconciler('SIGTERM');
  const moved = await killTasks(stage);
  await sleep(60_000);
  await stage.startReconciler();
  return [
    mark(
      'SIGTERM ends the reconciler in the middle of a rollout',
      `${took.toFixed(0)} ms`,
      'under 2000 ms',
      took < 2000,
    ),
    mark(
      'tasks killed while it was down, back on other ports',
      `${String(moved.killed)}, ${String(moved.back)} back`,
      'all back',
      moved.back === moved.killed,
    ),
  ];
}

interface TaskRow {
  readonly id: string;
  readonly appId: string;
  readonly ports: readonly number[];
}

/** Kills one task of every app through the API, one after the other, and counts who came back. */
async function killTasks(stage: Stage): Promise<{ killed: number; back: number }> {
  const before = await tasksOf(stage);
  const apps = [...new Set(before.map((task) => task.appId))];
  for (const app of apps) {
    const victim = before.find((task) => task.appId === app);
    if (victim === undefined) continue;
    await fetch(`${stage.marathonUrl}/v2/tasks/delete`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ids: [victim.id] }),
    });
    await sleep(5000);
  }
  const after = await tasksOf(stage);
  const known = new Set(before.map((task) => task.id));
  return { killed: apps.length, back: after.filter((task) => !known.has(task.id)).length };
}

async function tasksOf(stage: Stage): Promise<readonly TaskRow[]> {
  const answer = await fetch(`${stage.marathonUrl}/v2/tasks`, {
    headers: { accept: 'application/json' },
  });
  // The engine under test is ours: its shape is checked by its own suites.
  const body = JSON.parse(await answer.text()) as { tasks: TaskRow[] };
  return body.tasks;
}
