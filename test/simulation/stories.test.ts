import { describe, expect, test } from 'vitest';

import { vectorOf } from '../../reconciler/model/split.ts';
import type { Plot } from './blueprints.ts';
import { plotOf } from './blueprints.ts';
import { Simulation } from './simulation.ts';

/** A world without chance: nothing goes wrong but what the story says. */
async function world(plots: readonly Plot[]): Promise<Simulation> {
  const made = new Simulation(1);
  made.calm();
  await commit(made, plots, 'the first commit');
  // Not only where git wants it, but known to be stable.
  const isStable = (): boolean =>
    made.status?.units.every((one) => one.phase === 'converged') === true;
  await until(made, () => made.isConverged() && isStable());
  return made;
}

async function commit(made: Simulation, plots: readonly Plot[], text: string): Promise<void> {
  made.scenario.plots = plots;
  made.commit(text);
  await made.step();
}

async function until(made: Simulation, isSo: () => boolean, looks = 60): Promise<void> {
  for (let look = 0; look < looks && !isSo(); look += 1) await made.step();
  if (!isSo()) throw new Error(made.story.join('\n'));
}

function shares(made: Simulation, port: string): readonly number[] {
  const held = made.nodes[0]?.splits().find((one) => one.gateway === port);
  return Object.values(held ? vectorOf(held) : {}).filter((weight) => weight > 0);
}

function image(plot: Plot, name: string): Plot {
  return { ...plot, services: plot.services.map((one) => ({ ...one, image: name })) };
}

const SHOP = plotOf('shop', 9000);
const PAY = plotOf('pay', 9010);

