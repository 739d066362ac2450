import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import pino from 'pino';
import { afterEach, expect, it } from 'vitest';

import { createHaproxyProxy } from '../../reconciler/gateway/agent/haproxy/haproxy-proxy.ts';
import { TUNING, type Proxy, type ProxyGateway } from '../../reconciler/gateway/agent/proxy.ts';
import { startLoad, type Seen } from './clients.ts';
import { withHaproxy } from './haproxy-binary.ts';
import { freePort, startOrigin, until, type Origin } from './origins.ts';
import { makeGateway, server, version, withServers } from './proxy-contract.ts';

const signal = new AbortController().signal;
const ROUNDS = 5;
const SERVERS_A_ROUND = 10;
const RELOADS = 20;

/** The experiment behind docs/adr/0002-haproxy-layout.md, kept: its numbers are printed. */
withHaproxy('the HAProxy layout', () => {
  let proxy: Proxy | undefined;
  const origins: Origin[] = [];
  const strangers: net.Server[] = [];

  afterEach(async () => {
    await proxy?.close('stop');
    await Promise.all(origins.map((origin) => origin.close()));
    for (const stranger of strangers) stranger.close();
  });

  async function origin(): Promise<Origin> {
    const started = await startOrigin();
    origins.push(started);
    return started;
  }
  async function seen(gateway: ProxyGateway) {
    const view = await proxy?.observe(signal);
    const found = view?.gateways.find((each) => each.name === gateway.name);
    if (view === undefined || found === undefined) throw new Error(`no gateway ${gateway.name}`);
    return { ...found, reloads: view.reloads };
  }
  async function upServers(gateway: ProxyGateway): Promise<readonly string[]> {
    const { versions } = await seen(gateway);
    const servers = versions.flatMap((each) => each.servers);
    return servers.filter((each) => each.state === 'up').map((each) => each.id);
  }

  it(
    'survives 50 servers, 20 reloads, a taken port and a dead version without a failed request',
    { timeout: 120_000 },
    async () => {
      proxy = await createHaproxyProxy({
        binary: 'haproxy',
        folder: mkdtempSync(path.join(tmpdir(), 'gw-')),
        bindHost: '127.0.0.1',
        tuning: { ...TUNING, checkIntervalMs: 200, connectHoldMs: 300 },
        logger: pino({ level: 'warn' }),
      });
      const doomed = await origin();
      const fixed = server('v1.0', await origin());
      const port = await freePort();
      const gateway = makeGateway(port, [
        version('/v1', 7_500, [fixed]),
        version('/v2', 2_500, [server('v2.0', await origin())]),
        version('/v3', 0, [server('v3.0', doomed)]),
      ]);
      await proxy.apply([gateway], signal);
      await until(async () => (await upServers(gateway)).length === 3);
      const loads = [
        startLoad({ port, clients: 6 }),
        startLoad({ port, clients: 2, keepAlive: false }),
      ];

      for (let round = 0; round < ROUNDS; round += 1) {
        const extra = await Promise.all(Array.from({ length: SERVERS_A_ROUND }, origin));
        const names = extra.map((_each, at) => `extra.${String(round)}.${String(at)}`);
        const joined = withServers(gateway, '/v1', [
          fixed,
          ...extra.map((each, at) => server(names[at] ?? '', each)),
        ]);
        await proxy.apply([joined], signal);
        await until(async () => {
          const up = await upServers(joined);
          return names.every((name) => up.includes(name));
        });
        await proxy.apply([gateway], signal);
        await until(async () => (await seen(gateway)).versions[0]?.servers.length === 1);
      }

      const neighbour = makeGateway(await freePort(), []);
      for (let at = 0; at < RELOADS; at += 1) {
        await proxy.apply(at % 2 === 0 ? [gateway, neighbour] : [gateway], signal);
      }
      const stranger = net.createServer();
      strangers.push(stranger);
      const taken = makeGateway(await freePort(), []);
      await new Promise<void>((resolve) => {
        stranger.listen(taken.port, '127.0.0.1', () => resolve());
      });
      await proxy.apply([gateway, taken], signal);
      expect((await seen(taken)).error?.code).toBe('port-in-use');

      // The dead version gets weight only once it is down: its share must go to the others at once.
      await doomed.close();
      await until(async () => (await seen(gateway)).versions[2]?.servers[0]?.state === 'down');
      const [one, two, three] = gateway.versions;
      if (one === undefined || two === undefined || three === undefined) throw new Error('lost');
      const heavy: ProxyGateway = { ...gateway, versions: [one, two, { ...three, weight: 2_500 }] };
      const lighter = {
        ...heavy,
        versions: [{ ...one, weight: 5_000 }, two, ...heavy.versions.slice(2)],
      };
      await proxy.apply([lighter], signal);
      const before = (await seen(gateway)).versions.map((each) => each.counters.requests);
      await until(async () => {
        const now = (await seen(gateway)).versions.map((each) => each.counters.requests);
        return (now[0] ?? 0) - (before[0] ?? 0) > 300;
      });

      const clients = await Promise.all(loads.map((load) => load.stop()));
      const total = sum(clients, (each) => each.total);
      expect(sum(clients, (each) => each.failed)).toBe(0);
      expect(sum(clients, (each) => each.byStatus['200'] ?? 0)).toBe(total);
      await until(async () => {
        const { versions } = await seen(gateway);
        return versions.every((each) => each.sessions === 0);
      });
      const { versions, reloads } = await seen(gateway);
      const counted = versions.map((each) => each.counters);
      console.log(
        JSON.stringify({ total, failed: 0, reloads, counted, haproxy: haproxyVersion() }),
      );
      for (const id of ['v1', 'v2', 'v3']) {
        const got = sum(clients, (each) => each.byVersion[`${id}:name`] ?? 0);
        const view = versions.find((each) => each.id === `/${id}`)?.counters;
        expect({ id, requests: view?.requests, ok: view?.status2xx }).toEqual({
          id,
          requests: got,
          ok: got,
        });
      }
      expect(reloads).toBeGreaterThanOrEqual(RELOADS);
    },
  );
});

function sum(clients: readonly Seen[], value: (each: Seen) => number): number {
  return clients.reduce((total, each) => total + value(each), 0);
}

function haproxyVersion(): string {
  return execFileSync('haproxy', ['-v']).toString().split('\n')[0] ?? '';
}
