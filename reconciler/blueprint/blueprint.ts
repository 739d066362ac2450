import { readCluster } from './cluster.ts';
import { readDialects } from './dialect.ts';
import { readEnvironment } from './environment.ts';
import { checkExposure } from './exposure.ts';
import { entriesOf, readFields } from './fields.ts';
import { readExternalGateways } from './gateway.ts';
import { checkHealthPorts } from './health-check.ts';
import { listed, suggestion } from '../model/nearest.ts';
import { nearestRollout, rolloutOf } from './rollout.ts';
import { portNamesOf, resolveClusterGateways, resolveExternalGateway } from './route-resolution.ts';
import { notActedOn } from './unbuilt.ts';
import { checkName, readText } from './values.ts';
import { resolveService } from './version.ts';
import type { DesiredDeployment, DesiredGateway } from '../model/desired.ts';
import type { Rollout } from '../model/rollout.ts';
import type { Cluster } from './cluster.ts';
import type { Findings } from './diagnostics.ts';
import type { Fields, Shape } from './fields.ts';
import type { RolloutBlock } from './rollout.ts';
import type { ResolvedCluster } from './route-resolution.ts';
import type { Entry, Node, Spot } from './tree.ts';
import type { Surroundings } from './version.ts';

export const BLUEPRINT_SHAPE: Shape = {
  what: 'a blueprint',
  keys: ['name', 'gateways', 'clusters', 'environment_variables', 'dialects', 'rollout'],
  aliases: { env: 'environment_variables', dialect: 'dialects' },
  tolerated: ['kind', 'metadata'],
  elsewhere: {
    sla: '`sla` stands on a cluster',
    services: '`services` stands below `clusters: {NAME: ...}`',
    labels: 'labels stand in `dialects: {marathon: {labels: ...}}`',
  },
};

export interface BlueprintContext {
  readonly revision: string;
  readonly prefix: string;
  readonly rollout: Rollout;
}

export interface CompiledBlueprint {
  readonly deployment: DesiredDeployment;
  readonly gateways: readonly DesiredGateway[];
}

/** Reads and resolves one blueprint document. Undefined if it has not even a name. */
export function compileBlueprint(
  node: Node,
  context: BlueprintContext,
  findings: Findings,
): CompiledBlueprint | undefined {
  const fields = readFields(node, BLUEPRINT_SHAPE, findings);
  if (fields === undefined) return undefined;
  const name = fields.need('name', readText) ?? '';
  if (name !== '') checkName(name, fields.spotOf('name'), findings);
  const gateways = fields.read('gateways', (value) => readExternalGateways(value, findings)) ?? [];
  const block = rolloutOf(fields.get('rollout'), findings);
  const rollout = nearestRollout([block], context.rollout).rollout;
  const clusters = readClusters(fields, findings);
  checkBreedNames(clusters, findings);
  for (const cluster of clusters.filter(({ complete }) => complete)) {
    checkHealthPorts(cluster.checks ?? [], portNamesOf(cluster), findings);
  }
  const around = { deployment: name, rollout };
  const resolved = resolveClusters({ fields, clusters, name, block }, context, findings);
  const desiredGateways = gateways.map((gateway) =>
    resolveExternalGateway(gateway, resolved, around, findings),
  );
  if (name === '') return undefined;
  const versions = resolved.flatMap(({ services }) => services.map(({ version }) => version));
  const origin = findings.positionOf(fields.spotOf('name'));
  const deployment = { name, revision: context.revision, versions, origin };
  return { deployment, gateways: desiredGateways };
}

function readClusters(fields: Fields, findings: Findings): readonly Cluster[] {
  const entry = fields.get('clusters');
  const entries = entry === undefined ? [] : entriesOf(entry.value, '`clusters`', findings);
  const clusters = entries
    .map((item) => readCluster(item, findings))
    .filter((cluster): cluster is Cluster => cluster !== undefined);
  if (!findings.faulty && clusters.every(({ services }) => services.length === 0)) {
    const message = 'a blueprint needs at least one service: {clusters: {NAME: {services: ...}}}';
    findings.error(fields.spotOf('clusters'), 'no-service', message);
  }
  return clusters;
}

