import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { renderStatus } from '../../reconciler/commands/status.ts';
import type { Status } from '../../reconciler/model/status.ts';

const NOW = Date.UTC(2026, 10, 21, 7, 0, 0);
const REVISION = '1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d5e6f1a2b';
const PLAIN = { colour: false, timeZone: 'UTC' };

const CONVERGED: Status = {
  at: NOW,
  owner: 'sluice',
  source: { state: 'fresh', message: '', revision: REVISION, faulty: [], diagnostics: [] },
  platform: { state: 'up', message: '' },
  units: [],
  holds: [],
};

const CANARY: Status = {
  ...CONVERGED,
  units: [
    {
      unit: 'simpleservice',
      phase: 'baking',
      reason: 'bake',
      message: 'baking at 20 %',
      revision: REVISION,
      lookAgainAt: NOW + 42_000,
      gateways: [
        {
          name: '10099',
          title: 'simpleservice/10099',
          port: 10_099,
          nodes: [
            { node: 'edge-1', state: 'settled' },
            { node: 'edge-2', state: 'unseen', message: 'connection refused' },
            { node: 'edge-3', state: 'behind' },
          ],
          step: {
            version: 'simpleservice:1.0@5e6f7a8b',
            index: 3,
            of: 5,
            bakesUntil: NOW + 41_500,
          },
          routes: [
            {
              id: '/sluice/simpleservice/web/simpleservice-0.9-1a2b3c4d',
              name: 'simpleservice:0.9@1a2b3c4d',
              target: 0,
              asked: 8_000,
              seen: 8_000,
              requests: 8_020,
              errors: 0,
            },
            {
              id: '/sluice/simpleservice/web/simpleservice-1.0-5e6f7a8b',
              name: 'simpleservice:1.0@5e6f7a8b',
              target: 10_000,
              asked: 2_000,
              seen: 500,
              requests: 1_980,
              errors: 3,
            },
            {
              id: '10.0.0.9:80',
              name: '10.0.0.9:80',
              target: 0,
              asked: 0,
              seen: 0,
              requests: 0,
              errors: 0,
            },
          ],
        },
      ],
      versions: [
        {
          id: '/sluice/simpleservice/web/simpleservice-0.9-1a2b3c4d',
          deployment: 'simpleservice',
          cluster: 'web',
          service: 'simpleservice:0.9',
          digest: '1-1a2b3c4d5e6f7a8b',
          wanted: 2,
          instances: 2,
          ready: 2,
          state: 'ready',
          note: '',
        },
        {
          id: '/sluice/simpleservice/web/simpleservice-1.0-5e6f7a8b',
          deployment: 'simpleservice',
          cluster: 'web',
          service: 'simpleservice:1.0',
          digest: '1-5e6f7a8b1a2b3c4d',
          wanted: 2,
          instances: 2,
          ready: 1,
          state: 'starting',
          note: '1 of 2 instances is not up yet',
        },
        {
          id: '/sluice/simpleservice/web/simpleservice-0.8-99999999',
          deployment: 'simpleservice',
          cluster: 'web',
          service: 'simpleservice:0.8',
          digest: '1-9999999900000000',
          wanted: 0,
          instances: 0,
          ready: 0,
          state: 'parked',
          note: 'deleted in 40m',
        },
      ],
      warnings: ['somebody scaled simpleservice:0.9 to 3'],
    },
  ],
};

const TROUBLED: Status = {
  at: NOW,
  owner: 'shop-team',
  source: {
    state: 'remote-down',
    message: 'could not resolve git.example.com',
    revision: REVISION,
    faulty: ['cart.yml', 'pay.yml'],
    diagnostics: [
      {
        file: 'cart.yml',
        line: 7,
        column: 3,
        severity: 'error',
        code: 'unexpected-element',
        message: 'a breed has no key `deployble`; did you mean `deployable`?',
      },
    ],
  },
  platform: { state: 'down', message: 'connection refused' },
  units: [
    {
      unit: 'shop',
      phase: 'held',
      reason: 'prune',
      message: '5 apps would go at once',
      revision: REVISION,
      gateways: [],
      versions: [],
      warnings: [],
    },
  ],
  holds: [
    {
      id: 'a1b2c3',
      reason: 'prune',
      message: 'git does not ask for 4 apps any more',
      list: Array.from({ length: 4 }, (_, index) => `/sluice/shop/app-${String(index)}`),
    },
  ],
};

