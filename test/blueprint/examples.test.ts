import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BLUEPRINT_SHAPE } from '../../reconciler/blueprint/blueprint.ts';
import { BREED_SHAPE, DEPLOYABLE_SHAPE } from '../../reconciler/blueprint/breed.ts';
import { CLUSTER_SHAPE, SERVICE_SHAPE } from '../../reconciler/blueprint/cluster.ts';
import { compile } from '../../reconciler/blueprint/compile.ts';
import { MARATHON_FIELDS } from '../../reconciler/blueprint/dialect.ts';
import {
  CLUSTER_GATEWAY_SHAPE,
  EXTERNAL_GATEWAY_SHAPE,
  GATEWAY_SHAPE,
} from '../../reconciler/blueprint/gateway.ts';
import { HEALTH_CHECK_SHAPE } from '../../reconciler/blueprint/health-check.ts';
import { ROLLOUT_SHAPE, STEP_SHAPE } from '../../reconciler/blueprint/rollout.ts';
import { ROUTE_SHAPE } from '../../reconciler/blueprint/route.ts';
import { SCALE_SHAPE } from '../../reconciler/blueprint/scale.ts';

const root = new URL('../../', import.meta.url);
const paths = readdirSync(new URL('blueprints/', root)).filter((name) => name.endsWith('.yml'));
const files = paths.map((path) => ({
  path,
  text: readFileSync(new URL(`blueprints/${path}`, root), 'utf8'),
}));

describe('the examples', () => {
  test.each(files)('compile by themselves without a finding: $path', (file) => {
    const { diagnostics, desired } = compile({ revision: 'r', files: [file] });
    expect(diagnostics).toEqual([]);
    expect(desired.gateways).toHaveLength(1);
  });

  test('live in one repository without a clash', () => {
    const { diagnostics, desired } = compile({ revision: 'r', files });
    expect(diagnostics).toEqual([]);
    expect(desired.gateways.map(({ title }) => title).toSorted()).toEqual([
      'clock/9080',
      'images/9090',
      'newsletter/9060',
      'orders',
      'shop/9050',
    ]);
  });
});

describe('the blueprint reference', () => {
  const reference = readFileSync(new URL('docs/blueprint-reference.md', root), 'utf8');
  const shapes = [
    BLUEPRINT_SHAPE,
    CLUSTER_SHAPE,
    SERVICE_SHAPE,
    BREED_SHAPE,
    DEPLOYABLE_SHAPE,
    SCALE_SHAPE,
    HEALTH_CHECK_SHAPE,
    GATEWAY_SHAPE,
    EXTERNAL_GATEWAY_SHAPE,
    CLUSTER_GATEWAY_SHAPE,
    ROUTE_SHAPE,
    ROLLOUT_SHAPE,
    STEP_SHAPE,
  ];

  test.each(shapes)('names every key of $what', ({ keys, aliases = {} }) => {
    const missing = [...keys, ...Object.keys(aliases)].filter(
      (key) => !reference.includes(`\`${key}\``),
    );
    expect(missing).toEqual([]);
  });

  test('names every Marathon field of the dialect', () => {
    expect(MARATHON_FIELDS.filter((key) => !reference.includes(`\`${key}\``))).toEqual([]);
  });
});
