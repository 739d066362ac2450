import { entriesOf, shown, unexpectedType } from './fields.ts';
import { suggestion } from '../model/nearest.ts';
import { scanReferences } from './reference.ts';
import { isNull } from './tree.ts';
import { notBuiltYet } from './unbuilt.ts';
import type { Json, JsonObject } from '../model/marathon-app.ts';
import type { Findings } from './diagnostics.ts';
import type { Entry, MapNode, Node, Spot } from './tree.ts';

/** The `marathon` part of one level's dialects, as the author wrote it. */
export interface Dialect {
  readonly spot: Spot;
  readonly node: MapNode;
  readonly json: JsonObject;
}

const OTHER_DRIVERS = ['docker', 'kubernetes', 'rancher'];

/** Fields of an app that a reconciler sets itself, or that only answers have. */
const RESERVED: Readonly<Record<string, string>> = {
  id: 'Sluice names the app',
  instances: 'write `scale: {instances: ...}`',
  cpus: 'write `scale: {cpu: ...}`',
  mem: 'write `scale: {memory: ...}`',
  version: 'only answers of Marathon have it',
  versionInfo: 'only answers of Marathon have it',
  tasks: 'only answers of Marathon have it',
  deployments: 'only answers of Marathon have it',
  ipAddress: 'write `networks: [{mode: container, name: ...}]`',
  ports: 'write `portDefinitions`, or the ports of the breed',
  storeUrls: 'write `fetch: [{uri: ...}]`',
};

/** Fields of a Marathon app up to 1.10 (marathon-app section 1) that a dialect may set. */
export const MARATHON_FIELDS = [
  'cmd',
  'args',
  'user',
  'env',
  'disk',
  'gpus',
  'executor',
  'executorResources',
  'resourceLimits',
  'constraints',
  'fetch',
  'uris',
  'portDefinitions',
  'requirePorts',
  'networks',
  'container',
  'backoffSeconds',
  'backoffFactor',
  'maxLaunchDelaySeconds',
  'healthChecks',
  'check',
  'readinessChecks',
  'dependencies',
  'upgradeStrategy',
  'labels',
  'acceptedResourceRoles',
  'role',
  'killSelection',
  'unreachableStrategy',
  'taskKillGracePeriodSeconds',
  'residency',
  'secrets',
  'tty',
];

/** Reads `dialects`; only the `marathon` part concerns us. */
export function readDialects(entry: Entry | undefined, findings: Findings): Dialect | undefined {
  if (entry === undefined) return undefined;
  let dialect: Dialect | undefined;
  for (const { key, keySpot, value } of entriesOf(entry.value, `\`${entry.key}\``, findings)) {
    if (key === 'marathon') dialect = readMarathon(value, findings);
    else if (OTHER_DRIVERS.includes(key)) {
      const message = `the dialect \`${key}\` speaks to another platform; it is read and not acted on`;
      findings.warning(keySpot, 'not-acted-on', message);
    } else {
      const hint = suggestion(key, ['marathon', ...OTHER_DRIVERS]);
      const message = `there is no dialect \`${shown(key)}\`; Sluice speaks \`marathon\`${hint}`;
      findings.error(keySpot, 'unexpected-element', message);
    }
  }
  return dialect;
}

function readMarathon(node: Node, findings: Findings): Dialect | undefined {
  if (isNull(node)) return undefined;
  if (node.kind !== 'map') {
    return unexpectedType(node, 'the dialect `marathon` must be a map', findings);
  }
  for (const entry of node.entries) checkField(entry, findings);
  return { spot: node.spot, node, json: jsonMapOf(node, findings) };
}

function checkField({ key, keySpot, value }: Entry, findings: Findings): void {
  const mend = Object.hasOwn(RESERVED, key) ? RESERVED[key] : undefined;
  if (mend !== undefined) {
    const message = `\`${key}\` does not belong in a dialect; ${mend}`;
    findings.error(keySpot, 'unsupported-dialect-field', message);
  } else if (!MARATHON_FIELDS.includes(key)) {
    // Marathon drops what it does not know: a slip is an error, a field of another release is not.
    const hint = suggestion(key, MARATHON_FIELDS);
    const message = `Marathon's apps have no field \`${shown(key)}\`${hint}`;
    const report = hint === '' ? 'warning' : 'error';
    findings[report](keySpot, 'unsupported-dialect-field', message);
  } else if (key === 'labels' && value.kind === 'map') checkLabels(value, findings);
  else if (key === 'container' && value.kind === 'map') checkContainer(value, findings);
}

function checkLabels(node: MapNode, findings: Findings): void {
  for (const { key, keySpot } of node.entries) {
    if (!key.startsWith('sluice.')) continue;
    const message = `labels that start with \`sluice.\` are Sluice's own; rename \`${shown(key)}\``;
    findings.error(keySpot, 'unsupported-dialect-field', message);
  }
}

/** The form of Marathon 1.4 and older, which 1.5 refuses beside the new one. */
function checkContainer(node: MapNode, findings: Findings): void {
  const docker = node.entries.find(({ key }) => key === 'docker')?.value;
  if (docker?.kind !== 'map') return;
  for (const { key, keySpot } of docker.entries) {
    if (key !== 'network' && key !== 'portMappings') continue;
    const mend = key === 'network' ? '`network: ...` beside `breed`' : '`container.portMappings`';
    const message = `\`docker.${key}\` is the form of Marathon 1.4; write ${mend}`;
    findings.error(keySpot, 'unsupported-dialect-field', message);
  }
}

function jsonOf(node: Node, findings: Findings): Json {
  if (node.kind === 'map') return jsonMapOf(node, findings);
  if (node.kind === 'list') return node.items.map((item) => jsonOf(item, findings));
  if (typeof node.value === 'number' && !Number.isFinite(node.value)) return node.source;
  if (typeof node.value !== 'string') return node.value;
  const scanned = scanReferences(node.value);
  if (scanned.kind === 'text') return scanned.text;
  const instead = 'write the value itself, or $$ for a literal $';
  if (scanned.kind === 'reference') {
    notBuiltYet(node.spot, '$ references in dialects are', instead, findings);
  } else {
    const message = 'this text has a $ that is no reference; write $$ for a literal $';
    findings.error(node.spot, 'parser', message);
  }
  return node.value;
}

/** `fromEntries` defines own keys, so a key `__proto__` stays a key. */
function jsonMapOf(node: MapNode, findings: Findings): JsonObject {
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, jsonOf(value, findings)]));
}
