import type { JsonObject } from '../model/marathon-app.ts';
import type {
  AppDefinition,
  Container,
  HealthCheck,
  Network,
  PortDefinition,
  PortMapping,
  VersionInfo,
} from './definition.ts';
import { isHostNetwork, servicePorts } from './definition.ts';
import { Refusal, invalidObject } from './refusal.ts';
import { AppInput } from './schema.ts';

const ARCHIVE = /\.(tar|tar\.gz|tar\.bz2|tar\.xz|gz|tgz|tbz2|txz|zip)$/;

/** Turns a relative id into an absolute one and drops doubled slashes. */
export function absoluteId(id: string): string {
  return `/${id.replace(/^\/+/, '').replace(/\/+$/, '')}`;
}

type Given<T> = { [K in keyof T]?: T[K] | undefined };

/** A copy without the keys whose value is undefined, so that definitions compare by their keys. */
function defined<T extends object>(value: T): T {
  const copy = { ...value };
  for (const [key, inner] of Object.entries(copy)) {
    if (inner === undefined) Reflect.deleteProperty(copy, key);
  }
  return copy;
}

function unlessEmpty<T extends object>(value: T | undefined): T | undefined {
  return value === undefined || Object.keys(value).length === 0 ? undefined : value;
}

function networksOf(input: AppInput): readonly Network[] {
  const { networks } = input;
  if (networks === undefined) return networksOfOldForm(input);
  if ((input.ipAddress ?? input.container?.docker?.network) !== undefined) {
    const text = 'may not mix networks with the older docker.network or ipAddress';
    throw invalidObject([{ path: '/networks', errors: [text] }]);
  }
  if (networks.length === 0) return [{ mode: 'host' }];
  return networks.map((each) => defined<Network>({ ...each, labels: unlessEmpty(each.labels) }));
}

function networksOfOldForm(input: AppInput): readonly Network[] {
  const mode = input.container?.docker?.network;
  if (mode === 'BRIDGE') return [{ mode: 'container/bridge' }];
  if (mode === 'USER' || input.ipAddress !== undefined) {
    const { networkName: name, labels } = input.ipAddress ?? {};
    return [defined<Network>({ mode: 'container', name, labels: unlessEmpty(labels) })];
  }
  return [{ mode: 'host' }];
}

function fetchOf(input: AppInput): readonly JsonObject[] | undefined {
  if (input.uris !== undefined && input.uris.length > 0 && (input.fetch ?? []).length > 0) {
    throw new Refusal(422, 'You cannot specify both uris and fetch fields');
  }
  const fromUris = (input.uris ?? []).map((uri) => ({
    uri,
    extract: ARCHIVE.test(uri),
    executable: false,
    cache: false,
  }));
  return unlessEmpty([
    ...fromUris,
    ...(input.fetch ?? []).map(({ destPath, ...rest }) =>
      destPath === undefined ? rest : { ...rest, destPath },
    ),
  ]);
}

function sortedProtocol(protocol: string): string {
  return protocol === 'tcp,udp' ? 'udp,tcp' : protocol;
}

/** Gives a service port to each place that asks for 0; those of the former version are reused. */
class ServicePorts {
  readonly #former: readonly number[];
  readonly #pick: () => number;
  #position = 0;

  constructor(former: readonly number[], pick: () => number) {
    this.#former = former;
    this.#pick = pick;
  }

  take(asked: number): number {
    const former = this.#former[this.#position];
    this.#position += 1;
    if (asked !== 0) return asked;
    return former ?? this.#pick();
  }
}

function portDefinitionsOf(input: AppInput, ports: ServicePorts): readonly PortDefinition[] {
  const asked: readonly Given<PortDefinition>[] = input.portDefinitions ??
    input.ports?.map((port) => ({ port, protocol: 'tcp' })) ?? [{ port: 0, name: 'default' }];
  return asked.map((each) =>
    defined<PortDefinition>({
      port: ports.take(each.port ?? 0),
      protocol: sortedProtocol(each.protocol ?? 'tcp'),
      name: each.name,
      labels: unlessEmpty(each.labels),
    }),
  );
}

