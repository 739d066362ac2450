import { expect, test } from 'vitest';

import { Follower } from '../../reconciler/intake.ts';
import type { Intake } from '../../reconciler/intake.ts';
import { FakeJournal } from '../support/fake-journal.ts';
import { FakeSource } from '../support/fake-source.ts';

const SIGNAL = new AbortController().signal;

function blueprint(name: string, port: number, image = `${name}:1`): string {
  return [
    `name: ${name}`,
    `gateways: {${String(port)}: web/http}`,
    'clusters:',
    '  web:',
    `    breed: {name: ${name}, deployable: "${image}", ports: {http: 8080/http}}`,
    '    scale: {cpu: 0.1, memory: 32MB, instances: 1}',
    '',
  ].join('\n');
}

function follower(source: FakeSource, journal: FakeJournal, prefix = 'sluice'): Follower {
  const fingerprint = `${source.fingerprint} prefix ${prefix} owner sluice`;
  return new Follower({ source, journal, compile: { prefix }, fingerprint });
}

/** What of an answer decides what may happen. */
function told(intake: Intake): unknown {
  return {
    state: intake.state,
    deployments: intake.desired?.deployments.map((one) => one.name),
    ports: intake.desired?.gateways.map((one) => one.port),
    faulty: intake.faulty,
    incomplete: intake.incomplete,
    hold: intake.hold?.reason,
  };
}

test('a fresh head is compiled and nothing is doubted', async () => {
  const source = new FakeSource();
  source.commit({ 'shop.yml': blueprint('shop', 9001) });
  expect(told(await follower(source, new FakeJournal()).look(SIGNAL))).toEqual({
    state: 'fresh',
    deployments: ['shop'],
    ports: [9001],
    faulty: [],
    incomplete: undefined,
    hold: undefined,
  });
});

test('a file that no longer parses keeps its last good state, the others go on, nothing is pruned', async () => {
  const source = new FakeSource();
  const journal = new FakeJournal();
  const follow = follower(source, journal);
  source.commit({ 'shop.yml': blueprint('shop', 9001), 'blog.yml': blueprint('blog', 9002) });
  await follow.look(SIGNAL);
  source.commit({ 'shop.yml': 'name: [', 'blog.yml': blueprint('blog', 9003) });
  const expected = {
    state: 'fresh',
    deployments: ['blog', 'shop'],
    ports: [9001, 9003],
    faulty: ['shop.yml'],
    incomplete: 'shop.yml is faulty',
    hold: undefined,
  };
  const sorted = (intake: Intake): unknown => {
    const seen = told(intake) as { deployments: string[]; ports: number[] };
    return { ...seen, deployments: seen.deployments.sort(), ports: seen.ports.sort() };
  };
  expect(sorted(await follow.look(SIGNAL))).toEqual(expected);
  // A restart has no memory: the last good form is found by walking back the file's history.
  expect(sorted(await follower(source, journal).look(SIGNAL))).toEqual(expected);
});

test('a file that once held a blueprint and now holds none is faulty, never absent', async () => {
  const source = new FakeSource();
  const journal = new FakeJournal();
  source.commit({ 'shop.yml': blueprint('shop', 9001) });
  await follower(source, journal).look(SIGNAL);
  source.commit({ 'shop.yml': 'replicas: 3\n' });
  const intake = await follower(source, journal).look(SIGNAL);
  expect(told(intake)).toEqual({
    state: 'fresh',
    deployments: ['shop'],
    ports: [9001],
    faulty: ['shop.yml'],
    incomplete: 'shop.yml is faulty',
    hold: undefined,
  });
  expect(intake.diagnostics.map((one) => one.code)).toEqual(['blueprint-vanished']);
});

test('a file that a commit removes is gone', async () => {
  const source = new FakeSource();
  const follow = follower(source, new FakeJournal());
  source.commit({ 'shop.yml': blueprint('shop', 9001), 'blog.yml': blueprint('blog', 9002) });
  await follow.look(SIGNAL);
  source.commit({ 'blog.yml': blueprint('blog', 9002) });
  expect(told(await follow.look(SIGNAL))).toEqual({
    state: 'fresh',
    deployments: ['blog'],
    ports: [9002],
    faulty: [],
    incomplete: undefined,
    hold: undefined,
  });
});

test('a rewritten history changes nothing until a person adopts the new head', async () => {
  const source = new FakeSource();
  const journal = new FakeJournal();
  const follow = follower(source, journal);
  source.commit({ 'shop.yml': blueprint('shop', 9001) });
  await follow.look(SIGNAL);
  source.rewrite({ 'blog.yml': blueprint('blog', 9002) });
  const doubt = await follow.look(SIGNAL);
  expect(told(doubt)).toMatchObject({
    state: 'doubt',
    deployments: ['shop'],
    hold: 'rewritten-history',
  });
  expect(doubt.message).toMatch(
    /^history was rewritten: .* does not descend from .*, which is still in force; nothing changes until a person adopts the new head$/u,
  );
  // A restart doubts just the same.
  expect(told(await follower(source, journal).look(SIGNAL))).toMatchObject({
    deployments: ['shop'],
    hold: 'rewritten-history',
  });
  journal.setFact(`approved.${doubt.hold?.id ?? ''}`, (doubt.hold?.list ?? []).join('\n'));
  expect(told(await follow.look(SIGNAL))).toMatchObject({
    state: 'fresh',
    deployments: ['blog'],
    hold: undefined,
  });
});

