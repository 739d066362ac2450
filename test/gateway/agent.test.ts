import { fork } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';

import {
  startAgent,
  stopLeftoverProxy,
  type Agent,
  type AgentOptions,
} from '../../reconciler/gateway/agent/agent.ts';
import { haproxyFiles } from '../../reconciler/gateway/agent/haproxy/haproxy-files.ts';
import { findProcesses, type Processes } from '../../reconciler/gateway/agent/haproxy/master.ts';
import { askOnce } from '../../reconciler/gateway/agent/haproxy/runtime.ts';
import { parseStats } from '../../reconciler/gateway/agent/haproxy/stats.ts';
import { createAgentGateways } from '../../reconciler/gateway/agents.ts';
import type { GatewayView, ServerView, Split } from '../../reconciler/model/split.ts';
import { sendRequests, startLoad } from './clients.ts';
import { withHaproxy } from './haproxy-binary.ts';
import { freePort, startOrigin, until, type Origin } from './origins.ts';
import { appVersion, fakeFeed, makeSplit, makeTask, type FakeFeed } from './splits.ts';

const signal = new AbortController().signal;

/** Everything that one test starts, ended in any case. */
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function origin(): Promise<Origin> {
  const started = await startOrigin();
  ends.push(() => started.close());
  return started;
}

async function agentWith(options: Partial<AgentOptions> = {}): Promise<Agent> {
  const stateDir = options.stateDir ?? newFolder();
  const agent = await startAgent({
    node: 'n1',
    stateDir,
    listen: { socket: path.join(stateDir, 'api.sock') },
    proxy: 'embedded',
    tasks: fakeFeed(),
    pollMs: 100,
    tuning: { checkIntervalMs: 200, connectHoldMs: 200 },
    logger: pino({ level: 'silent' }),
    ...options,
  });
  ends.push(() => agent.close());
  return agent;
}

function newFolder(): string {
  return mkdtempSync(path.join(tmpdir(), 'gw-'));
}

function driver(agent: Agent) {
  const node = { name: 'n1', ...('socket' in agent ? { socket: agent.socket ?? '' } : {}) };
  return createAgentGateways({ nodes: [node], timeoutMs: 5_000, owner: 'us' });
}

async function viewOf(agent: Agent): Promise<GatewayView> {
  const [node] = await driver(agent).observe(signal);
  const [view] = node?.gateways ?? [];
  if (view === undefined) throw new Error(JSON.stringify(node));
  return view;
}

async function serversOf(agent: Agent): Promise<readonly ServerView[]> {
  return (await viewOf(agent)).versions.flatMap((version) => version.servers);
}

async function becomes(agent: Agent, server: string, claim: Partial<ServerView>): Promise<void> {
  await until(
    async () => {
      const found = (await serversOf(agent)).find((each) => each.id === server);
      return (
        found !== undefined &&
        Object.entries(claim).every(([key, value]) =>
          Object.entries(found).some(([k, v]) => k === key && v === value),
        )
      );
    },
    () => serversOf(agent),
  );
}

async function put(agent: Agent, split: Split): Promise<void> {
  await driver(agent).act({ kind: 'apply-split', split }, signal);
}

/** An agent with one gateway and two instances of one version, all up. */
async function serving(options: Partial<AgentOptions> = {}) {
  const own = [await origin(), await origin()];
  const tasks = own.map((each, at) => makeTask(`a.${String(at)}`, '/a', each.port, '127.0.0.1'));
  const feed = fakeFeed(tasks);
  const agent = await agentWith({ ...options, tasks: feed });
  const split = makeSplit({ port: await freePort(), versions: [appVersion('/a', 10_000)] });
  await put(agent, split);
  await becomes(agent, 'a.0', { state: 'up' });
  await becomes(agent, 'a.1', { state: 'up' });
  return { agent, feed, split, own, tasks };
}