function portMappingsOf(
  input: AppInput,
  networks: readonly Network[],
  ports: ServicePorts,
): readonly PortMapping[] {
  const bridge = networks.some((each) => each.mode === 'container/bridge');
  const asked: readonly Given<PortMapping>[] = input.container?.portMappings ??
    input.container?.docker?.portMappings ?? [{ name: 'default' }];
  return asked.map((each) =>
    defined<PortMapping>({
      containerPort: each.containerPort ?? 0,
      hostPort: each.hostPort ?? (bridge ? 0 : undefined),
      servicePort: ports.take(each.servicePort ?? 0),
      protocol: sortedProtocol(each.protocol ?? 'tcp'),
      name: each.name,
      labels: each.labels ?? {},
      networkNames: each.networkNames,
    }),
  );
}

type DockerInput = NonNullable<NonNullable<AppInput['container']>['docker']>;

function dockerOf(given: DockerInput): NonNullable<Container['docker']> {
  const { network: _network, portMappings: _mappings, ...docker } = given;
  return defined<NonNullable<Container['docker']>>(docker);
}

function containerOf(
  input: AppInput,
  mappings: readonly PortMapping[] | undefined,
): Container | undefined {
  const given = input.container;
  if (given === undefined) {
    return mappings === undefined
      ? undefined
      : { type: 'MESOS', volumes: [], portMappings: mappings };
  }
  return defined<Container>({
    type: given.type,
    volumes: given.volumes,
    docker: given.docker === undefined ? undefined : dockerOf(given.docker),
    portMappings: mappings,
    linuxInfo: given.linuxInfo,
  });
}

function healthCheckOf(input: AppInput, check: HealthCheck): HealthCheck {
  if (check.protocol === 'COMMAND') {
    const { path: _path, portIndex: _index, port: _port, ...rest } = check;
    return defined<HealthCheck>({ ...rest, ignoreHttp1xx: undefined });
  }
  const statesPorts =
    input.portDefinitions !== undefined ||
    input.ports !== undefined ||
    input.container?.portMappings !== undefined ||
    input.container?.docker?.portMappings !== undefined;
  const fills = check.port === undefined && check.portIndex === undefined && statesPorts;
  const isHttp = check.protocol.includes('HTTP');
  return defined<HealthCheck>({
    ...check,
    portIndex: fills ? 0 : check.portIndex,
    ignoreHttp1xx: isHttp ? false : undefined,
  });
}

function healthChecksOf(
  input: AppInput,
  context: NormaliseContext,
): readonly HealthCheck[] | undefined {
  if (context.keptHealthChecks === true) return context.former?.healthChecks;
  return asSet(input.healthChecks?.map((each) => healthCheckOf(input, each)));
}

/** What normalising an app needs to know besides the app. */
export interface NormaliseContext {
  /** Revision of this definition. */
  readonly version: string;
  readonly versionInfo: VersionInfo;
  /** The definition that this one replaces; its service ports are kept. */
  readonly former?: AppDefinition | undefined;
  /** True if a partial update does not mention the health checks: they stay just as they are. */
  readonly keptHealthChecks?: boolean | undefined;
  /** Next free service port of the range that Marathon gives out. */
  readonly pickServicePort: () => number;
}

type Networking = Pick<
  AppDefinition,
  'networks' | 'portDefinitions' | 'container' | 'requirePorts'
>;

function networkingOf(input: AppInput, context: NormaliseContext): Networking {
  const networks = networksOf(input);
  const host = isHostNetwork({ networks });
  const { former } = context;
  const formerPorts =
    former !== undefined && isHostNetwork(former) === host ? servicePorts(former) : [];
  const ports = new ServicePorts(formerPorts, context.pickServicePort);
  return {
    networks,
    portDefinitions: host ? portDefinitionsOf(input, ports) : undefined,
    container: containerOf(input, host ? undefined : portMappingsOf(input, networks, ports)),
    requirePorts: host && (input.requirePorts ?? false),
  };
}

