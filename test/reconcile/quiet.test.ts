import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, expect, test } from 'vitest';

import { startEngine } from '../../reconciler/engine/engine.ts';
import { Follower } from '../../reconciler/intake.ts';
import { createMarathonClient } from '../../reconciler/platform/marathon/client.ts';
import { createMarathonPlatform } from '../../reconciler/platform/marathon/platform.ts';
import type { RoundResult } from '../../reconciler/round.ts';
import { Rounds } from '../../reconciler/round.ts';
import { createGitSource } from '../../reconciler/source/git.ts';
import { temporaryFolder } from '../engine/running-engine.ts';
import { createGitRemote } from '../source/git-remote.ts';
import { FakeJournal } from '../support/fake-journal.ts';

const DEPLOYMENTS = 20;
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function sleeper(name: string): string {
  return [
    `name: ${name}`,
    'clusters:',
    '  main:',
    '    breed:',
    `      name: ${name}`,
    '      deployable: {type: command, definition: exec sleep 1000}',
    '    scale: {cpu: 0.01, memory: 8MB, instances: 1}',
    '',
  ].join('\n');
}

test('a converged round with 20 deployments is one ls-remote and one app list, and writes nothing', async () => {
  const remote = await createGitRemote();
  closing.push(() => remote.close());
  const names = Array.from({ length: DEPLOYMENTS }, (_, index) => `d${String(index + 1)}`);
  await remote.commit(Object.fromEntries(names.map((name) => [`${name}.yml`, sleeper(name)])));
  const stateDir = temporaryFolder();
  closing.push(() => rm(stateDir, { recursive: true, force: true }));
  const engine = await startEngine({ stateDir });
  closing.push(() => engine.close());

  const git: string[] = [];
  const calls: string[] = [];
  const source = createGitSource({
    url: remote.bare,
    ref: { branch: 'main' },
    mirrorDir: remote.mirrorDir,
    environment: { PATH: process.env['PATH'] ?? '' },
    onCommand: (words) => {
      git.push(words[0] ?? '');
    },
  });
  const client = createMarathonClient({
    urls: [engine.url],
    timeoutMs: 10_000,
    maxResponseBytes: 10_000_000,
    onCall: ({ method, where }) => {
      calls.push(`${method} ${new URL(where).pathname}`);
    },
  });
  closing.push(() => client.close());
  const journal = new FakeJournal();
  const writes: string[] = [];
  const rounds = new Rounds(
    {
      follower: new Follower({ source, journal, compile: {}, fingerprint: 'test' }),
      platform: createMarathonPlatform(client, { owner: 'quiet' }),
      gateways: {
        abilities: { weights: 'exact', protocols: ['http'], durable: true },
        observe: async () => [],
        act: async (write) => {
          writes.push(write.kind);
        },
      },
      journal,
      clock: Date.now,
    },
    { owner: 'quiet', budget: { count: 2, share: 20 }, pruneQuietMs: 0, concurrency: 4 },
  );

  const round = (): Promise<RoundResult> =>
    rounds.round(AbortSignal.timeout(20_000), { poll: true });
  const isDone = (result: RoundResult): boolean =>
    result.status.units.length === DEPLOYMENTS &&
    result.status.units.every((unit) => unit.phase === 'converged');
  const started = performance.now();
  while (!isDone(await round())) {
    if (performance.now() - started > 40_000) throw new Error('not converged in 40 s');
    await sleep(200);
  }

  git.length = 0;
  calls.length = 0;
  const remembered = { entries: journal.entries.length, record: journal.record() };
  expect(isDone(await round())).toBe(true);
  expect({ git, calls, writes }).toEqual({
    git: ['ls-remote'],
    calls: ['GET /v2/apps'],
    writes: [],
  });
  expect({ entries: journal.entries.length, record: journal.record() }).toEqual(remembered);
});
