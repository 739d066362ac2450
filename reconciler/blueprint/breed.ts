import { readArguments } from './arguments.ts';
import { readEnvironment, readTraitText } from './environment.ts';
import { entriesOf, readFields, shown } from './fields.ts';
import { checkHealthPorts, readHealthChecks } from './health-check.ts';
import { listed, suggestion } from '../model/nearest.ts';
import { scanReferences } from './reference.ts';
import { isNull, textOf } from './tree.ts';
import { notBuiltYet } from './unbuilt.ts';
import { checkName, checkStrictName, readPort, readText } from './values.ts';
import type { Argument } from './arguments.ts';
import type { Findings } from './diagnostics.ts';
import type { Variable } from './environment.ts';
import type { Fields, Shape } from './fields.ts';
import type { HealthCheck } from './health-check.ts';
import type { Entry, Node, Spot } from './tree.ts';
import type { Port } from './values.ts';

export interface Breed {
  readonly name: string;
  readonly spot: Spot;
  readonly deployable: Deployable;
  readonly ports: readonly BreedPort[];
  readonly environment: readonly Variable[];
  readonly arguments: readonly Argument[];
  readonly checks: readonly HealthCheck[] | undefined;
}

export interface Deployable {
  readonly type: 'docker' | 'command';
  /** Image name, or the line that a shell runs. */
  readonly definition: string;
}

export interface BreedPort extends Port {
  readonly name: string;
  readonly spot: Spot;
}

export const BREED_SHAPE: Shape = {
  what: 'a breed',
  keys: [
    'name',
    'deployable',
    'ports',
    'environment_variables',
    'constants',
    'arguments',
    'dependencies',
    'health_checks',
  ],
  aliases: { env: 'environment_variables' },
  tolerated: ['kind', 'metadata', 'lookup_name'],
  elsewhere: {
    scale: '`scale` stands beside `breed`, in the service',
    network: '`network` stands beside `breed`, in the service',
    dialects: '`dialects` stands beside `breed`, in the service',
  },
};

export const DEPLOYABLE_SHAPE: Shape = { what: 'a deployable', keys: ['type', 'definition'] };

const TYPES: Readonly<Record<string, Deployable['type']>> = {
  'container/docker': 'docker',
  docker: 'docker',
  command: 'command',
  cmd: 'command',
};

/** A breed that stands in the blueprint. Undefined if it is no map or has no name. */
export function readBreed(node: Node, findings: Findings): Breed | undefined {
  const fields = readFields(node, BREED_SHAPE, findings);
  if (fields === undefined) return undefined;
  const name = fields.need('name', readText);
  const spot = fields.spotOf('name');
  if (name !== undefined) checkName(name, spot, findings);
  const deployable = fields.need('deployable', readDeployable);
  const ports = readPorts(fields.get('ports'), findings);
  const environment = fields.get('environment_variables');
  checkConstants(fields.get('constants'), findings);
  refuseDependencies(fields.get('dependencies'), findings);
  const checks = fields.read('health_checks', (value) => readHealthChecks(value, findings));
  const portNames = ports.map((port) => port.name);
  checkHealthPorts(checks ?? [], portNames, findings);
  const breed: Omit<Breed, 'name'> = {
    spot,
    deployable: deployable ?? { type: 'docker', definition: '' },
    ports,
    environment: environment ? readEnvironment(environment, '`env` of a breed', findings) : [],
    arguments: fields.read('arguments', (value) => readArguments(value, findings)) ?? [],
    checks,
  };
  checkArguments(breed.deployable, fields, findings);
  return name === undefined ? undefined : { name, ...breed };
}

function readDeployable(node: Node, what: string, findings: Findings): Deployable | undefined {
  if (node.kind === 'scalar') {
    const definition = readText(node, what, findings);
    return definition === undefined ? undefined : { type: 'docker', definition };
  }
  const fields = readFields(node, DEPLOYABLE_SHAPE, findings);
  const definition = fields?.need('definition', readText);
  const type = fields?.get('type') === undefined ? 'docker' : fields.read('type', readType);
  if (definition === undefined || type === undefined) return undefined;
  return { type, definition };
}

function readType(node: Node, what: string, findings: Findings): Deployable['type'] | undefined {
  const text = readText(node, what, findings);
  if (text === undefined) return undefined;
  if (Object.hasOwn(TYPES, text)) return TYPES[text];
  const names = Object.keys(TYPES);
  const message = `Marathon has no deployable type \`${shown(text)}\`; it has ${listed(names)}`;
  const hint = suggestion(text, names);
  return findings.error(node.spot, 'unsupported-deployable-type', message + hint);
}

function readPorts(entry: Entry | undefined, findings: Findings): readonly BreedPort[] {
  if (entry === undefined) return [];
  return entriesOf(entry.value, '`ports`', findings).map(({ key, keySpot, value }) => {
    checkStrictName(key, keySpot, findings);
    const port = portOf(key, { spot: keySpot, value }, findings);
    return { name: key, spot: keySpot, number: 0, protocol: 'http', ...port };
  });
}

function portOf(
  name: string,
  at: { readonly spot: Spot; readonly value: Node },
  findings: Findings,
): Port | undefined {
  const { spot, value } = at;
  const what = `port \`${shown(name)}\``;
  if (isNull(value)) return findings.error(spot, 'missing-port-value', `${what} needs a value`);
  const text = value.kind === 'scalar' ? textOf(value) : '';
  if (scanReferences(text).kind === 'text') return readPort(value, what, findings);
  const instead = 'write the number';
  return notBuiltYet(value.spot, `$ references, as in ${what}, are`, instead, findings);
}

/** Constants are only ever seen through references, which come with the next issue. */
function checkConstants(entry: Entry | undefined, findings: Findings): void {
  if (entry === undefined) return;
  for (const { key, keySpot, value } of entriesOf(entry.value, '`constants`', findings)) {
    checkStrictName(key, keySpot, findings);
    if (!isNull(value)) readTraitText(`constant \`${shown(key)}\``, value, findings);
    else findings.error(keySpot, 'missing-constant-value', `constant \`${key}\` needs a value`);
  }
}

function refuseDependencies(entry: Entry | undefined, findings: Findings): void {
  if (entry === undefined) return;
  if (entriesOf(entry.value, '`dependencies`', findings).length === 0) return;
  const instead = 'remove them; deployments start side by side';
  notBuiltYet(entry.keySpot, 'dependencies of breeds are', instead, findings);
}

function checkArguments(deployable: Deployable, fields: Fields, findings: Findings): void {
  const entry = fields.get('arguments');
  if (deployable.type === 'docker' || entry === undefined) return;
  const message = 'arguments are parameters of docker; a command has none';
  findings.error(entry.keySpot, 'invalid-argument', message);
}
