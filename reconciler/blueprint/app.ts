import { isObject, mergeOver, objectsOf, scalarText } from './json.ts';
import { DEFAULT_SCALE } from './scale.ts';
import type { ProxyCheck, VersionPort } from '../model/desired.ts';
import type { Json, JsonObject, MarathonApp } from '../model/marathon-app.ts';
import type { BreedPort, Deployable } from './breed.ts';
import type { HealthCheck } from './health-check.ts';

/** Everything that makes a version, references resolved: what the digest covers. */
export interface VersionSpec {
  readonly deployment: string;
  readonly cluster: string;
  readonly breed: string;
  readonly deployable: Deployable;
  readonly ports: readonly BreedPort[];
  /** By the names that the container sees. */
  readonly environment: ReadonlyMap<string, string>;
  readonly arguments: readonly { readonly key: string; readonly value: string }[];
  readonly checks: readonly HealthCheck[];
  /** Undefined where nobody wrote it, so that a changed default is no new version. */
  readonly cpu: number | undefined;
  readonly memory: number | undefined;
  readonly network: string | undefined;
  readonly dialect: JsonObject | undefined;
}

/**
 * The Marathon app as Vamp computed it (vamp-runtime section 2), in the 1.5+ form: without id,
 * instances and our labels. `upgradeStrategy` is left to Marathon: a version never changes.
 */
export function appDefinition(spec: VersionSpec): MarathonApp {
  const computed: JsonObject = {
    cpus: spec.cpu ?? DEFAULT_SCALE.cpu,
    mem: Math.round(spec.memory ?? DEFAULT_SCALE.memory),
    ...(spec.environment.size > 0 && { env: Object.fromEntries(spec.environment) }),
    ...deployablePart(spec),
    ...networkPart(spec),
    ...(spec.checks.length > 0 && { healthChecks: healthChecks(spec) }),
  };
  const merged = mergeOver(containerMerged(computed, spec), spec.dialect ?? {});
  return isObject(merged) ? withTextValues(merged) : computed;
}

function deployablePart({ deployable }: VersionSpec): JsonObject {
  return deployable.type === 'command' ? { cmd: deployable.definition } : {};
}

/** Ports live in the container where there is one, so the container is put together here. */
function containerMerged(computed: JsonObject, spec: VersionSpec): JsonObject {
  if (spec.deployable.type === 'command') return computed;
  const parameters = spec.arguments.filter(({ key }) => key !== 'privileged');
  const privileged = spec.arguments.findLast(({ key }) => key === 'privileged');
  const docker: JsonObject = {
    image: spec.deployable.definition,
    ...(parameters.length > 0 && {
      parameters: parameters.map(({ key, value }) => ({ key, value })),
    }),
    ...(privileged !== undefined && { privileged: privileged.value === 'true' }),
  };
  const mappings = networkMode(spec) === 'host' ? {} : { portMappings: portMappings(spec) };
  return { ...computed, container: { type: 'DOCKER', docker, ...mappings } };
}

/** As Vamp was configured by default; a command has no container and so no network of its own. */
const DEFAULT_NETWORK = 'BRIDGE';

type NetworkMode = 'host' | 'container/bridge' | 'container';

/** The dialect's `networks` win whole over `network`: lists of them never add up. */
function networkMode(spec: VersionSpec): NetworkMode {
  const networks = spec.dialect?.['networks'];
  const first: Json | undefined = Array.isArray(networks) ? networks[0] : undefined;
  if (isObject(first)) {
    const mode = first['mode'] ?? 'container';
    return mode === 'host' || mode === 'container/bridge' ? mode : 'container';
  }
  if (spec.deployable.type === 'command') return 'host';
  const word = spec.network ?? DEFAULT_NETWORK;
  if (word === 'HOST') return 'host';
  return word === 'BRIDGE' ? 'container/bridge' : 'container';
}

function networkPart(spec: VersionSpec): JsonObject {
  const mode = networkMode(spec);
  const networks = spec.dialect?.['networks'] === undefined ? { networks: [{ mode }] } : {};
  return mode === 'host' ? { ...networks, ...portDefinitions(spec) } : networks;
}