/** Unique values in the order of their first appearance: Marathon keeps these as sets. */
function asSet<T>(values: readonly T[] | undefined): readonly T[] | undefined {
  const seen = new Map((values ?? []).map((value) => [JSON.stringify(value), value]));
  return seen.size === 0 ? undefined : [...seen.values()];
}

function hasOwnVolumes(input: AppInput): boolean {
  return (input.container?.volumes ?? []).some(
    (volume) => volume['persistent'] !== undefined || volume['external'] !== undefined,
  );
}

function scheduling(
  input: AppInput,
): Pick<
  AppDefinition,
  | 'backoffSeconds'
  | 'backoffFactor'
  | 'maxLaunchDelaySeconds'
  | 'upgradeStrategy'
  | 'killSelection'
  | 'unreachableStrategy'
> {
  return {
    backoffSeconds: input.backoffSeconds ?? 1,
    backoffFactor: input.backoffFactor ?? 1.15,
    maxLaunchDelaySeconds: input.maxLaunchDelaySeconds ?? 300,
    upgradeStrategy:
      input.upgradeStrategy ??
      (hasOwnVolumes(input)
        ? { minimumHealthCapacity: 0.5, maximumOverCapacity: 0 }
        : { minimumHealthCapacity: 1, maximumOverCapacity: 1 }),
    killSelection: input.killSelection ?? 'YOUNGEST_FIRST',
    unreachableStrategy: input.unreachableStrategy ?? {
      inactiveAfterSeconds: 0,
      expungeAfterSeconds: 0,
    },
  };
}

/** Fills in what Marathon 1.5+ fills in, and turns the older input forms into the present one. */
export function normalise(
  input: AppInput & { id: string },
  context: NormaliseContext,
): AppDefinition {
  return defined<AppDefinition>({
    id: absoluteId(input.id),
    cmd: input.cmd,
    args: unlessEmpty(input.args),
    user: input.user,
    env: unlessEmpty(input.env),
    instances: input.instances ?? 1,
    cpus: input.cpus ?? 1,
    mem: input.mem ?? 128,
    disk: input.disk ?? 0,
    gpus: input.gpus ?? 0,
    executor: input.executor ?? '',
    executorResources: input.executorResources,
    resourceLimits: input.resourceLimits,
    constraints: asSet(input.constraints),
    fetch: fetchOf(input),
    ...networkingOf(input, context),
    ...scheduling(input),
    healthChecks: healthChecksOf(input, context),
    check: input.check,
    readinessChecks: unlessEmpty(input.readinessChecks),
    dependencies: asSet(input.dependencies?.map(absoluteId)),
    labels: input.labels ?? {},
    acceptedResourceRoles: asSet(input.acceptedResourceRoles),
    role: input.role ?? '*',
    taskKillGracePeriodSeconds: input.taskKillGracePeriodSeconds,
    residency: input.residency,
    secrets: unlessEmpty(input.secrets),
    tty: input.tty,
    version: context.version,
    versionInfo: context.versionInfo,
  });
}

/**
 * A partial update: keys of the update replace whole keys of the stored app. What Marathon 1.6+
 * loses on the way (executorResources, resourceLimits when not mentioned) is lost here too.
 */
export function merge(former: AppDefinition, update: AppInput): AppInput {
  const {
    executorResources: _e,
    resourceLimits: _r,
    version: _v,
    versionInfo: _i,
    ...kept
  } = former;
  const dropped = new Set<string>();
  if (update.ports !== undefined) dropped.add('portDefinitions');
  if (update.uris !== undefined) dropped.add('fetch');
  if ((update.container?.docker?.network ?? update.ipAddress) !== undefined)
    dropped.add('networks');
  if ((update.networks ?? []).some((each) => each.mode !== 'host')) dropped.add('portDefinitions');
  const base = Object.entries(kept).filter(([key]) => !dropped.has(key));
  const given = Object.entries(update).filter(([, value]) => value !== undefined);
  // A stored definition is itself a valid input.
  return AppInput.parse(Object.fromEntries([...base, ...given]));
}
