import { describe, expect, it } from 'vitest';

import {
  mapsOf,
  parseMap,
  planMap,
  readWeights,
} from '../../reconciler/gateway/agent/haproxy/maps.ts';
import { parseProcesses } from '../../reconciler/gateway/agent/haproxy/master.ts';
import {
  assignSlots,
  serverName,
  structureOf,
  type GatewaySlots,
} from '../../reconciler/gateway/agent/haproxy/slots.ts';
import { parseStats } from '../../reconciler/gateway/agent/haproxy/stats.ts';
import { Tally } from '../../reconciler/gateway/agent/haproxy/tally.ts';
import type { ProxyGateway, ProxyVersion } from '../../reconciler/gateway/agent/proxy.ts';
import { makeGateway, version } from './proxy-contract.ts';

const occupied = (): boolean => false;
const empty = (): boolean => true;

function bare(id: string): ProxyVersion {
  return { id, name: id, weight: 0, servers: [] };
}

function versionsOf(slots: GatewaySlots): readonly (string | undefined)[] {
  return slots.slots.map((slot) => slot.version);
}

describe('slots', () => {
  const gateway = makeGateway(10_099, [version('/a', 1, []), version('/b', 1, [])]);
  const first = assignSlots(undefined, gateway, empty);

  it('are four, filled from the first', () => {
    expect(versionsOf(first)).toEqual(['/a', '/b', undefined, undefined]);
    expect(first.slots.map((slot) => slot.check)).toEqual(['http', 'http', 'http', 'http']);
  });

  it('stay with their version, and a leaving one keeps its slot until it is empty', () => {
    const next: ProxyGateway = {
      ...gateway,
      versions: [version('/b', 1, []), version('/c', 1, [])],
    };
    const leaving = assignSlots(first, next, occupied);
    expect(versionsOf(leaving)).toEqual(['/a', '/b', '/c', undefined]);
    expect(structureOf([leaving])).toBe(structureOf([first]));
    expect(versionsOf(assignSlots(leaving, next, empty))).toEqual([
      undefined,
      '/b',
      '/c',
      undefined,
    ]);
  });

  it('grow when all are taken, which is another structure', () => {
    const five = {
      ...gateway,
      versions: ['/a', '/b', '/c', '/d', '/e'].map((id) => version(id, 1, [])),
    };
    const grown = assignSlots(first, five, occupied);
    expect(versionsOf(grown)).toEqual(['/a', '/b', '/c', '/d', '/e']);
    expect(structureOf([grown])).not.toBe(structureOf([first]));
  });

  it('change their kind of check only for a version that needs the other one', () => {
    const mixed = { ...gateway, versions: [version('/a', 1, []), bare('/x')] };
    const slots = assignSlots(undefined, mixed, empty);
    expect(slots.slots.map((slot) => slot.check)).toEqual(['http', 'connect', 'http', 'http']);
  });
});

describe('maps', () => {
  const gateway: ProxyGateway = {
    ...makeGateway(10_099, [version('/a', 9_900, []), version('/b', 100, [])]),
    fallback: ['/b', '/a', '/nowhere'],
  };
  const slots = assignSlots(undefined, gateway, empty);
  const maps = mapsOf([{ gateway, slots }]);

  it('carry the vector with what it was divided by', () => {
    expect(maps.weights.get('sluice-10099')).toBe('99:1:0:0:100');
    expect(readWeights('99:1:0:0:100')).toEqual([9_900, 100, 0, 0]);
  });
  it('carry the fallback, and none when all weights are 0', () => {
    expect(maps.fallback.get('sluice-10099')).toBe('sluice-10099_2:sluice-10099_1');
    const closed = {
      ...gateway,
      versions: gateway.versions.map((each) => ({ ...each, weight: 0 })),
    };
    expect(mapsOf([{ gateway: closed, slots }]).fallback.get('sluice-10099')).toBe('-');
  });
  it('are changed by the fewest commands', () => {
    const seen = parseMap('0x1 k v\n0x2 l m n\n0x3 k twice');
    expect([...seen]).toEqual([
      ['k', 'v'],
      ['l', 'm n'],
    ]);
    const wanted = new Map([
      ['k', 'w;x'],
      ['l', 'm n'],
      ['o', 'p'],
    ]);
    expect(planMap('/f', seen, wanted)).toEqual(['set map /f k w\\;x', 'add map /f o p']);
  });
});

describe('counters', () => {
  const row = (backend: string, requests: number) =>
    parseStats(`# pxname,svname,req_tot,new_column\n${backend},BACKEND,${String(requests)},x\n`);
  const owner = (name: string | undefined) => () => name;

  it('go on over a new worker and start anew with a new version', () => {
    const tally = new Tally();
    tally.collect(1, row('s_1', 10), owner('a'));
    tally.collect(1, row('s_1', 15), owner('a'));
    tally.collect(2, row('s_1', 3), owner('a'));
    tally.collect(1, row('s_1', 16), owner('a'));
    expect(tally.countedOf('a').requests).toBe(19);
    tally.collect(2, row('s_1', 3), owner(undefined));
    tally.collect(2, row('s_1', 7), owner('b'));
    expect(tally.countedOf('b').requests).toBe(4);
    expect(tally.countedOf('a').requests).toBe(19);
  });

  it('survive the agent, and do not count what a strange worker did before', () => {
    const tally = new Tally();
    tally.collect(1, row('s_1', 10), owner('a'));
    const next = new Tally(tally.toJSON());
    next.baseline(1, row('s_1', 12));
    next.collect(1, row('s_1', 12), owner('a'));
    expect(next.countedOf('a').requests).toBe(12);
    next.baseline(9, row('s_1', 100));
    next.collect(9, row('s_1', 101), owner('a'));
    expect(next.countedOf('a').requests).toBe(13);
  });
});

it('reads processes as HAProxy 2.6 lists them', () => {
  const text = [
    '#<PID>          <type>          <reloads>       <uptime>        <version>',
    '11              master          1 [failed: 0]   0d00h00m03s     2.6.12',
    '# workers',
    '13              worker          0               0d00h00m00s     2.6.12',
    '# old workers',
    '12              worker          1               0d00h00m03s     2.6.12',
    '# programs',
  ].join('\n');
  expect(parseProcesses(text)).toEqual({ master: 11, worker: 13, old: [12] });
  expect(parseProcesses('')).toBeUndefined();
});

it('names servers after their task unless HAProxy would not have it', () => {
  expect(serverName('shop_web.instance-1._app.1')).toBe('shop_web.instance-1._app.1');
  expect(serverName('ümlaut/1')).toMatch(/^t-[0-9a-f]{32}$/u);
});
