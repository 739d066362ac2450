import { describe, expect, test } from 'vitest';
import { compileFile } from '../../reconciler/blueprint/compile.ts';
import { DEFAULT_ROLLOUT } from '../../reconciler/blueprint/rollout.ts';
import { blueprintWith as b, compiled, found, onlyVersion } from './compiling.ts';
import type { Rollout } from '../../reconciler/model/rollout.ts';

const whole = [{ weight: 10_000, bakeMs: 60_000 }];

describe('a rollout', () => {
  test('has defaults, and none of its checks is built', () => {
    expect(onlyVersion(b({})).rollout).toEqual({
      strategy: 'canary',
      steps: [100, 500, 2000, 5000, 10_000].map((weight) => ({ weight, bakeMs: 60_000 })),
      deadlineMs: 600_000,
      onFailure: 'rollback',
      drainMs: 30_000,
      warmMs: 120_000,
      keepMs: 3_600_000,
      minReady: 100,
    });
  });

  test('is read whole', () => {
    const rollout = [
      'rollout:',
      '  strategy: canary',
      '  steps: [0.5%, {weight: 5%, bake: 2m, approval: false}, {weight: 50%}, 100%]',
      '  surge: 100%',
      '  bake: 0s',
      '  checks: []',
      '  deadline: 1h',
      '  on_failure: hold',
      '  drain: 5sec',
      '  warm: 1minute',
      '  keep: 2hours',
      '  min_ready: 80%',
      '  release: alone',
      '  exposed: false',
    ].join('\n');
    expect(found(b({ cluster: rollout }))).toEqual([]);
    expect(onlyVersion(b({ cluster: rollout })).rollout).toEqual({
      strategy: 'canary',
      steps: [
        { weight: 50, bakeMs: 0 },
        { weight: 500, bakeMs: 120_000 },
        { weight: 5000, bakeMs: 0 },
        { weight: 10_000, bakeMs: 0 },
      ],
      deadlineMs: 3_600_000,
      onFailure: 'hold',
      drainMs: 5000,
      warmMs: 60_000,
      keepMs: 7_200_000,
      minReady: 80,
    });
  });

  test('of all-at-once has one step', () => {
    const { rollout } = onlyVersion(b({ blueprint: 'rollout: {strategy: all-at-once}' }));
    expect(rollout).toEqual({ ...DEFAULT_ROLLOUT, strategy: 'all-at-once', steps: whole });
  });

  test('is the nearest whole block: blocks are not merged', () => {
    const cluster = 'rollout: {drain: 1s}';
    const blueprint = 'rollout: {drain: 2s, warm: 3s}';
    expect(onlyVersion(b({ cluster, blueprint })).rollout).toEqual({
      ...DEFAULT_ROLLOUT,
      drainMs: 1000,
    });
    expect(onlyVersion(b({ blueprint })).rollout).toEqual({
      ...DEFAULT_ROLLOUT,
      drainMs: 2000,
      warmMs: 3000,
    });
  });

  test('of the configuration stands in where no file has one', () => {
    const rollout: Rollout = { ...DEFAULT_ROLLOUT, steps: whole };
    const compile = (text: string): unknown =>
      compileFile({ path: 'a.yml', text }, 'r', { rollout }).deployments[0]?.versions[0]?.rollout;
    expect(compile(b({}))).toEqual(rollout);
    expect(compile(b({ cluster: 'rollout: {}' }))).toEqual(DEFAULT_ROLLOUT);
  });

  test("of a gateway is its cluster's, and the blueprint's where it has several clusters", () => {
    const text = `
name: shop
rollout: {drain: 1s}
gateways: {9000: a/p, 9001: {routes: {a/p: {weight: 50%}, b/p: {weight: 50%}}}}
clusters:
  a: {rollout: {drain: 2s}, breed: {name: a, deployable: a, ports: {p: 1}}}
  b: {breed: {name: b, deployable: b, ports: {p: 1}}}
`;
    const { gateways } = compiled(text);
    expect(gateways.map(({ name, rollout }) => [name, rollout.drainMs])).toEqual([
      ['9000', 2000],
      ['9001', 1000],
    ]);
    expect(gateways[1]?.routes.map(({ weight, members }) => [weight, members.length])).toEqual([
      [50, 1],
      [50, 1],
    ]);
  });

  test.each<readonly [string, string, readonly string[]]>([
    [
      'a strategy that is not built yet',
      b({ cluster: 'rollout: {strategy: blue-green}' }),
      [
        'a.yml:4:25: error not-built-yet: the strategy `blue-green` is not built yet; supported are `canary` and `all-at-once`',
      ],
    ],
    [
      'another one',
      b({ cluster: 'rollout: {strategy: rolling}' }),
      [
        'a.yml:4:25: error not-built-yet: the strategy `rolling` is not built yet; supported are `canary` and `all-at-once`',
      ],
    ],
    [
      'a strategy that does not exist',
      b({ cluster: 'rollout: {strategy: canry}' }),
      [
        'a.yml:4:25: error unexpected-type: `strategy` must be `canary`, `all-at-once`, `blue-green` or `rolling`, found `canry`; did you mean `canary`?',
      ],
    ],
    [
      'checks',
      b({ cluster: 'rollout: {checks: [{success_rate: {compared_to: stable, tolerance: 0.5%}}]}' }),
      [
        'a.yml:4:15: error not-built-yet: checks are not built yet; remove them, and know that then nothing but health is watched',
      ],
    ],
    [
      'an approval',
      b({ cluster: 'rollout: {steps: [{weight: 5%, approval: true}, 100%]}' }),
      [
        'a.yml:4:46: error not-built-yet: approvals of steps are not built yet; remove `approval`; a commit that moves the weight is an approval',
      ],
    ],
    [
      'a surge',
      b({ cluster: 'rollout: {surge: 50%}' }),
      [
        'a.yml:4:22: error not-built-yet: a `surge` below 100% is not built yet; a candidate starts whole: write 100% or remove it',
      ],
    ],
    [
      'a preview',
      b({ cluster: 'rollout: {preview: {port: 10100}}' }),
      ['a.yml:4:15: error not-built-yet: previews are not built yet; remove `preview`'],
    ],
    [
      'clusters that are released together',
      b({ cluster: 'rollout: {release: together}' }),
      [
        'a.yml:4:24: error not-built-yet: `release: together` is not built yet; each cluster is released `alone`',
      ],
    ],
    [
      'steps that do not rise',
      b({ cluster: 'rollout: {steps: [5%, 5%, 2%, 100%]}' }),
      [
        'a.yml:4:27: error rollout-step-order: steps must rise: 5 % stands before it, found 5 %',
        'a.yml:4:31: error rollout-step-order: steps must rise: 5 % stands before it, found 2 %',
      ],
    ],
    [
      'steps that do not end at 100 %',
      b({ cluster: 'rollout: {steps: [5%, 50%]}' }),
      ['a.yml:4:27: error rollout-step-order: the last step must be 100%, found 50 %'],
    ],
    [
      'a step of 0 %',
      b({ cluster: 'rollout: {steps: [0%, 100%]}' }),
      ['a.yml:4:23: error rollout-step-order: steps must be above 0 %, found 0 %'],
    ],
    [
      'steps of another form',
      b({ cluster: 'rollout: {steps: [5, 0.001%, {wieght: 5%}, {weight: 100%, bake: soon}]}' }),
      [
        'a.yml:4:23: error unexpected-type: a step must be a percentage such as 5% or 0.5%, found `5`; write 5%',
        'a.yml:4:26: error unexpected-type: a step must be a percentage such as 5% or 0.5%, found `0.001%`',
        'a.yml:4:35: error unexpected-element: a step has no key `wieght`; did you mean `weight`?',
        'a.yml:4:35: error missing-path-value: a step needs `weight`',
        'a.yml:4:69: error unexpected-type: `bake` must be a time such as 30s, 10m or 1h, found `soon`',
      ],
    ],
    [
      'no steps',
      b({ cluster: 'rollout: {steps: []}' }),
      [
        'a.yml:4:22: error unexpected-type: `steps` must be a list such as [5%, 50%, 100%], found an empty list',
      ],
    ],
    [
      'steps of all-at-once',
      b({ cluster: 'rollout: {strategy: all-at-once, steps: [5%, 100%]}' }),
      [
        'a.yml:4:38: error unsupported-rollout-steps: `all-at-once` takes no steps; use `canary` for steps',
      ],
    ],
    [
      'keys and values that are wrong',
      b({
        cluster:
          'rollout: {bakes: 1m, deadline: 10, on_failure: retry, min_ready: 0%, keep: 1.5h, exposed: maybe}',
      }),
      [
        'a.yml:4:15: error unexpected-element: a rollout has no key `bakes`; did you mean `bake`?',
        'a.yml:4:36: error unexpected-type: `deadline` must be a time such as 30s, 10m or 1h, found `10`',
        'a.yml:4:52: error unexpected-type: `on_failure` must be `rollback` or `hold`, found `retry`',
        'a.yml:4:70: error unexpected-type: `min_ready` must be from 1% to 100%; at 0% a version without instances would be ready',
        'a.yml:4:80: error unexpected-type: `keep` must be a time such as 30s, 10m or 1h, found `1.5h`',
        'a.yml:4:95: error unexpected-type: `exposed` must be true or false, found a text',
      ],
    ],
    [
      'what needs checks to mean anything',
      b({ cluster: 'rollout: {patience: 5m, on_little_traffic: wait}' }),
      [
        'a.yml:4:15: warning no-effect: `patience` is about verdicts of checks; there are none yet, so it has no effect',
        'a.yml:4:29: warning no-effect: `on_little_traffic` is about verdicts of checks; there are none yet, so it has no effect',
      ],
    ],
    [
      'a reference',
      b({ cluster: 'rollout: slow' }),
      [
        'a.yml:4:14: error not-built-yet: references to stored rollouts are not built yet; write the rollout itself',
      ],
    ],
    [
      'a place where it does not belong',
      b({ service: 'rollout: {}' }),
      [
        'a.yml:8:9: error unexpected-element: a service has no key `rollout`; `rollout` stands on the cluster, beside `services`',
      ],
    ],
  ])('reports %s', (_name, text, expected) => {
    expect(found(text)).toEqual(expected);
  });
});