describe('given a converged world', () => {
  test('a new image under the same breed walks step by step, and the old app goes', async () => {
    const made = await world([SHOP]);
    const seen = new Set<string>();
    await commit(made, [image(SHOP, 'good-2')], 'a new image');
    await until(made, () => {
      seen.add(shares(made, '9000').join('/'));
      return made.isConverged();
    });
    expect([...seen]).toEqual(['10000', '9000/1000', '5000/5000']);
    expect(made.platform.ours()).toHaveLength(1);
  });

  test('a port is handed over when its blueprint is renamed', async () => {
    const made = await world([SHOP]);
    await commit(made, [{ ...SHOP, name: 'market' }], 'renamed');
    await until(made, () => made.isConverged());
    expect(made.platform.ours().map((app) => app.deployment)).toEqual(['market']);
    expect(shares(made, '9000')).toEqual([10_000]);
  });

  test('back to stable without Marathon and without the journal (law 17)', async () => {
    const made = await world([SHOP]);
    await commit(made, [image(SHOP, 'good-2')], 'a new image');
    await until(made, () => shares(made, '9000').includes(1000));
    made.platform.down = true;
    made.journal.failWrites = true;
    await commit(made, [SHOP], 'reverted');
    await until(made, () => shares(made, '9000').join() === '10000', 3);
    expect(made.platform.down && made.journal.failWrites).toBe(true);
  });

  test('nothing rises while the journal cannot be written', async () => {
    const made = await world([SHOP]);
    await commit(made, [image(SHOP, 'good-2')], 'a new image');
    await until(made, () => shares(made, '9000').includes(1000));
    made.journal.failWrites = true;
    for (let look = 0; look < 10; look += 1) await made.step();
    expect(shares(made, '9000')).toEqual([9000, 1000]);
    made.journal.failWrites = false;
    await until(made, () => made.isConverged());
  });

  test('an app of our id that is not ours holds its unit, and no other (laws 8 and 15)', async () => {
    const made = await world([SHOP, PAY]);
    const next = [image(SHOP, 'good-2'), image(PAY, 'good-2')];
    made.scenario.plots = next;
    made.commit('two new images');
    const wanted = made.compiled().desired.deployments[0]?.versions[0]?.appId ?? '';
    made.platform.addForeign(wanted, { cmd: 'theirs' }, 1);
    await until(
      made,
      () => made.status?.units.some((one) => one.reason === 'identity-lost') === true,
    );
    await until(made, () => shares(made, '9010').length === 1 && made.looks > 20);
    expect(made.platform.apps.get(wanted)?.definition).toEqual({ cmd: 'theirs' });
    expect(shares(made, '9000')).toEqual([10_000]);
    expect(made.status?.units.map((one) => one.phase).sort()).toEqual(['converged', 'held']);
  });

  test('more than the budget leaves git: it waits whole until a person agrees (law 11)', async () => {
    const plots = [SHOP, PAY, plotOf('news', 9020)];
    const made = await world(plots);
    await commit(made, [], 'everything is removed');
    for (let look = 0; look < 10; look += 1) await made.step();
    expect(made.status?.holds.map((one) => one.reason)).toEqual(['prune-budget']);
    expect(made.platform.ours().every((app) => app.instances === 2)).toBe(true);
    await made.care();
    for (const node of made.nodes)
      for (const port of ['9000', '9010', '9020']) node.proxy.idle.add(port);
    await until(made, () => made.platform.ours().length === 0);
    await made.step();
    expect(Object.keys(made.journal.facts()).filter((key) => key.startsWith('approved'))).toEqual(
      [],
    );
    expect(made.journal.record()).toEqual({ gateways: {}, apps: {} });
  });

  test('somebody changes every app: they stay until a person agrees (law 11)', async () => {
    const plots = [SHOP, PAY, plotOf('news', 9020)];
    const made = await world(plots);
    for (const app of made.platform.ours()) made.platform.tamper(app.id, { mem: 99 });
    for (let look = 0; look < 10; look += 1) await made.step();
    expect(made.status?.holds.map((one) => one.reason)).toEqual(['drift-budget']);
    expect(made.platform.ours()).toHaveLength(3);
    await made.care();
    await until(made, () => made.platform.ours().every((app) => app.id.endsWith('-2')), 80);
  });

  test('both memories lost on the way: held until a person says retry', async () => {
    const made = await world([SHOP]);
    await commit(made, [image(SHOP, 'good-2')], 'a new image');
    await until(made, () => shares(made, '9000').includes(5000));
    made.journal.lose();
    for (const node of made.nodes) {
      const held = node.splits().find((one) => one.gateway === '9000');
      if (!held) continue;
      node.keeper.put({ ...held, generation: held.generation + 1, memory: { rejected: [] } });
    }
    made.restart();
    for (let look = 0; look < 5; look += 1) await made.step();
    expect(made.status?.units[0]).toMatchObject({ phase: 'held', reason: 'record-lost' });
    expect(shares(made, '9000')).toEqual([5000, 5000]);
    await made.care();
    await until(
      made,
      () => made.platform.ours().some((app) => app.instances === 0) || made.isConverged(),
    );
    expect(shares(made, '9000')).toEqual([10_000]);
  });

  test('a rejected version is tried again after `retry`', async () => {
    const made = await world([SHOP]);
    await commit(made, [image(SHOP, 'crash-2')], 'a bad image');
    await until(made, () => made.status?.units[0]?.phase === 'rejected');
    expect(shares(made, '9000')).toEqual([10_000]);
    made.journal.wish('retry', 'shop', made.now);
    await until(made, () => made.status?.units[0]?.phase !== 'rejected', 3);
    await until(made, () => made.status?.units[0]?.phase === 'rejected');
  });

  test('a gateway that git closes lets go of what was stable', async () => {
    const made = await world([SHOP]);
    const closed = { ...SHOP, services: SHOP.services.map((one) => ({ ...one, weight: 0 })) };
    await commit(made, [closed], 'closed');
    await until(made, () => made.isConverged());
    await commit(made, [image(SHOP, 'good-2')], 'opened with another image');
    await until(made, () => made.isConverged());
    expect(shares(made, '9000')).toEqual([10_000]);
  });
});
