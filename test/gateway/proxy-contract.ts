import http from 'node:http';
import net from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type {
  Proxy,
  ProxyGateway,
  ProxyGatewayView,
  ProxyServer,
  ProxyVersion,
  ProxyVersionView,
} from '../../reconciler/gateway/agent/proxy.ts';
import { get, sendRequests, startLoad } from './clients.ts';
import { freePort, startOrigin, startTcpOrigin, until, type Origin } from './origins.ts';

const CHECK = { path: '/ready', intervalMs: 200, timeoutMs: 200 };
const signal = new AbortController().signal;

/** What every proxy under the agent has to do, whatever it is made of. */
export function proxyContract(name: string, makeProxy: () => Promise<Proxy>): void {
  describe(`${name} proxy`, () => {
    let proxy: Proxy;
    const gateways = new Map<string, ProxyGateway>();
    const origins: Origin[] = [];

    beforeAll(async () => {
      proxy = await makeProxy();
      await proxy.apply([], signal);
    });
    afterEach(async () => {
      gateways.clear();
      await proxy.apply([], signal);
      await Promise.all(origins.splice(0).map((origin) => origin.close()));
    });
    afterAll(async () => {
      await proxy.close('stop');
    });

    async function origin(label?: string): Promise<Origin> {
      const started = await startOrigin(label);
      origins.push(started);
      return started;
    }
    async function put(gateway: ProxyGateway): Promise<void> {
      gateways.set(gateway.name, gateway);
      await proxy.apply([...gateways.values()], signal);
    }
    async function view(gateway: string): Promise<ProxyGatewayView> {
      const seen = (await proxy.observe(signal)).gateways.find((each) => each.name === gateway);
      if (seen === undefined) throw new Error(`no gateway ${gateway}`);
      return seen;
    }
    async function viewOf(gateway: string, version: string): Promise<ProxyVersionView> {
      const seen = (await view(gateway)).versions.find((each) => each.id === version);
      if (seen === undefined) throw new Error(`no version ${version}`);
      return seen;
    }
    /** Waits until every server of the gateway that should serve is up. */
    async function settled(gateway: ProxyGateway): Promise<void> {
      const wanted = gateway.versions.flatMap((version) =>
        version.servers.filter((server) => server.mode === 'serve').map((server) => server.id),
      );
      await until(
        async () => {
          const servers = (await view(gateway.name)).versions.flatMap((each) => each.servers);
          const up = servers.filter((server) => server.state === 'up').map((server) => server.id);
          return wanted.every((id) => up.includes(id)) && servers.length >= wanted.length;
        },
        () => view(gateway.name),
      );
    }
    async function stateBecomes(gateway: string, server: string, state: string): Promise<void> {
      await until(
        async () =>
          (await view(gateway)).versions.some((version) =>
            version.servers.some((each) => each.id === server && each.state === state),
          ),
        () => view(gateway),
      );
    }
    async function serving(weights: readonly (readonly [number, number])[]): Promise<{
      gateway: ProxyGateway;
      origins: Origin[][];
    }> {
      const port = await freePort();
      const all: Origin[][] = [];
      const versions: ProxyVersion[] = [];
      for (const [index, [weight, count]] of weights.entries()) {
        const id = `/v${String(index + 1)}`;
        const own = await Promise.all(Array.from({ length: count }, () => origin(id)));
        all.push(own);
        versions.push(
          version(
            id,
            weight,
            own.map((each, at) => server(`${id.slice(1)}.${String(at)}`, each)),
          ),
        );
      }
      const gateway = makeGateway(port, versions);
      await put(gateway);
      await settled(gateway);
      return { gateway, origins: all };
    }

    it('gives each version exactly its share, whatever the instance counts', async () => {
      for (const [shares, counts, requests] of [
        [[8000, 2000], [3, 1], 10_000],
        [[9900, 100], [1, 3], 1_000],
        [[9900, 100], [3, 1], 1_000],
        [[9900, 100], [1, 10], 1_000],
      ] as const) {
        const { gateway } = await serving([
          [shares[0], counts[0]],
          [shares[1], counts[1]],
        ]);
        const seen = await sendRequests({ port: gateway.port, requests });
        expect(seen.failed).toBe(0);
        const share = ((seen.byVersion['v2:name'] ?? 0) / requests) * 10_000;
        expect(Math.abs(share - shares[1]), `v2 of ${shares.join(':')}`).toBeLessThanOrEqual(10);
        expect(await view(gateway.name)).toMatchObject({
          weights: { '/v1': shares[0], '/v2': shares[1] },
        });
      }
    });

    it('follows new weights at once, without a failed request', async () => {
      const { gateway } = await serving([
        [10_000, 1],
        [0, 1],
      ]);
      const before = await sendRequests({ port: gateway.port, requests: 100 });
      expect(before.byVersion).toEqual({ 'v1:name': 100 });
      const load = startLoad({ port: gateway.port });
      for (const weight of [100, 2_000, 5_000, 10_000]) {
        await put(reweigh(gateway, [10_000 - weight, weight]));
      }
      const after = await sendRequests({ port: gateway.port, requests: 100 });
      expect((await load.stop()).failed).toBe(0);
      expect(after.byVersion).toEqual({ 'v2:name': 100 });
    });

    it('takes servers in and out under load without a failed request', async () => {
      const { gateway, origins: own } = await serving([[10_000, 1]]);
      const loads = [
        startLoad({ port: gateway.port, clients: 4 }),
        startLoad({ port: gateway.port, clients: 2, keepAlive: false }),
      ];
      const fixed = server('v1.0', own[0]?.[0]);
      for (let round = 0; round < 5; round += 1) {
        const extra = await origin();
        const joined = withServers(gateway, '/v1', [
          fixed,
          server(`extra.${String(round)}`, extra),
        ]);
        await put(joined);
        await settled(joined);
        await put(withServers(gateway, '/v1', [fixed]));
        await until(
          async () => (await viewOf(gateway.name, '/v1')).servers.length === 1,
          () => view(gateway.name),
        );
        expect(extra.hits()).toBeGreaterThan(0);
        await extra.close();
      }
      const seen = await Promise.all(loads.map((load) => load.stop()));
      expect(seen.map((each) => each.failed)).toEqual([0, 0]);
      for (const each of seen) expect(Object.keys(each.byStatus)).toEqual(['200']);
    });

    it('lets a request on a draining server finish and gives it no new ones', async () => {
      const { gateway, origins: own } = await serving([[10_000, 2]]);
      const [leaving, staying] = own[0] ?? [];
      const slow = Array.from({ length: 2 }, () => get(gateway.port, '/slow/1500'));
      await until(() => leaving?.hits() === 1 && staying?.hits() === 1, 'both are busy');
      await put(
        withServers(gateway, '/v1', [
          { ...server('v1.0', leaving), mode: 'drain' },
          server('v1.1', staying),
        ]),
      );
      await stateBecomes(gateway.name, 'v1.0', 'draining');
      const during = await viewOf(gateway.name, '/v1');
      expect(during.servers.find((each) => each.id === 'v1.0')?.sessions).toBe(1);
      expect(during.sessions).toBe(2);
      expect(during.counters.inFlight).toBe(2);
      const seen = await sendRequests({ port: gateway.port, requests: 50 });
      expect(seen.byStatus).toEqual({ 200: 50 });
      expect(leaving?.hits()).toBe(1);
      const answers = await Promise.all(slow);
      expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
      await until(async () => (await viewOf(gateway.name, '/v1')).sessions === 0);
    });

    it('shares what a dead version had among the others in proportion', async () => {
      const { gateway, origins: own } = await serving([
        [6_000, 1],
        [3_000, 1],
        [1_000, 1],
      ]);
      await own[0]?.[0]?.close();
      await stateBecomes(gateway.name, 'v1.0', 'down');
      const seen = await sendRequests({ port: gateway.port, requests: 400 });
      expect(seen.byVersion).toEqual({ 'v2:name': 300, 'v3:name': 100 });
      expect(await view(gateway.name)).toMatchObject({ weights: { '/v1': 6_000 } });
      await own[0]?.[0]?.reopen();
      await put(gateway);
      await settled(gateway);
      const again = await sendRequests({ port: gateway.port, requests: 100 });
      expect(again.byVersion).toEqual({ 'v1:name': 60, 'v2:name': 30, 'v3:name': 10 });
    });

    it('falls back to the first of the ranking that can serve when nobody with weight can', async () => {
      const { gateway, origins: own } = await serving([
        [10_000, 1],
        [0, 1],
        [0, 1],
      ]);
      await put({ ...gateway, fallback: ['/v1', '/v3', '/v2'] });
      await own[0]?.[0]?.close();
      await stateBecomes(gateway.name, 'v1.0', 'down');
      const seen = await sendRequests({ port: gateway.port, requests: 50 });
      expect(seen.byVersion).toEqual({ 'v3:name': 50 });
      await own[2]?.[0]?.close();
      await stateBecomes(gateway.name, 'v3.0', 'down');
      const next = await sendRequests({ port: gateway.port, requests: 50 });
      expect(next.byVersion).toEqual({ 'v2:name': 50 });
    });

    it('keeps a gateway closed whose weights are all 0', async () => {
      const { gateway } = await serving([[10_000, 1]]);
      await put({ ...reweigh(gateway, [0]), fallback: ['/v1'] });
      const seen = await sendRequests({ port: gateway.port, requests: 10 });
      expect(seen.byStatus).toEqual({ 503: 10 });
      expect(seen.byVersion).toEqual({ none: 10 });
    });

    it('retries on the other server of the version, so that a dead one fails nobody', async () => {
      const { gateway, origins: own } = await serving([[10_000, 2]]);
      await own[0]?.[0]?.close();
      const seen = await sendRequests({ port: gateway.port, requests: 200 });
      expect(seen.failed).toBe(0);
      expect(seen.byStatus).toEqual({ 200: 200 });
      const { counters } = await viewOf(gateway.name, '/v1');
      expect(counters.retries).toBeGreaterThan(0);
      expect(counters.connectErrors).toBe(0);
    });

    it('never sends a retry to another version', async () => {
      const { gateway, origins: own } = await serving([
        [5_000, 1],
        [5_000, 1],
      ]);
      const [alive, dead] = [own[0]?.[0], own[1]?.[0]];
      const before = alive?.hits() ?? 0;
      await dead?.close();
      const seen = await sendRequests({ port: gateway.port, requests: 20, clients: 2 });
      expect(seen.failed).toBe(0);
      expect((alive?.hits() ?? 0) - before).toBe(seen.byVersion['v1:name']);
      expect(seen.byStatus['503'] ?? 0).toBe(seen.byVersion['v2:name'] ?? 0);
    });

    it('holds a server back: its check runs, but it gets nothing', async () => {
      const { gateway, origins: own } = await serving([[10_000, 2]]);
      const [held, serves] = own[0] ?? [];
      await put(
        withServers(gateway, '/v1', [
          { ...server('v1.0', held), mode: 'hold' },
          server('v1.1', serves),
        ]),
      );
      const before = held?.hits() ?? 0;
      const seen = await sendRequests({ port: gateway.port, requests: 50 });
      expect(seen.byStatus).toEqual({ 200: 50 });
      expect(held?.hits()).toBe(before);
      held?.setReady(500);
      await stateBecomes(gateway.name, 'v1.0', 'down');
      held?.setReady(200);
      await stateBecomes(gateway.name, 'v1.0', 'up');
      await put(gateway);
      await settled(gateway);
      await sendRequests({ port: gateway.port, requests: 10 });
      expect(held?.hits()).toBeGreaterThan(before);
    });

    it('does not give a new server requests before its check has passed', async () => {
      const { gateway, origins: own } = await serving([[10_000, 1]]);
      const slow = await origin();
      slow.setReady(503);
      const joined = withServers(gateway, '/v1', [
        server('v1.0', own[0]?.[0]),
        server('new', slow),
      ]);
      await put(joined);
      const seen = await sendRequests({ port: gateway.port, requests: 200 });
      expect(seen.byStatus).toEqual({ 200: 200 });
      expect(slow.hits()).toBe(0);
      await stateBecomes(gateway.name, 'new', 'checking');
      slow.setReady(200);
      await settled(joined);
      await sendRequests({ port: gateway.port, requests: 10 });
      expect(slow.hits()).toBeGreaterThan(0);
    });

    it('counts per version what clients counted', async () => {
      const { gateway } = await serving([
        [7_500, 2],
        [2_500, 1],
      ]);
      const { port } = gateway;
      await sendRequests({ port, requests: 400 });
      await sendRequests({ port, requests: 40, path: '/status/404' });
      await sendRequests({ port, requests: 20, path: '/status/500' });
      const common = { connectErrors: 0, retries: 0, aborts: 0, inFlight: 0 };
      await until(async () => (await viewOf(gateway.name, '/v1')).sessions === 0);
      expect((await viewOf(gateway.name, '/v1')).counters).toEqual({
        ...common,
        requests: 345,
        status2xx: 300,
        status4xx: 30,
        status5xx: 15,
      });
      expect((await viewOf(gateway.name, '/v2')).counters).toEqual({
        ...common,
        requests: 115,
        status2xx: 100,
        status4xx: 10,
        status5xx: 5,
      });
    });

    it('keeps counting through changes of structure under load', async () => {
      const { gateway } = await serving([
        [5_000, 1],
        [5_000, 1],
      ]);
      const loads = [
        startLoad({ port: gateway.port, clients: 4 }),
        startLoad({ port: gateway.port, clients: 2, keepAlive: false }),
      ];
      for (let round = 0; round < 3; round += 1) {
        const { gateway: other } = await serving([[10_000, 1]]);
        gateways.delete(other.name);
        await proxy.apply([...gateways.values()], signal);
      }
      const seen = await Promise.all(loads.map((load) => load.stop()));
      expect(seen.map((each) => each.failed)).toEqual([0, 0]);
      const total = seen.reduce((sum, each) => sum + each.total, 0);
      await until(
        async () => {
          const versions = (await view(gateway.name)).versions;
          return versions.reduce((sum, each) => sum + each.counters.status2xx, 0) === total;
        },
        async () => ({ total, view: await view(gateway.name) }),
      );
    });

    it('lets a version take the place of another one', async () => {
      const { gateway, origins: own } = await serving([
        [5_000, 1],
        [5_000, 1],
      ]);
      await sendRequests({ port: gateway.port, requests: 100 });
      for (const round of [3, 4, 5, 6]) {
        const id = `/v${String(round)}`;
        const next = makeGateway(gateway.port, [
          version('/v1', 5_000, [server('v1.0', own[0]?.[0])]),
          version(id, 5_000, [server(`v${String(round)}.0`, await origin())]),
        ]);
        await put(next);
        await settled(next);
        const seen = await sendRequests({ port: gateway.port, requests: 100 });
        expect(seen.byVersion).toEqual({ 'v1:name': 50, [`v${String(round)}:name`]: 50 });
        expect((await viewOf(gateway.name, id)).counters.requests).toBe(50);
      }
    });

    it('leaves out a gateway whose port is taken, and no other', async () => {
      const { gateway } = await serving([[10_000, 1]]);
      const port = await freePort();
      const stranger = net.createServer();
      await new Promise<void>((resolve) => {
        stranger.listen(port, '127.0.0.1', () => resolve());
      });
      const load = startLoad({ port: gateway.port, clients: 2 });
      const conflicting = makeGateway(port, [
        version('/x', 10_000, [server('x.0', await origin())]),
      ]);
      await put(conflicting);
      expect(await view(conflicting.name)).toMatchObject({ error: { code: 'port-in-use' } });
      expect((await load.stop()).failed).toBe(0);
      await new Promise((resolve) => stranger.close(resolve));
      await put(conflicting);
      await settled(conflicting);
      expect((await view(conflicting.name)).error).toBeUndefined();
      expect((await sendRequests({ port, requests: 10 })).byVersion).toEqual({ 'x:name': 10 });
    });

    it('closes the listener of a gateway that is removed', async () => {
      const { gateway } = await serving([[10_000, 1]]);
      gateways.delete(gateway.name);
      await proxy.apply([...gateways.values()], signal);
      await until(
        async () =>
          (await sendRequests({ port: gateway.port, requests: 1, keepAlive: false })).failed === 1,
      );
      expect((await proxy.observe(signal)).gateways).toEqual([]);
    });

    it('splits connections of a tcp gateway', async () => {
      const port = await freePort();
      const [one, two] = [await startTcpOrigin('one'), await startTcpOrigin('two')];
      origins.push(one, two);
      const bare = (id: string, weight: number, from: Origin): ProxyVersion => ({
        id,
        name: id,
        weight,
        servers: [server(id.slice(1), from)],
      });
      const gateway: ProxyGateway = {
        ...makeGateway(port, [bare('/one', 7_500, one), bare('/two', 2_500, two)]),
        protocol: 'tcp',
      };
      await put(gateway);
      await settled(gateway);
      const answers: string[] = [];
      for (let at = 0; at < 40; at += 1) answers.push(await exchange(port, 'hello'));
      expect(answers.filter((answer) => answer === 'one:hello')).toHaveLength(30);
      expect(answers.filter((answer) => answer === 'two:hello')).toHaveLength(10);
      await until(async () => (await viewOf(gateway.name, '/two')).sessions === 0);
      expect((await viewOf(gateway.name, '/two')).counters.requests).toBe(10);
    });

    it('passes bodies and upgrades through', async () => {
      const { gateway } = await serving([[10_000, 1]]);
      expect(await post(gateway.port, '/echo', 'x'.repeat(200_000))).toBe('x'.repeat(200_000));
      expect(await upgrade(gateway.port, 'ping')).toBe('ping');
    });
  });
}