test('a changed prefix changes nothing until a person adopts it', async () => {
  const source = new FakeSource();
  const journal = new FakeJournal();
  source.commit({ 'shop.yml': blueprint('shop', 9001) });
  await follower(source, journal).look(SIGNAL);
  const moved = follower(source, journal, 'elsewhere');
  const doubt = await moved.look(SIGNAL);
  expect(told(doubt)).toMatchObject({
    state: 'doubt',
    deployments: undefined,
    hold: 'fingerprint-changed',
  });
  journal.setFact(`approved.${doubt.hold?.id ?? ''}`, 'agreed');
  expect(told(await moved.look(SIGNAL))).toMatchObject({ state: 'fresh', deployments: ['shop'] });
});

test('while the remote is down the last head stays in force and nothing is pruned', async () => {
  const source = new FakeSource();
  const follow = follower(source, new FakeJournal());
  source.commit({ 'shop.yml': blueprint('shop', 9001) });
  await follow.look(SIGNAL);
  source.up = false;
  expect(told(await follow.look(SIGNAL))).toEqual({
    state: 'remote-down',
    deployments: ['shop'],
    ports: [9001],
    faulty: [],
    incomplete: 'the source is not fresh (the remote does not answer)',
    hold: undefined,
  });
});

test('an empty repository asks for nothing and removes nothing', async () => {
  expect(told(await follower(new FakeSource(), new FakeJournal()).look(SIGNAL))).toEqual({
    state: 'empty',
    deployments: undefined,
    ports: undefined,
    faulty: [],
    incomplete: 'the source is not fresh (no commit yet)',
    hold: undefined,
  });
});

test('a port claimed twice leaves it with the one who had it', async () => {
  const source = new FakeSource();
  const follow = follower(source, new FakeJournal());
  source.commit({ 'shop.yml': blueprint('shop', 9001), 'blog.yml': blueprint('blog', 9002) });
  await follow.look(SIGNAL);
  source.commit({ 'shop.yml': blueprint('shop', 9001), 'blog.yml': blueprint('blog', 9001) });
  const intake = await follow.look(SIGNAL);
  expect(intake.desired?.gateways.map((one) => [one.title, one.port]).sort()).toEqual([
    ['blog/9002', 9002],
    ['shop/9001', 9001],
  ]);
  expect(intake.faulty).toEqual(['blog.yml', 'shop.yml']);
});

test('a last good form that clashes with a clean file makes that one faulty too', async () => {
  const source = new FakeSource();
  const follow = follower(source, new FakeJournal());
  source.commit({ 'a.yml': blueprint('a', 9001), 'b.yml': blueprint('b', 9002) });
  await follow.look(SIGNAL);
  // `a` no longer parses and so keeps 9001, which `b` takes in the same commit.
  source.commit({ 'a.yml': 'name: [', 'b.yml': blueprint('b', 9001) });
  const intake = await follow.look(SIGNAL);
  expect(intake.faulty).toEqual(['a.yml', 'b.yml']);
  expect(intake.desired?.gateways.map((one) => [one.title, one.port]).sort()).toEqual([
    ['a/9001', 9001],
    ['b/9002', 9002],
  ]);
});

test('a new file that claims a port leaves it with the one who had it, after a restart too', async () => {
  const source = new FakeSource();
  const journal = new FakeJournal();
  source.commit({ 'shop.yml': blueprint('shop', 9001) });
  await follower(source, journal).look(SIGNAL);
  source.commit({ 'a-thief.yml': blueprint('thief', 9001), 'shop.yml': blueprint('shop', 9001) });
  const expected = {
    state: 'fresh',
    deployments: ['shop'],
    ports: [9001],
    faulty: ['a-thief.yml', 'shop.yml'],
    incomplete: 'a-thief.yml, shop.yml is faulty',
    hold: undefined,
  };
  expect(told(await follower(source, journal).look(SIGNAL))).toEqual(expected);
  expect(told(await follower(source, journal).look(SIGNAL))).toEqual(expected);
});

test('a blueprint that becomes a link is faulty, never absent', async () => {
  const source = new FakeSource();
  const journal = new FakeJournal();
  source.commit({ 'shop.yml': blueprint('shop', 9001) });
  const follow = follower(source, journal);
  await follow.look(SIGNAL);
  source.commit({});
  source.link('shop.yml');
  const intake = await follow.look(SIGNAL);
  expect(told(intake)).toMatchObject({
    deployments: ['shop'],
    faulty: ['shop.yml'],
    incomplete: 'shop.yml is faulty',
  });
});