describe('a gateway agent', () => {
  it('serves what its tasks serve, and follows them up and down', async () => {
    const { agent, feed, split, tasks } = await serving();
    const third = await origin();
    feed.list = [...tasks, makeTask('a.2', '/a', third.port, '127.0.0.1')];
    await becomes(agent, 'a.2', { state: 'up' });
    feed.list = feed.list.slice(1);
    await until(async () => (await serversOf(agent)).length === 2);
    const seen = await sendRequests({ port: split.port, requests: 20 });
    expect(seen.byVersion).toEqual({ 'a:name': 20 });
    expect(third.hits()).toBeGreaterThan(0);
  });

  it('lets a task go as soon as an event names its end, though an old answer still lists it', async () => {
    const { agent, feed, split, own } = await serving({ pollMs: 60_000 });
    const load = startLoad({ port: split.port, clients: 2 });
    feed.wake({ type: 'status_update_event', gone: { taskId: 'a.0', appId: '/a' } });
    await until(async () => (await serversOf(agent)).every((each) => each.id !== 'a.0'));
    const before = own[0]?.hits();
    await until(() => (own[1]?.hits() ?? 0) > 200);
    expect(own[0]?.hits()).toBe(before);
    expect((await load.stop()).failed).toBe(0);
  });

  it('changes nothing while Marathon cannot be seen', async () => {
    const { agent, feed, split } = await serving();
    feed.failure = new Error('no leader');
    await until(async () => JSON.stringify(await state(agent)).includes('no leader'));
    expect((await serversOf(agent)).map((each) => each.state)).toEqual(['up', 'up']);
    expect((await sendRequests({ port: split.port, requests: 10 })).byStatus).toEqual({ 200: 10 });
  });

  it('lets a server that was down return only when Marathon confirms it', async () => {
    const { agent, feed, own, split } = await serving();
    feed.failure = new Error('no leader');
    own[0]?.setReady(500);
    await becomes(agent, 'a.0', { state: 'down' });
    own[0]?.setReady(200);
    await becomes(agent, 'a.0', { state: 'checking' });
    const before = own[0]?.hits();
    await sendRequests({ port: split.port, requests: 10 });
    expect(own[0]?.hits()).toBe(before);
    feed.failure = undefined;
    await becomes(agent, 'a.0', { state: 'up' });
  });

  it('sends nothing to a task that Marathon calls unhealthy, and goes on checking it', async () => {
    const { agent, feed, split, own, tasks } = await serving();
    feed.list = tasks.map((task) => (task.id === 'a.0' ? { ...task, health: 'unhealthy' } : task));
    await becomes(agent, 'a.0', { health: 'unhealthy', state: 'up' });
    const before = own[0]?.hits();
    await sendRequests({ port: split.port, requests: 20 });
    expect(own[0]?.hits()).toBe(before);
  });

  it('keeps servers that are missing in numbers, and reports it', async () => {
    const { agent, feed, tasks } = await serving();
    const more = [await origin(), await origin()];
    feed.list = [
      ...tasks,
      ...more.map((each, at) => makeTask(`b.${String(at)}`, '/a', each.port, '127.0.0.1')),
    ];
    await becomes(agent, 'b.1', { state: 'up' });
    feed.list = tasks.slice(0, 1);
    await until(async () => (await viewOf(agent)).error?.code === 'mass-absence');
    const view = await viewOf(agent);
    expect(view.applied).toBe(true);
    expect(view.versions[0]?.servers).toHaveLength(4);
  });

  it('gives a draining task no new requests', async () => {
    const { agent, split, own } = await serving();
    const versions = split.versions.map((each) => ({ ...each, draining: ['a.0'] }));
    await put(agent, { ...split, generation: 2, versions });
    await becomes(agent, 'a.0', { state: 'draining' });
    const before = own[0]?.hits();
    await sendRequests({ port: split.port, requests: 20 });
    expect(own[0]?.hits()).toBe(before);
    expect((await viewOf(agent)).applied).toBe(true);
  });

  it('routes to an address outside of Marathon', async () => {
    const own = await origin();
    const agent = await agentWith();
    const id = `127.0.0.1:${String(own.port)}`;
    const split = makeSplit({
      port: await freePort(),
      versions: [
        {
          ...appVersion(id, 10_000),
          name: 'legacy',
          source: { kind: 'external', host: '127.0.0.1', port: own.port },
        },
      ],
    });
    await put(agent, split);
    await becomes(agent, id, { state: 'up' });
    const seen = await sendRequests({ port: split.port, requests: 5 });
    expect(seen.byVersion).toEqual({ legacy: 5 });
  });

  it('serves from its disk when it starts again, with Marathon down', async () => {
    const stateDir = newFolder();
    const { agent, split } = await serving({ stateDir });
    await agent.close();
    const feed: FakeFeed = fakeFeed();
    feed.failure = new Error('no leader');
    const next = await agentWith({ stateDir, tasks: feed });
    await until(
      async () => (await sendRequests({ port: split.port, requests: 1 })).byStatus['200'] === 1,
    );
    expect((await viewOf(next)).split).toEqual(split);
  });

  it('starts from the copy of a state that is missing, and writes it anew', async () => {
    const stateDir = newFolder();
    const { agent, split, feed } = await serving({ stateDir });
    await agent.close();
    const file = path.join(stateDir, 'gateways.json');
    rmSync(file);
    const next = await agentWith({ stateDir, tasks: feed });
    expect((await viewOf(next)).split).toEqual(split);
    expect(readFileSync(file)).toEqual(readFileSync(`${file}.previous`));
  });

  it('makes good a copy that cannot be read', async () => {
    const stateDir = newFolder();
    const { agent, feed } = await serving({ stateDir });
    await agent.close();
    const file = path.join(stateDir, 'gateways.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(`${file}.previous`, text.slice(0, -9));
    await agentWith({ stateDir, tasks: feed });
    expect(readFileSync(`${file}.previous`, 'utf8')).toBe(text);
  });

  it('refuses to start when neither its state nor the copy can be read, and says what then', async () => {
    const stateDir = newFolder();
    const file = path.join(stateDir, 'gateways.json');
    writeFileSync(file, '{"format":1,');
    const refusal = {
      code: 'state-unreadable',
      message: expect.stringMatching(/closes all gate/u),
    };
    await expect(agentWith({ stateDir })).rejects.toMatchObject(refusal);
    writeFileSync(`${file}.previous`, '[]');
    await expect(agentWith({ stateDir })).rejects.toMatchObject(refusal);
    expect(readFileSync(file, 'utf8')).toBe('{"format":1,');
  });

  it('refuses a second agent on its folder', async () => {
    const stateDir = newFolder();
    await agentWith({ stateDir });
    await expect(agentWith({ stateDir })).rejects.toMatchObject({ code: 'agent-running' });
  });

  it('keeps its socket and its state to its own user', async () => {
    const { agent } = await serving();
    const socket = agent.socket ?? '';
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    const file = path.join(path.dirname(socket), 'gateways.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ format: 1 });
  });

  it('does not listen beyond loopback without a token', async () => {
    const listen = { host: '0.0.0.0', port: 0 };
    await expect(agentWith({ listen })).rejects.toMatchObject({ code: 'token-required' });
  });

  it('asks for its token, but not for its pulse', async () => {
    const folder = newFolder();
    const tokenFile = path.join(folder, 'token');
    writeFileSync(tokenFile, 'a-token\n');
    chmodSync(tokenFile, 0o600);
    const agent = await agentWith({ listen: { host: '127.0.0.1', port: 0 }, tokenFile });
    const url = agent.url ?? '';
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/v1/state`)).status).toBe(401);
    const nodes = [{ name: 'n1', url, tokenFile }];
    const gateways = createAgentGateways({ nodes, timeoutMs: 5_000, owner: 'us' });
    expect(await gateways.observe(signal)).toEqual([{ node: 'n1', gateways: [] }]);
  });

  it.each([
    ['an unknown key', { extra: 1 }],
    ['weights above the whole', { versions: [appVersion('/a', 9_000), appVersion('/b', 2_000)] }],
    [
      'a name that could break out of a map',
      { versions: [{ ...appVersion('/a', 1), name: 'x;y' }] },
    ],
    ['two versions of one id', { versions: [appVersion('/a', 1), appVersion('/a', 2)] }],
  ])('refuses a split with %s', async (_title, change) => {
    const agent = await agentWith({ listen: { host: '127.0.0.1', port: 0 } });
    const split = { ...makeSplit({ port: 10_099 }), ...change };
    const answer = await fetch(`${agent.url ?? ''}/v1/gateways/10099`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(split),
    });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ error: { code: 'split-invalid' } });
  });

  it('ends with its proxy when it is asked to', async () => {
    const agent = await agentWith({ listen: { host: '127.0.0.1', port: 0 } });
    expect((await fetch(`${agent.url ?? ''}/v1/stop`, { method: 'POST' })).status).toBe(202);
    await agent.closed;
    await expect(fetch(`${agent.url ?? ''}/healthz`)).rejects.toThrow('fetch failed');
  });
});

withHaproxy('an agent with HAProxy', () => {
  it('leaves HAProxy serving when it goes, and adopts it when it comes back', async () => {
    const stateDir = newFolder();
    const { agent, split, feed } = await serving({ stateDir, proxy: 'haproxy' });
    const load = startLoad({ port: split.port, clients: 2 });
    await sendRequests({ port: split.port, requests: 50 });
    await agent.close('leave');
    expect((await sendRequests({ port: split.port, requests: 50 })).byStatus).toEqual({ 200: 50 });
    const next = await agentWith({ stateDir, proxy: 'haproxy', tasks: feed });
    expect((await state(next)).reloads).toBe(0);
    await put(next, { ...split, generation: 2, title: 'still here' });
    expect((await viewOf(next)).applied).toBe(true);
    const seen = await load.stop();
    expect(seen.failed).toBe(0);
    expect(seen.byStatus).toEqual({ 200: seen.total });
    const { counters } = (await viewOf(next)).versions[0] ?? {};
    expect(counters?.requests).toBe(seen.total + 100);
  });

  it('loses no request when the agent is killed, and counts on when it is back', async () => {
    const stateDir = newFolder();
    const own = await origin();
    const tasks = [makeTask('a.0', '/a', own.port, '127.0.0.1')];
    const split = makeSplit({ port: await freePort(), versions: [appVersion('/a', 10_000)] });
    const child = fork(path.join(import.meta.dirname, 'agent-child.ts'), [
      JSON.stringify({ stateDir, tasks, split }),
    ]);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    ends.push(() => stopLeftoverProxy(stateDir));
    ends.push(async () => {
      child.kill('SIGKILL');
      await gone;
    });
    await new Promise((resolve) => child.once('message', resolve));
    await until(
      async () => (await sendRequests({ port: split.port, requests: 1 })).byStatus['200'] === 1,
    );
    const load = startLoad({ port: split.port, clients: 2 });
    child.kill('SIGKILL');
    await gone;
    await sendRequests({ port: split.port, requests: 50 });
    const next = await agentWith({ stateDir, proxy: 'haproxy', tasks: fakeFeed(tasks) });
    await becomes(next, 'a.0', { state: 'up' });
    const seen = await load.stop();
    expect(seen.failed).toBe(0);
    expect(seen.byStatus).toEqual({ 200: seen.total });
    const { counters } = (await viewOf(next)).versions[0] ?? {};
    expect(counters?.requests).toBe(seen.total + 51);
    expect(counters?.status2xx).toBe(seen.total + 51);
  });

  it('starts HAProxy again when somebody ends it', async () => {
    const { agent, split } = await serving({ proxy: 'haproxy' });
    const folder = path.dirname(agent.socket ?? '');
    process.kill((await processesOf(folder)).master, 'SIGKILL');
    await until(
      async () =>
        (await sendRequests({ port: split.port, requests: 1, keepAlive: false })).failed === 1,
    );
    await until(
      async () => (await sendRequests({ port: split.port, requests: 1 })).byStatus['200'] === 1,
    );
    expect((await viewOf(agent)).applied).toBe(true);
  });

  it('starts HAProxy again with everybody in his seat, except who was down or left', async () => {
    const { agent, split, own, feed, tasks } = await serving({ proxy: 'haproxy' });
    const third = await origin();
    feed.list = [...tasks, makeTask('a.2', '/a', third.port, '127.0.0.1')];
    await becomes(agent, 'a.2', { state: 'up' });
    third.setReady(500);
    await becomes(agent, 'a.2', { state: 'down' });
    await sendRequests({ port: split.port, requests: 10 });
    const hits = third.hits();
    const folder = path.dirname(agent.socket ?? '');
    const { master, worker = 0 } = await processesOf(folder);
    const before = own.map((each) => each.hits());
    const load = startLoad({ port: split.port, clients: 2, keepAlive: false });
    await until(() => own.every((each, at) => each.hits() > (before[at] ?? 0)));
    process.kill(worker, 'SIGKILL');
    process.kill(master, 'SIGKILL');
    await until(async () => {
      const found = await findProcesses(haproxyFiles(folder));
      return found?.worker !== undefined && found.worker !== worker;
    });
    const back = own.map((each) => each.hits());
    await until(() => own.every((each, at) => each.hits() > (back[at] ?? 0) + 50));
    const seen = await load.stop();
    expect(seen.failed).toBeGreaterThan(0);
    expect(seen.byStatus).toEqual({ 200: seen.total - seen.failed });
    expect(third.hits()).toBe(hits);
    third.setReady(200);
    await becomes(agent, 'a.2', { state: 'up' });
  });

  it('fails no request when its state is damaged while it restarts', async () => {
    const stateDir = newFolder();
    const { agent, split } = await serving({ stateDir, proxy: 'haproxy' });
    const load = startLoad({ port: split.port, clients: 4 });
    await put(agent, { ...split, generation: 2, title: 'another' });
    await agent.close('leave');
    const file = path.join(stateDir, 'gateways.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, text.length / 2));
    const logged: string[] = [];
    const logger = pino({ level: 'error' }, { write: (line) => void logged.push(line) });
    const blind = fakeFeed();
    blind.failure = new Error('no leader');
    const next = await agentWith({ stateDir, proxy: 'haproxy', tasks: blind, logger });
    const view = await viewOf(next);
    expect(view).toMatchObject({ applied: true, split: { generation: 2, title: 'another' } });
    expect((await state(next)).reloads).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const seen = await load.stop();
    expect(seen.failed).toBe(0);
    expect(seen.byStatus).toEqual({ 200: seen.total });
    expect(logged.join()).toContain('using its copy');
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('deletes servers that were down already when they left', async () => {
    const { agent, feed, own, tasks } = await serving({ proxy: 'haproxy' });
    const folder = path.dirname(agent.socket ?? '');
    const third = await origin();
    const alive = makeTask('a.2', '/a', third.port, '127.0.0.1');
    feed.list = [...tasks, alive];
    await becomes(agent, 'a.2', { state: 'up' });
    feed.failure = new Error('no leader');
    for (const each of own) await each.close();
    await becomes(agent, 'a.0', { state: 'down' });
    await becomes(agent, 'a.1', { state: 'down' });
    feed.failure = undefined;
    feed.list = [alive];
    await until(async () => !/a\.[01]/u.test((await statusesOf(folder)).join()));
    expect(await statusesOf(folder)).toEqual(['a.2 UP']);
  });

  it('drains a server that is down once, and it gets nothing when it is back', async () => {
    const { agent, split, own } = await serving({ proxy: 'haproxy' });
    const folder = path.dirname(agent.socket ?? '');
    own[0]?.setReady(500);
    await becomes(agent, 'a.0', { state: 'down' });
    const versions = split.versions.map((each) => ({ ...each, draining: ['a.0'] }));
    await put(agent, { ...split, generation: 2, versions });
    const written = statSync(path.join(folder, 'servers.state')).mtimeMs;
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(statSync(path.join(folder, 'servers.state')).mtimeMs).toBe(written);
    own[0]?.setReady(200);
    await becomes(agent, 'a.0', { state: 'draining' });
    const before = own[0]?.hits();
    await sendRequests({ port: split.port, requests: 20 });
    expect(own[0]?.hits()).toBe(before);
    await put(agent, { ...split, generation: 3 });
    await becomes(agent, 'a.0', { state: 'up' });
  });

  it('reads a tcp gateway back as applied', async () => {
    const own = await origin();
    const feed = fakeFeed([makeTask('t.0', '/t', own.port, '127.0.0.1')]);
    const agent = await agentWith({ proxy: 'haproxy', tasks: feed });
    const { check: _check, ...bare } = appVersion('/t', 10_000);
    const split = makeSplit({ port: await freePort(), protocol: 'tcp', versions: [bare] });
    await put(agent, split);
    await becomes(agent, 't.0', { state: 'up' });
    expect(await viewOf(agent)).toMatchObject({ applied: true, weights: { '/t': 10_000 } });
  });
});

/** Every server of this folder's HAProxy with its status, as HAProxy itself lists them. */
async function statusesOf(folder: string): Promise<readonly string[]> {
  const text = await askOnce(haproxyFiles(folder).admin, 'show stat -1 4 -1');
  return parseStats(text).map((row) => `${row.server} ${row.status}`);
}

async function processesOf(folder: string): Promise<Processes> {
  const found = await findProcesses(haproxyFiles(folder));
  if (found === undefined) throw new Error('no HAProxy');
  return found;
}

async function state(agent: Agent): Promise<{ reloads: number }> {
  const { Agent: Dispatcher, request } = await import('undici');
  const dispatcher = new Dispatcher({ connect: { socketPath: agent.socket ?? '' } });
  const answer = await request('http://agent/v1/state', { dispatcher });
  const text = await answer.body.text();
  await dispatcher.close();
  const parsed: { reloads: number } = JSON.parse(text);
  return parsed;
}
