import { readArguments } from './arguments.ts';
import { readBreed } from './breed.ts';
import { readDialects } from './dialect.ts';
import { readEnvironment } from './environment.ts';
import { readFields, shown } from './fields.ts';
import { readClusterGateways } from './gateway.ts';
import { readHealthChecks } from './health-check.ts';
import { rolloutOf } from './rollout.ts';
import { readScale } from './scale.ts';
import { isNull } from './tree.ts';
import { notActedOn, notBuiltYet } from './unbuilt.ts';
import { checkName, wordReader } from './values.ts';
import type { Argument } from './arguments.ts';
import type { Breed } from './breed.ts';
import type { Findings } from './diagnostics.ts';
import type { Dialect } from './dialect.ts';
import type { Variable } from './environment.ts';
import type { Fields, Shape } from './fields.ts';
import type { ClusterGateway } from './gateway.ts';
import type { HealthCheck } from './health-check.ts';
import type { RolloutBlock } from './rollout.ts';
import type { Scale } from './scale.ts';
import type { Entry, MapNode, Node, Spot } from './tree.ts';

export interface Cluster {
  readonly name: string;
  readonly spot: Spot;
  readonly services: readonly Service[];
  /** False where a service could not be read: then nobody knows which names there are. */
  readonly complete: boolean;
  readonly gateways: readonly ClusterGateway[];
  readonly checks: readonly HealthCheck[] | undefined;
  readonly network: string | undefined;
  readonly dialect: Dialect | undefined;
  readonly rollout: RolloutBlock | undefined;
}

export interface Service {
  readonly breed: Breed;
  readonly scale: Scale | undefined;
  readonly environment: readonly Variable[];
  readonly arguments: readonly Argument[];
  /** Undefined where the service has no list of its own; an empty list switches checks off. */
  readonly checks: readonly HealthCheck[] | undefined;
  readonly network: string | undefined;
  readonly dialect: Dialect | undefined;
}

const DIALECT_ALIAS = { dialect: 'dialects' };

export const CLUSTER_SHAPE: Shape = {
  what: 'a cluster',
  keys: ['services', 'gateways', 'sla', 'health_checks', 'network', 'dialects', 'rollout'],
  aliases: DIALECT_ALIAS,
  tolerated: ['metadata'],
  elsewhere: {
    scale: '`scale` stands in each of the services',
    env: '`env` stands in each of the services',
    environment_variables: '`environment_variables` stands in each of the services',
    labels: 'labels stand in `dialects: {marathon: {labels: ...}}`',
    weight: 'weights stand in `gateways: {routes: ...}`',
  },
};

export const SERVICE_SHAPE: Shape = {
  what: 'a service',
  keys: [
    'breed',
    'scale',
    'environment_variables',
    'arguments',
    'health_checks',
    'network',
    'dialects',
  ],
  aliases: { env: 'environment_variables', ...DIALECT_ALIAS },
  tolerated: ['health'],
  elsewhere: {
    rollout: '`rollout` stands on the cluster, beside `services`',
    weight: 'weights stand in the gateways of the cluster, beside `services`',
    labels: 'labels stand in `dialects: {marathon: {labels: ...}}`',
    ports: '`ports` stands in the breed',
    deployable: '`deployable` stands in the breed',
  },
};

/** Marathon 1.4's words for its networks; a named one is set by the dialect's `networks`. */
const readNetwork = wordReader(['BRIDGE', 'HOST', 'USER']);

/** Keys that stay on the cluster in the short form, in which it is its only service. */
const STAYS = new Set(['sla', 'gateways', 'rollout']);