describe('status', () => {
  it('shows a rollout on its way: phase, steps, weights asked and seen, share measured', () => {
    expect(renderStatus(CANARY, NOW, PLAIN)).toMatchInlineSnapshot(`
      "sluice, seen at 2026-11-21T07:00:00Z
      source    fresh at 1a2b3c4d
      platform  up

      simpleservice: baking (bake)
        baking at 20 %
        warning: somebody scaled simpleservice:0.9 to 3
        commit 1a2b3c4d, looks again in 42s

        gateway simpleservice/10099
        node edge-2 unseen: connection refused
        node edge-3 behind
        version                     state     ready  target  asked  seen   share  requests  errors  step  bakes  note
        simpleservice:0.9@1a2b3c4d  ready       2/2     0 %   80 %  80 %  80.2 %      8020       0
        simpleservice:1.0@5e6f7a8b  starting    1/2   100 %   20 %   5 %  19.8 %      1980       3   3/5    42s  1 of 2 instances is not up yet
        10.0.0.9:80                 external      -     0 %    0 %   0 %   0.0 %         0       0

        without traffic
        version                     state   ready  note
        simpleservice:0.8@99999999  parked    0/0  deleted in 40m
      "
    `);
  });

  it('shows what waits for a person, and exactly what they may say', () => {
    expect(renderStatus(TROUBLED, NOW, PLAIN)).toMatchInlineSnapshot(`
      "shop-team, seen at 2026-11-21T07:00:00Z
      source    remote-down at 1a2b3c4d: could not resolve git.example.com
      platform  down: connection refused
      2 files keep their last good state until mended:
        pay.yml
        cart.yml:7:3: error unexpected-element: a breed has no key \`deployble\`; did you mean \`deployable\`?

      waits for you: git does not ask for 4 apps any more (prune)
        - /sluice/shop/app-0
        - /sluice/shop/app-1
        - /sluice/shop/app-2
        - /sluice/shop/app-3
        to go on: sluice approve a1b2c3

      shop: held (prune)
        5 apps would go at once
        commit 1a2b3c4d
      "
    `);
  });

  it('cuts lists that no terminal could show', () => {
    const list = Array.from({ length: 60 }, (_, index) => `/app-${String(index)}`);
    const holds = TROUBLED.holds.map((hold) => ({ ...hold, list }));
    expect(renderStatus({ ...TROUBLED, holds }, NOW, PLAIN)).toContain(
      '  - /app-49\n  - and 10 more (--output json has all of them)\n  to go on: sluice approve a1b2c3\n',
    );
  });

  it('measures shares since an earlier look, and from nothing where counters began anew', () => {
    const [unit] = CANARY.units;
    const [gateway] = unit?.gateways ?? [];
    if (unit === undefined || gateway === undefined) throw new Error('no gateway');
    const requests = [8_010, 5_000, 0];
    const routes = gateway.routes.map((route, index) => ({
      ...route,
      requests: requests[index] ?? 0,
    }));
    const before: Status = { ...CANARY, units: [{ ...unit, gateways: [{ ...gateway, routes }] }] };
    const shares = renderStatus(CANARY, NOW, { ...PLAIN, before }).match(/\d+\.\d %/g);
    expect(shares).toEqual(['0.5 %', '99.5 %', '0.0 %']);
    const idle = renderStatus(CANARY, NOW, { ...PLAIN, before: CANARY });
    expect(idle).not.toMatch(/\d\.\d %/);
  });

  it('says little where there is little to say', () => {
    expect(renderStatus(CONVERGED, NOW, PLAIN)).toMatchInlineSnapshot(`
      "sluice, seen at 2026-11-21T07:00:00Z
      source    fresh at 1a2b3c4d
      platform  up

      git asks for nothing, and nothing runs
      "
    `);
  });

  it('is the same text with colours, and has none without', () => {
    for (const status of [CANARY, TROUBLED, CONVERGED]) {
      const plain = renderStatus(status, NOW, PLAIN);
      const coloured = renderStatus(status, NOW, { ...PLAIN, colour: true });
      expect(stripVTControlCharacters(coloured)).toBe(plain);
      expect(plain).not.toContain('\u001B');
      expect(coloured).toContain('\u001B');
    }
  });
});