export function makeGateway(port: number, versions: readonly ProxyVersion[]): ProxyGateway {
  return { name: String(port), port, protocol: 'http', versions, fallback: [] };
}

export function version(id: string, weight: number, servers: readonly ProxyServer[]): ProxyVersion {
  return { id, name: `${id.slice(1)}:name`, weight, check: CHECK, servers };
}

export function server(id: string, origin: Origin | undefined): ProxyServer {
  if (origin === undefined) throw new Error(`no origin for ${id}`);
  return { id, host: origin.host, port: origin.port, mode: 'serve' };
}

export function reweigh(gateway: ProxyGateway, weights: readonly number[]): ProxyGateway {
  const versions = gateway.versions.map((each, at) => ({ ...each, weight: weights[at] ?? 0 }));
  return { ...gateway, versions };
}

export function withServers(
  gateway: ProxyGateway,
  id: string,
  servers: readonly ProxyServer[],
): ProxyGateway {
  const versions = gateway.versions.map((each) => (each.id === id ? { ...each, servers } : each));
  return { ...gateway, versions };
}

function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (bytes: Buffer) => {
      answer += bytes.toString();
    });
    socket.on('end', () => {
      socket.end();
      resolve(answer);
    });
    socket.on('error', reject);
  });
}

function post(port: number, path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method: 'POST', agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    request.end(body);
  });
}

function upgrade(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1',
      port,
      agent: false,
      headers: { connection: 'upgrade', upgrade: 'echo' },
    });
    request.on('error', reject);
    request.on('upgrade', (_response, socket) => {
      socket.once('data', (bytes: Buffer) => {
        socket.destroy();
        resolve(bytes.toString());
      });
      socket.write(text);
    });
    request.end();
  });
}