/** Vamp's NonUniqueBlueprintBreedReferenceError: weights and merges name services by their breed. */
function checkBreedNames(clusters: readonly Cluster[], findings: Findings): void {
  const first = new Map<string, Spot>();
  for (const { breed } of clusters.flatMap(({ services }) => services)) {
    const before = first.get(breed.name);
    if (before === undefined) first.set(breed.name, breed.spot);
    else {
      const message = `breed \`${breed.name}\` stands in this blueprint a second time; each service needs a name of its own`;
      findings.error(breed.spot, 'non-unique-blueprint-breed-reference', message, [before]);
    }
  }
}

interface Parts {
  readonly fields: Fields;
  readonly clusters: readonly Cluster[];
  readonly name: string;
  readonly block: RolloutBlock | undefined;
}

function resolveClusters(
  { fields, clusters, name, block }: Parts,
  context: BlueprintContext,
  findings: Findings,
): readonly ResolvedCluster[] {
  const dialect = readDialects(fields.get('dialects'), findings);
  const environments = readClusterVariables(
    fields.get('environment_variables'),
    clusters,
    findings,
  );
  return clusters.map((cluster) => {
    const { rollout, exposed } = nearestRollout([cluster.rollout, block], context.rollout);
    const environment = environments.get(cluster.name) ?? new Map<string, string>();
    const { prefix } = context;
    const around: Surroundings = {
      deployment: name,
      cluster,
      environment,
      dialect,
      rollout,
      prefix,
    };
    const services = cluster.services.map((service) => resolveService(service, around, findings));
    checkExposure(
      services.map((resolved) => ({
        service: resolved.version.service,
        definition: resolved.version.definition,
        dialect: resolved.dialect,
        exposed,
      })),
      findings,
    );
    return { cluster, services, rollout, weights: resolveClusterGateways(cluster, findings) };
  });
}

/** `cluster.NAME` (0.9.5) and `cluster.environment_variables.NAME`: a value for a whole cluster. */
function readClusterVariables(
  entry: Entry | undefined,
  clusters: readonly Cluster[],
  findings: Findings,
): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const byCluster = new Map<string, Map<string, string>>();
  if (entry === undefined) return byCluster;
  for (const variable of readEnvironment(entry, '`env` of a blueprint', findings)) {
    const cluster = clusters
      .filter(({ name }) => variable.name.startsWith(`${name}.`))
      .toSorted((a, b) => b.name.length - a.name.length)[0];
    const rest = variable.name.slice((cluster?.name.length ?? 0) + 1);
    const name = rest.replace(/^environment_variables\./, '');
    const declared = variablesOf(cluster);
    if (cluster?.complete === false) continue;
    if (cluster === undefined || !declared.includes(name)) {
      reportUnknown(variable, cluster, { name, declared, clusters }, findings);
    } else if (variable.value !== undefined) {
      const values = byCluster.get(cluster.name) ?? new Map<string, string>();
      byCluster.set(cluster.name, values.set(name, variable.value));
    }
  }
  return byCluster;
}

function variablesOf(cluster: Cluster | undefined): readonly string[] {
  return (cluster?.services ?? []).flatMap(({ breed }) => breed.environment.map((v) => v.name));
}

function reportUnknown(
  variable: { readonly name: string; readonly spot: Spot },
  cluster: Cluster | undefined,
  found: {
    readonly name: string;
    readonly declared: readonly string[];
    readonly clusters: readonly Cluster[];
  },
  findings: Findings,
): void {
  const names = found.clusters.map(({ name }) => name);
  const message =
    cluster === undefined
      ? `\`${variable.name}\` must start with a cluster and a dot; there is ${listed(names)}`
      : `no breed of cluster \`${cluster.name}\` declares a variable \`${found.name}\`${suggestion(found.name, found.declared)}`;
  findings.error(variable.spot, 'unresolved-environment-variable', message);
}

/** `escalations` beside an SLA and stored ones: Vamp could scale on them, Sluice does not. */
export function warnNotActedOn(kind: string, spot: Spot, findings: Findings): void {
  notActedOn(spot, `a document of kind \`${kind}\` is`, findings);
}