/** On the host network Mesos hands out the numbers, else two versions could not share a host. */
function portDefinitions(spec: VersionSpec): JsonObject {
  if (spec.ports.length === 0) return {};
  return {
    portDefinitions: spec.ports.map(({ name }) => ({ port: 0, protocol: 'tcp', ...named(name) })),
  };
}

function portMappings(spec: VersionSpec): Json {
  const hostPort = networkMode(spec) === 'container/bridge' ? { hostPort: 0 } : {};
  return spec.ports.map(({ name, number }) => ({
    containerPort: number,
    ...hostPort,
    protocol: 'tcp',
    ...named(name),
  }));
}

/** Marathon's port names are DNS labels; Vamp's may be anything, and then stay unnamed. */
function named(name: string): JsonObject {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name) ? { name } : {};
}

function healthChecks({ checks, ports }: VersionSpec): Json {
  return checks.map((check) => ({
    protocol: check.protocol,
    ...(check.protocol.endsWith('TCP') ? {} : { path: check.path }),
    portIndex: ports.findIndex((port) => port.name === check.port),
    gracePeriodSeconds: check.initialDelayMs / 1000,
    intervalSeconds: check.intervalMs / 1000,
    timeoutSeconds: check.timeoutMs / 1000,
    maxConsecutiveFailures: check.failures,
  }));
}

/** Marathon takes nothing but texts as labels and env values (a secret's reference aside). */
function withTextValues(app: JsonObject): MarathonApp {
  const texts = (map: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(map).map(([key, value]) => [key, isObject(value) ? value : scalarText(value)]),
    );
  const { env, labels } = app;
  return {
    ...app,
    ...(isObject(env) && { env: texts(env) }),
    ...(isObject(labels) && { labels: texts(labels) }),
  };
}

/** Longest pause between two questions of a proxy: what is down should be seen within seconds. */
const PROXY_INTERVAL_MS = 2000;
const PROXY_TIMEOUT_MS = 10_000;

/** The ports of a version with what a proxy asks them; design section 6, "Health and readiness". */
export function versionPorts(spec: VersionSpec, app: MarathonApp): readonly VersionPort[] {
  return spec.ports.map(({ name, protocol }, index) => {
    const check = readinessCheck(app, name) ?? healthCheck(app, index);
    return { name, index, protocol, ...(check !== undefined && { check }) };
  });
}

function readinessCheck(app: MarathonApp, port: string): ProxyCheck | undefined {
  const check = objectsOf(app['readinessChecks']).find((c) => c['portName'] === port);
  if (check === undefined || (check['protocol'] ?? 'HTTP') !== 'HTTP') return undefined;
  return proxyCheck(check, { interval: 30, timeout: 10 });
}

/** HTTPS and TCP checks become a TCP connect: the proxy's own check speaks plain HTTP. */
function healthCheck(app: MarathonApp, index: number): ProxyCheck | undefined {
  const check = objectsOf(app['healthChecks']).find(
    (c) =>
      ['HTTP', 'MESOS_HTTP'].includes(scalarText(c['protocol'] ?? 'HTTP')) &&
      c['port'] === undefined &&
      Number(c['portIndex'] ?? 0) === index,
  );
  return check && proxyCheck(check, { interval: 60, timeout: 20 });
}

/** `defaults`: Marathon's own, in seconds (marathon-app section 4). */
function proxyCheck(
  check: JsonObject,
  defaults: { readonly interval: number; readonly timeout: number },
): ProxyCheck {
  const milliseconds = (key: string, otherwise: number): number => {
    const seconds = check[key];
    return (typeof seconds === 'number' && seconds > 0 ? seconds : otherwise) * 1000;
  };
  const path = check['path'];
  return {
    path: typeof path === 'string' && path !== '' ? path : '/',
    intervalMs: Math.min(milliseconds('intervalSeconds', defaults.interval), PROXY_INTERVAL_MS),
    timeoutMs: Math.min(milliseconds('timeoutSeconds', defaults.timeout), PROXY_TIMEOUT_MS),
  };
}