/** One entry of `clusters`, in any of Vamp's short forms (vamp-language section 3). */
export function readCluster(entry: Entry, findings: Findings): Cluster | undefined {
  const { key: name, keySpot: spot, value: node } = entry;
  if (isNull(node)) return undefined;
  checkName(name, spot, findings);
  const empty = {
    name,
    spot,
    gateways: [],
    checks: undefined,
    network: undefined,
    dialect: undefined,
    rollout: undefined,
  };
  if (node.kind !== 'map') return { ...empty, ...readServices(node, findings) };
  if (node.entries.some(({ key }) => key === 'services')) {
    const fields = readFields(node, CLUSTER_SHAPE, findings);
    return fields && { name, spot, ...longForm(fields, findings) };
  }
  const own = { ...node, entries: node.entries.filter(({ key }) => STAYS.has(key)) };
  const moved = { ...node, entries: node.entries.filter(({ key }) => !STAYS.has(key)) };
  const fields = readFields(own, CLUSTER_SHAPE, findings);
  if (fields === undefined) return undefined;
  return { name, spot, ...longForm(fields, findings), ...readServices(moved, findings) };
}

function longForm(fields: Fields, findings: Findings): Omit<Cluster, 'name' | 'spot'> {
  const sla = fields.get('sla');
  if (sla !== undefined) notActedOn(sla.keySpot, '`sla` is', findings);
  const services = fields.read('services', (node) => readServices(node, findings));
  return {
    ...(services ?? { services: [], complete: true }),
    gateways: fields.read('gateways', (node) => readClusterGateways(node, findings)) ?? [],
    checks: fields.read('health_checks', (node) => readHealthChecks(node, findings)),
    network: fields.read('network', readNetwork),
    dialect: readDialects(fields.get('dialects'), findings),
    rollout: rolloutOf(fields.get('rollout'), findings),
  };
}

function readServices(node: Node, findings: Findings): Pick<Cluster, 'services' | 'complete'> {
  const nodes = node.kind === 'list' ? node.items : [node];
  const services = nodes
    .map((item) => readService(item, findings))
    .filter((service): service is Service => service !== undefined);
  return { services, complete: services.length === nodes.length };
}

function readService(node: Node, findings: Findings): Service | undefined {
  if (node.kind !== 'map') return refuseReference(node, findings);
  const fields = readFields(withBreed(node), SERVICE_SHAPE, findings);
  if (fields === undefined) return undefined;
  const breed = fields.need('breed', readServiceBreed);
  const environment = fields.get('environment_variables');
  const service = {
    scale: fields.read('scale', (value) => readScale(value, findings)),
    environment: environment ? readEnvironment(environment, '`env` of a service', findings) : [],
    arguments: fields.read('arguments', (value) => readArguments(value, findings)) ?? [],
    checks: fields.read('health_checks', (value) => readHealthChecks(value, findings)),
    network: fields.read('network', readNetwork),
    dialect: readDialects(fields.get('dialects'), findings),
  };
  return breed && { breed, ...service };
}

/** A service without `breed` that has a `name` is its breed; with `ref` only the reference is. */
function withBreed(node: MapNode): MapNode {
  const has = (key: string): boolean => node.entries.some((entry) => entry.key === key);
  if (has('breed')) return node;
  if (has('name') || has('deployable')) {
    return { ...node, entries: [{ key: 'breed', keySpot: node.spot, value: node }] };
  }
  const entries = node.entries.map((entry) =>
    entry.key === 'ref' || entry.key === 'reference' ? { ...entry, key: 'breed' } : entry,
  );
  return { ...node, entries };
}

function readServiceBreed(node: Node, _what: string, findings: Findings): Breed | undefined {
  const isReference =
    node.kind !== 'map' || node.entries.some(({ key }) => key === 'ref' || key === 'reference');
  return isReference ? refuseReference(node, findings) : readBreed(node, findings);
}

function refuseReference(node: Node, findings: Findings): undefined {
  const name = node.kind === 'scalar' ? ` (here \`${shown(node.source)}\`)` : '';
  const what = `references to stored breeds${name} are`;
  const instead = 'write the breed itself, with name and deployable';
  return notBuiltYet(node.spot, what, instead, findings);
}
