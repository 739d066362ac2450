import { appDefinition, versionPorts } from './app.ts';
import { appIdOf } from './app-id.ts';
import { checkApp } from './app-rules.ts';
import { digestOf } from './digest.ts';
import { checkHealthPorts, effectiveChecks } from './health-check.ts';
import { suggestion } from '../model/nearest.ts';
import { DEFAULT_SCALE } from './scale.ts';
import type { DesiredVersion } from '../model/desired.ts';
import type { Rollout } from '../model/rollout.ts';
import type { VersionSpec } from './app.ts';
import type { Cluster, Service } from './cluster.ts';
import type { Dialect } from './dialect.ts';
import type { Findings } from './diagnostics.ts';

/** What surrounds a service in its blueprint. */
export interface Surroundings {
  readonly deployment: string;
  readonly cluster: Cluster;
  /** Blueprint-level variables of this cluster, by name. */
  readonly environment: ReadonlyMap<string, string>;
  readonly dialect: Dialect | undefined;
  readonly rollout: Rollout;
  readonly prefix: string;
}

/** A service with the version that it makes; later checks need what the author wrote. */
export interface ResolvedService {
  readonly service: Service;
  readonly version: DesiredVersion;
  readonly dialect: Dialect | undefined;
}

/** Resolves what a service takes from its blueprint, its cluster and its breed into a version. */
export function resolveService(
  service: Service,
  around: Surroundings,
  findings: Findings,
): ResolvedService {
  const { breed, scale } = service;
  const { cluster, deployment } = around;
  const dialect = service.dialect ?? cluster.dialect ?? around.dialect;
  const spec: VersionSpec = {
    deployment,
    cluster: cluster.name,
    breed: breed.name,
    deployable: breed.deployable,
    ports: breed.ports,
    environment: resolveEnvironment(service, around, findings),
    arguments: [...breed.arguments, ...service.arguments],
    checks: resolveChecks(service, cluster, findings),
    cpu: scale?.cpu,
    memory: scale?.memory,
    network: service.network ?? cluster.network,
    dialect: dialect?.json,
  };
  checkCommand(service, spec, findings);
  const definition = appDefinition(spec);
  const digest = digestOf(spec);
  const instances = scale?.instances ?? DEFAULT_SCALE.instances;
  checkApp(definition, dialect, findings);
  const version: DesiredVersion = {
    deployment,
    cluster: cluster.name,
    service: breed.name,
    digest,
    appId: appIdOf({ deployment, cluster: cluster.name, breed: breed.name, digest }, around.prefix),
    definition,
    instances,
    ports: versionPorts(spec, definition),
    rollout: around.rollout,
    origin: findings.positionOf(breed.spot),
  };
  return { service, version, dialect };
}

/** Breed < blueprint < service (vamp-language section 4.2), under the names the container sees. */
function resolveEnvironment(
  service: Service,
  around: Surroundings,
  findings: Findings,
): ReadonlyMap<string, string> {
  const { breed } = service;
  const own = new Map(service.environment.map((variable) => [variable.name, variable]));
  const resolved = new Map<string, string>();
  for (const variable of breed.environment) {
    const { name, alias, spot } = variable;
    const value = own.get(name)?.value ?? around.environment.get(name) ?? variable.value;
    if (value !== undefined) resolved.set(alias, value);
    else if (!own.has(name)) {
      const message = `variable \`${name}\` has no value; give it one here, in \`env\` of the service or of the blueprint`;
      findings.error(spot, 'unresolved-variable-value', message);
    }
  }
  checkOwnVariables(service, findings);
  return resolved;
}

function checkOwnVariables({ breed, environment }: Service, findings: Findings): void {
  const declared = breed.environment.map(({ name }) => name);
  for (const { name, value, spot } of environment) {
    if (!declared.includes(name)) {
      const mend = suggestion(name, declared) || '; declare it there, with ~ for no value';
      const message = `breed \`${breed.name}\` declares no variable \`${name}\`${mend}`;
      findings.error(spot, 'unresolved-dependency-in-trait-value', message);
    } else if (value === undefined) {
      const message = `variable \`${name}\` needs a value here; only a breed may leave it open`;
      findings.error(spot, 'missing-environment-variable', message);
    }
  }
}

function resolveChecks(
  service: Service,
  cluster: Cluster,
  findings: Findings,
): VersionSpec['checks'] {
  const ports = service.breed.ports.map(({ name }) => name);
  checkHealthPorts(service.checks ?? [], ports, findings);
  const { breed } = service;
  const from = { breed: breed.checks, service: service.checks, cluster: cluster.checks, ports };
  return effectiveChecks(from).filter(({ port }) => ports.includes(port));
}

/** What only containers have is refused for a command, and a port number is a wish it cannot get. */
function checkCommand(
  { breed, arguments: own }: Service,
  spec: VersionSpec,
  findings: Findings,
): void {
  const [argument] = own;
  if (spec.deployable.type === 'command') {
    if (argument !== undefined) {
      const message = 'arguments are parameters of docker; a command has none';
      findings.error(argument.spot, 'invalid-argument', message);
    }
    if (spec.network !== undefined && spec.network !== 'HOST') {
      const message = `a command runs on the network of its host, not on \`${spec.network}\``;
      findings.error(breed.spot, 'unsupported-network', message);
    }
  } else if (spec.network !== 'HOST') return;
  for (const [index, port] of breed.ports.entries()) {
    if (port.number === 0) continue;
    const variable = `PORT${String(index)}`;
    const message = `on the network of the host Mesos chooses the port; listen on $${variable} instead of ${String(port.number)}, and write 0`;
    findings.warning(port.spot, 'port-not-fixed', message);
  }
}
