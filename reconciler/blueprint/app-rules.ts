import { isObject, objectsOf } from './json.ts';
import { spotOf } from './exposure.ts';
import type { Json, JsonObject, MarathonApp } from '../model/marathon-app.ts';
import type { Dialect } from './dialect.ts';
import type { Findings } from './diagnostics.ts';
import type { Spot } from './tree.ts';

const OPERATORS = ['UNIQUE', 'CLUSTER', 'GROUP_BY', 'LIKE', 'UNLIKE', 'MAX_PER', 'IS'];

/**
 * Rules of Marathon that a dialect can break (marathon-app section 8), checked before anything is
 * sent, and what keeps two versions from running side by side (design section 6).
 */
export function checkApp(app: MarathonApp, dialect: Dialect | undefined, findings: Findings): void {
  if (dialect === undefined) return;
  const spot = (key: string): Spot => spotOf(key, dialect) ?? dialect.spot;
  const bad = (key: string, message: string): undefined =>
    findings.error(spot(key), 'invalid-marathon-app', message);
  if (app['cmd'] !== undefined && lengthOf(app['args']) > 0) {
    bad('args', 'an app has `cmd` or `args`, not both');
  }
  if (lengthOf(app['readinessChecks']) > 1) {
    bad('readinessChecks', 'Marathon takes one readiness check');
  }
  checkStrategy(app['upgradeStrategy'], bad);
  checkConstraints(app['constraints'], bad);
  const anchor = sideBySideObstacle(app);
  if (anchor === undefined) return;
  const message = `${anchor.what}, so two versions cannot run side by side; that needs the strategy \`rolling\`, which is not built yet`;
  findings.error(spot(anchor.key), 'not-built-yet', message);
}

function lengthOf(json: Json | undefined): number {
  return Array.isArray(json) ? json.length : 0;
}

function checkStrategy(
  strategy: Json | undefined,
  bad: (key: string, message: string) => undefined,
): void {
  if (!isObject(strategy)) return;
  const minimum = strategy['minimumHealthCapacity'];
  const maximum = strategy['maximumOverCapacity'];
  if (typeof minimum !== 'number' || typeof maximum !== 'number') {
    bad('upgradeStrategy', 'give both `minimumHealthCapacity` and `maximumOverCapacity`');
  } else if (minimum < 0 || minimum > 1 || maximum < 0) {
    const message = '`minimumHealthCapacity` is from 0 to 1, `maximumOverCapacity` 0 or more';
    bad('upgradeStrategy', message);
  }
}

function checkConstraints(
  constraints: Json | undefined,
  bad: (key: string, message: string) => undefined,
): void {
  if (!Array.isArray(constraints)) return;
  for (const constraint of constraints as readonly Json[]) {
    const operator = Array.isArray(constraint) ? String(constraint[1]) : '';
    if (OPERATORS.includes(operator)) continue;
    bad(
      'constraints',
      `a constraint is [field, operator, value] with one of ${OPERATORS.join(', ')}`,
    );
  }
}

function sideBySideObstacle(
  app: MarathonApp,
): { readonly key: string; readonly what: string } | undefined {
  const volumes = objectsOf(isObject(app['container']) ? app['container']['volumes'] : undefined);
  if (volumes.some((volume) => isObject(volume['persistent']) || isObject(volume['external']))) {
    return { key: 'volumes', what: 'a persistent or external volume belongs to one app' };
  }
  if (app['residency'] !== undefined) {
    return { key: 'residency', what: '`residency` binds tasks to their volumes' };
  }
  if (isSingleInstance(app['labels'])) {
    const key = 'MARATHON_SINGLE_INSTANCE_APP';
    return { key, what: `\`${key}\` allows one instance at a time` };
  }
  if (isBoundToHosts(app)) {
    return { key: 'constraints', what: 'a constraint binds the instances to one host' };
  }
  return undefined;
}

function isSingleInstance(labels: Json | undefined): boolean {
  return isObject(labels) && labels['MARATHON_SINGLE_INSTANCE_APP'] === 'true';
}

/** `hostname CLUSTER host` and `hostname IS host`: with fixed ports there is room for one only. */
function isBoundToHosts(app: JsonObject): boolean {
  const constraints = app['constraints'];
  if (!Array.isArray(constraints)) return false;
  return (constraints as readonly Json[]).some(
    (rule) =>
      Array.isArray(rule) && rule[0] === 'hostname' && /^(?:CLUSTER|IS)$/.test(String(rule[1])),
  );
}
