import { setTimeout as sleep } from 'node:timers/promises';

import { startTraffic } from '../../reconciler/demo/traffic.ts';
import type { Mark } from './lab.ts';
import { agentOf, blueprint, converge, mark, openStage, seenOf, unitWhere, urlOf } from './lab.ts';

const PER_SECOND = 200;
// Checks are slow to come back, so that the time without health is long enough to be seen.
const ROLLOUT = [
  'steps: [{weight: 5%, bake: 4s}, {weight: 50%, bake: 4s}, {weight: 100%, bake: 4s}]',
  'drain: 3s',
  'warm: 3s',
  'keep: 3s',
].join('\n');

interface Look {
  readonly at: number;
  readonly seen: number;
  readonly known: boolean;
  readonly up: number;
}

/** `DELETE /v2/leader` while a canary stands at 5 %: Marathon forgets all health (law 16). */
export async function leader(): Promise<readonly Mark[]> {
  const stage = await openStage('haproxy');
  try {
    const slow = (text: string): string => text.replaceAll('interval: 1s', 'interval: 5s');
    const old = { version: '0.9', weight: 100, instances: 3 };
    await converge(stage, slow(blueprint([old], ROLLOUT)), 'run 0.9');
    const traffic = startTraffic({ url: urlOf(stage), perSecond: PER_SECOND, longestMs: 300_000 });
    stage.writeText(slow(blueprint([{ version: '1.0', weight: 100, instances: 3 }], ROLLOUT)));
    await stage.push('everything to 1.0');
    await unitWhere(stage, (unit) => seenOf(unit, '1.0') === 5, 'the first step');
    const full = await look(stage);
    await fetch(`${stage.marathonUrl}/v2/leader`, { method: 'DELETE' });
    const looks: Look[] = [];
    const started = performance.now();
    while (performance.now() - started < 12_000) {
      looks.push(await look(stage));
      await sleep(100);
    }
    await unitWhere(stage, (unit) => seenOf(unit, '1.0') === 100, 'all of the traffic');
    const tallies = await traffic.stop();
    const failed = tallies.reduce((sum, one) => sum + one.failed, 0);
    const sent = tallies.reduce((sum, one) => sum + one.sent, 0);
    const blind = looks.filter((one) => !one.known);
    const raised = blind.filter((one) => one.seen > 5);
    const fewest = Math.min(...looks.map((one) => one.up));
    return [
      mark('leader: requests failed', `${String(failed)} of ${String(sent)}`, '0', failed === 0),
      mark('leader: looks while health was unknown', blind.length, 'above 0', blind.length > 0),
      mark('leader: weights above 5 % seen in these', raised.length, '0', raised.length === 0),
      mark(
        'leader: servers in rotation, fewest',
        `${String(fewest)} of ${String(full.up)}`,
        'all',
        fewest >= full.up,
      ),
    ];
  } finally {
    await stage.close();
  }
}

async function look(stage: Awaited<ReturnType<typeof openStage>>): Promise<Look> {
  const view = (await agentOf(stage)).gateways[0];
  const servers = (view?.versions ?? []).flatMap((version) => version.servers);
  const candidate = view?.split.versions.find((one) => one.name.startsWith('simpleservice:1.0@'));
  return {
    at: performance.now(),
    seen: (view?.weights[candidate?.id ?? ''] ?? 0) / 100,
    known: await knowsHealth(stage.marathonUrl),
    up: servers.filter((server) => server.state === 'up').length,
  };
}

/** True once Marathon has a result for every running task again. */
async function knowsHealth(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/v2/apps?embed=apps.counts`);
  // The engine under test is ours: its shape is checked by its own suites.
  const { apps } = JSON.parse(await answer.text()) as { apps: Counts[] };
  return apps.every((app) => app.tasksHealthy + app.tasksUnhealthy >= app.tasksRunning);
}

interface Counts {
  readonly tasksRunning: number;
  readonly tasksHealthy: number;
  readonly tasksUnhealthy: number;
}
