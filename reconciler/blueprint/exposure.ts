import { isObject, objectsOf } from './json.ts';
import type { Json, MarathonApp } from '../model/marathon-app.ts';
import type { Dialect } from './dialect.ts';
import type { Findings } from './diagnostics.ts';
import type { Node, Spot } from './tree.ts';

/** One way past the gateway: a label or port by which others send traffic to an app. */
interface Exposure {
  /** The label's or field's name. */
  readonly key: string;
  /** What is exposed; versions with equal ones share the traffic. Undefined: each has its own. */
  readonly name: string | undefined;
}

export interface ExposedVersion {
  readonly service: string;
  readonly definition: MarathonApp;
  readonly dialect: Dialect | undefined;
  /** The cluster's rollout says `exposed: true`. */
  readonly exposed: boolean;
}

const PORT_LABEL = /^VIP_[0-9]+$/;
const APP_LABEL = /^(?:HAPROXY_GROUP|HAPROXY_[0-9]+_(?:GROUP|VHOST)|traefik\..+|avi_proxy.*)$/;
/** These only say that a proxy may expose the app, under a name made of its id. */
const OWN_NAME = /^(?:HAPROXY_GROUP|HAPROXY_[0-9]+_GROUP|traefik\.enable)$/;

/**
 * `bypasses-gateway` (design section 6): a warning where the exposed name is the version's own, an
 * error where versions of the cluster share it: clients there would see a split of nobody's making.
 */
export function checkExposure(versions: readonly ExposedVersion[], findings: Findings): void {
  const seen = new Map<string, string>();
  const rows = versions.map((version) => ({ version, exposures: exposuresOf(version.definition) }));
  for (const { version, exposures } of rows) {
    for (const { key, name } of exposures) {
      const id = `${key}=${name ?? ''}`;
      const other = name === undefined ? undefined : seen.get(id);
      if (!seen.has(id)) seen.set(id, version.service);
      const spot = spotOf(key, version.dialect);
      if (spot === undefined) continue;
      report({ key, version, other }, spot, findings);
    }
  }
}

function report(
  found: {
    readonly key: string;
    readonly version: ExposedVersion;
    readonly other?: string | undefined;
  },
  spot: Spot,
  findings: Findings,
): void {
  const { key, version, other } = found;
  const what = `\`${key}\` lets traffic reach \`${version.service}\` past its gateway`;
  if (other === undefined || other === version.service || version.exposed) {
    findings.warning(spot, 'bypasses-gateway', `${what}; no weight governs it`);
    return;
  }
  const mend =
    'give each service a name of its own, or say `exposed: true` in the rollout of the cluster';
  findings.error(
    spot,
    'bypasses-gateway',
    `${what} under a name that \`${other}\` has too; ${mend}`,
  );
}

function exposuresOf(app: MarathonApp): readonly Exposure[] {
  const container = app['container'];
  const mappings = objectsOf(isObject(container) ? container['portMappings'] : undefined);
  const definitions = objectsOf(app['portDefinitions']);
  const fixed = [
    ...mappings.flatMap((port) => [
      ...fixedPort('hostPort', port['hostPort']),
      ...fixedPort('servicePort', port['servicePort']),
    ]),
    ...definitions.flatMap((port) => fixedPort('port', port['port'])),
  ];
  const portLabels = [...mappings, ...definitions].flatMap((port) =>
    labelsOf(port['labels'], PORT_LABEL),
  );
  return [...labelsOf(app['labels'], APP_LABEL), ...portLabels, ...fixed];
}

function fixedPort(key: string, port: Json | undefined): readonly Exposure[] {
  return typeof port === 'number' && port > 0 ? [{ key, name: String(port) }] : [];
}

function labelsOf(labels: Json | undefined, form: RegExp): readonly Exposure[] {
  if (!isObject(labels)) return [];
  return Object.entries(labels)
    .filter(([key]) => form.test(key))
    .map(([key, value]) => ({
      key,
      name: OWN_NAME.test(key) ? undefined : JSON.stringify(value),
    }));
}

/** Where a key stands in a dialect, at any depth. */
export function spotOf(key: string, dialect: Dialect | undefined): Spot | undefined {
  return dialect === undefined ? undefined : (spotBelow(key, dialect.node) ?? dialect.spot);
}

function spotBelow(key: string, node: Node): Spot | undefined {
  if (node.kind === 'scalar') return undefined;
  const direct = node.kind === 'map' && node.entries.find((entry) => entry.key === key);
  if (direct) return direct.keySpot;
  const children = node.kind === 'list' ? node.items : node.entries.map(({ value }) => value);
  for (const child of children) {
    const spot = spotBelow(key, child);
    if (spot !== undefined) return spot;
  }
  return undefined;
}
