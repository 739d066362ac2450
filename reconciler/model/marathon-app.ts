/** JSON as Marathon speaks it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * A Marathon app definition in the 1.5+ form, as `POST /v2/apps` takes it. Only the fields that
 * pure code looks into are named; the others travel untouched.
 */
export interface MarathonApp extends JsonObject {}

type Fields = Record<string, Json>;

/** What Marathon answers beside the definition, 1.1 to 1.11. */
const RESPONSE_ONLY = new Set([
  'deployments',
  'failures',
  'lastTaskFailure',
  'readinessCheckResults',
  'taskStats',
  'tasks',
  'tasksHealthy',
  'tasksRunning',
  'tasksStaged',
  'tasksStats',
  'tasksUnhealthy',
  'version',
  'versionInfo',
]);

/** Fields that canonical() turns into others, or that servers of 1.5 and later never return. */
const DIALECT = new Set(['uris', 'storeUrls', 'ports', 'ipAddress']);

/** Defaults that never changed between versions. */
const DEFAULTS: Fields = {
  cpus: 1,
  mem: 128,
  disk: 0,
  gpus: 0,
  executor: '',
  requirePorts: false,
  backoffSeconds: 1,
  backoffFactor: 1.15,
};

/** Maps and lists of which an empty one means the same as none. */
const EMPTY_IS_ABSENT = [
  'args',
  'constraints',
  'dependencies',
  'env',
  'fetch',
  'healthChecks',
  'labels',
  'readinessChecks',
  'secrets',
];

const ARCHIVE = /\.(?:tar|tar\.gz|tar\.bz2|tar\.xz|gz|tgz|tbz2|txz|zip)$/u;

/**
 * One form for what means the same: the 1.5+ shape, stable defaults filled in, nulls, empty
 * collections and what only the server says left out, sets sorted. Defaults that differ between
 * versions (maxLaunchDelaySeconds, unreachableStrategy, role ...) stay as they were stated.
 */
export function canonical(app: MarathonApp): MarathonApp {
  const given = dropNulls(app);
  const networks = networksOf(given);
  const out: Fields = { ...DEFAULTS };
  for (const [key, value] of Object.entries(given)) {
    if (!RESPONSE_ONLY.has(key) && !DIALECT.has(key)) out[key] = value;
  }
  out['networks'] = networks;
  setOrDrop(out, 'container', containerOf(given, networks));
  setOrDrop(out, 'portDefinitions', isHost(networks) ? portDefinitionsOf(given) : undefined);
  out['env'] = mapValues(fieldsOf(given['env']), scalarOf);
  out['labels'] = mapValues(fieldsOf(given['labels']), scalarOf);
  out['fetch'] = fetchOf(given);
  out['constraints'] = sortedSet(
    listOf(given['constraints']).map((row) => listOf(row).map(textOf)),
  );
  out['dependencies'] = sortedSet(
    listOf(given['dependencies']).map((each) => absolute(each, given['id'])),
  );
  out['healthChecks'] = sortedSet(
    listOf(given['healthChecks']).map((check) => healthCheckOf(fieldsOf(check))),
  );
  out['readinessChecks'] = listOf(given['readinessChecks']).map((check) =>
    readinessOf(fieldsOf(check)),
  );
  if (given['acceptedResourceRoles'] !== undefined) {
    out['acceptedResourceRoles'] = sortedSet(listOf(given['acceptedResourceRoles']));
  }
  if (given['upgradeStrategy'] !== undefined || !isResident(given)) {
    out['upgradeStrategy'] = upgradeOf(given);
  }
  if (!isHost(networks)) out['requirePorts'] = false;
  if (out['tty'] === false) delete out['tty'];
  for (const key of EMPTY_IS_ABSENT) if (isEmpty(out[key])) delete out[key];
  return out;
}

export interface DifferenceOptions {
  /** Labels that do not count; left out: those that begin with `sluice.`. */
  readonly ignoresLabel?: (name: string) => boolean;
  /** True: another number of instances is a difference too. */
  readonly instances?: boolean;
}

/**
 * Names the aspects in which a running app is not what git asks for: `image`, `ports` and
 * `container` for parts of the container, else the field's name; sorted. What git leaves to Marathon
 * (port numbers, defaults that depend on its version) never counts, nor do ids.
 */
export function differences(
  desired: MarathonApp,
  actual: MarathonApp,
  options: DifferenceOptions = {},
): readonly string[] {
  const want = comparable(canonical(desired), options);
  const have = comparable(canonical(actual), options);
  const keys = new Set([...Object.keys(want), ...Object.keys(have)]);
  const found = [...keys].filter((key) => {
    if (key === 'ports') return !samePorts(want, have);
    return !sameAspect(key, want[key], have[key]);
  });
  return found.sort();
}

/** Left to the server when git is silent: its default depends on the version or on the group. */
const SERVER_OWNED = new Set([
  'instances',
  'killSelection',
  'maxLaunchDelaySeconds',
  'residency',
  'role',
  'unreachableStrategy',
  'upgradeStrategy',
]);

function sameAspect(key: string, want: Json | undefined, have: Json | undefined): boolean {
  if (want === undefined && SERVER_OWNED.has(key)) return true;
  if (key === 'unreachableStrategy' || key === 'residency') return coveredBy(want, have);
  return textKey(want) === textKey(have);
}

/** True if all that is stated is so; what the server filled in beside it does not count. */
function coveredBy(want: Json | undefined, have: Json | undefined): boolean {
  if (!isFields(want) || !isFields(have)) return textKey(want) === textKey(have);
  return Object.entries(want).every(([key, value]) => textKey(value) === textKey(have[key]));
}

/** Takes the container apart into aspects that people know. */
function comparable(app: MarathonApp, options: DifferenceOptions): Fields {
  const ignoresLabel = options.ignoresLabel ?? ((name: string) => name.startsWith('sluice.'));
  const { id: _id, container, portDefinitions, labels, instances, ...rest } = app;
  const out: Fields = { ...rest };
  const kept = Object.entries(fieldsOf(labels)).filter(([name]) => !ignoresLabel(name));
  if (kept.length > 0) out['labels'] = Object.fromEntries(kept);
  if (options.instances === true) out['instances'] = instances ?? 1;
  const { portMappings, docker, ...box } = fieldsOf(container);
  const { image, ...settings } = fieldsOf(docker);
  setOrDrop(out, 'image', image);
  const remaining = { ...box, ...(isEmpty(settings) ? {} : { docker: settings }) };
  // A bare MESOS container is what Marathon adds by itself.
  if (!isEmpty(remaining) && textKey(remaining) !== '{"type":"MESOS"}')
    out['container'] = remaining;
  out['ports'] = portDefinitions ?? portMappings ?? 'silent';
  return out;
}

/** A 0 or nothing in git lets Marathon choose; the names, order and protocols must agree. */
function samePorts(want: Fields, have: Fields): boolean {
  const wanted = want['ports'];
  const had = listOf(have['ports']);
  if (wanted === 'silent') {
    const [only] = had;
    return had.length === 0 || (had.length === 1 && isDefaultPort(fieldsOf(only)));
  }
  const rows = listOf(wanted);
  if (rows.length !== had.length) return false;
  const fixed = want['requirePorts'] === true;
  return rows.every((row, index) => samePort(fieldsOf(row), fieldsOf(had[index]), fixed));
}

function isDefaultPort(port: Fields): boolean {
  const { name, protocol, labels, containerPort, hostPort } = port;
  const numbers = [containerPort, hostPort].every((number) => number === undefined || number === 0);
  return (name ?? 'default') === 'default' && protocol === 'tcp' && labels === undefined && numbers;
}

function samePort(want: Fields, have: Fields, fixed: boolean): boolean {
  const open = { ...have };
  const asked = { ...want };
  const chosen = fixed ? ['servicePort'] : ['servicePort', 'port'];
  for (const key of chosen) {
    if ((asked[key] ?? 0) !== 0) continue;
    delete asked[key];
    delete open[key];
  }
  return textKey(asked) === textKey(open);
}

function networksOf(app: Fields): readonly Fields[] {
  const stated = listOf(app['networks']);
  if (stated.length > 0) return stated.map((network) => networkOf(fieldsOf(network)));
  const docker = fieldsOf(fieldsOf(app['container'])['docker']);
  const address = app['ipAddress'];
  if (docker['network'] === 'BRIDGE') return [{ mode: 'container/bridge' }];
  if (docker['network'] === 'HOST') return [{ mode: 'host' }];
  if (docker['network'] !== 'USER' && address === undefined) return [{ mode: 'host' }];
  const { networkName, labels } = fieldsOf(address);
  const network: Fields = { mode: 'container' };
  setOrDrop(network, 'name', networkName);
  setOrDrop(network, 'labels', isEmpty(labels) ? undefined : labels);
  return [network];
}

function networkOf(network: Fields): Fields {
  const { labels, ...rest } = network;
  return isEmpty(labels) ? rest : { ...rest, ...(labels === undefined ? {} : { labels }) };
}

function isHost(networks: readonly Fields[]): boolean {
  return networks.every((network) => network['mode'] === 'host');
}

function containerOf(app: Fields, networks: readonly Fields[]): Fields | undefined {
  const { docker, portMappings, volumes, type, ...rest } = fieldsOf(app['container']);
  const engine = fieldsOf(docker);
  const out: Fields = { ...rest, type: type ?? (docker === undefined ? 'MESOS' : 'DOCKER') };
  setOrDrop(out, 'docker', isEmpty(engine) ? undefined : dockerOf(engine, out['type'] === 'MESOS'));
  const mounts = listOf(volumes).map((volume) => volumeOf(fieldsOf(volume)));
  if (mounts.length > 0) out['volumes'] = mounts;
  if (!isHost(networks)) {
    const bridge = networks.some((network) => network['mode'] === 'container/bridge');
    const mappings = portMappings ?? engine['portMappings'] ?? discoveryPorts(app);
    if (mappings !== undefined)
      out['portMappings'] = listOf(mappings).map((row) => mappingOf(fieldsOf(row), bridge));
  }
  return Object.keys(out).length === 1 && out['type'] === 'MESOS' ? undefined : out;
}

function dockerOf(docker: Fields, universal: boolean): Fields {
  const {
    network: _network,
    portMappings: _mappings,
    parameters,
    privileged,
    forcePullImage,
    ...rest
  } = docker;
  const out: Fields = { ...rest };
  if (forcePullImage === true) out['forcePullImage'] = true;
  // The universal runtime takes privileged and forgets it.
  if (privileged === true && !universal) out['privileged'] = true;
  if (parameters !== undefined && !isEmpty(parameters)) out['parameters'] = parameters;
  return out;
}

function volumeOf(volume: Fields): Fields {
  const { mode } = volume;
  return typeof mode === 'string' ? { ...volume, mode: mode.toUpperCase() } : volume;
}

function discoveryPorts(app: Fields): Json | undefined {
  const ports = listOf(fieldsOf(fieldsOf(app['ipAddress'])['discovery'])['ports']);
  if (ports.length === 0) return undefined;
  return ports.map((row) => {
    const { number, ...rest } = fieldsOf(row);
    return number === undefined ? rest : { ...rest, containerPort: number };
  });
}

function mappingOf(mapping: Fields, bridge: boolean): Fields {
  const { labels, servicePort, hostPort, ...rest } = mapping;
  const out: Fields = { containerPort: 0, ...rest, protocol: protocolOf(mapping) };
  if (servicePort !== undefined && servicePort !== 0) out['servicePort'] = servicePort;
  if (hostPort !== undefined && !(bridge && hostPort === 0)) out['hostPort'] = hostPort;
  if (labels !== undefined && !isEmpty(labels)) out['labels'] = labels;
  return out;
}

/** `ports` is the old spelling; servers up to 1.4 return both, of which portDefinitions says more. */
function portDefinitionsOf(app: Fields): readonly Fields[] | undefined {
  const { portDefinitions, ports } = app;
  if (portDefinitions !== undefined) {
    return listOf(portDefinitions).map((row) => {
      const { labels, ...rest } = fieldsOf(row);
      const out: Fields = { port: 0, ...rest, protocol: protocolOf(rest) };
      return labels === undefined || isEmpty(labels) ? out : { ...out, labels };
    });
  }
  return ports === undefined ? undefined : listOf(ports).map((port) => ({ port, protocol: 'tcp' }));
}

function protocolOf(port: Fields): string {
  const { protocol } = port;
  return typeof protocol === 'string' ? protocol.split(',').sort().join(',') : 'tcp';
}

function fetchOf(app: Fields): readonly Fields[] {
  const { fetch, uris } = app;
  // Servers up to 1.4 return both, and the same things in them.
  if (fetch !== undefined && !isEmpty(fetch)) {
    return listOf(fetch).map((row) => ({
      extract: true,
      executable: false,
      cache: false,
      ...fieldsOf(row),
    }));
  }
  return listOf(uris).map((uri) => ({
    uri,
    extract: ARCHIVE.test(textOf(uri)),
    executable: false,
    cache: false,
  }));
}

function healthCheckOf(check: Fields): Fields {
  const { ignoreHttp1xx: _ignored, delaySeconds, ipProtocol, portIndex, ...rest } = check;
  const out: Fields = {
    gracePeriodSeconds: 300,
    intervalSeconds: 60,
    timeoutSeconds: 20,
    maxConsecutiveFailures: 3,
    protocol: 'HTTP',
    ...rest,
  };
  const protocol = textOf(out['protocol'] ?? '');
  // Marathon's own checks never wait, whatever was asked; 15 is what it returns for them.
  const waits = protocol.startsWith('MESOS_') || protocol === 'COMMAND';
  if (waits) setUnless(out, 'delaySeconds', delaySeconds, 15);
  if (protocol === 'COMMAND') return out;
  setUnless(out, 'ipProtocol', ipProtocol, 'IPv4');
  if (protocol.includes('HTTP')) out['path'] ??= '/';
  if (out['port'] === undefined) out['portIndex'] = Number(portIndex ?? 0);
  return out;
}

function readinessOf(check: Fields): Fields {
  const { httpStatusCodesForReady: codes, ...rest } = check;
  return {
    name: 'readinessCheck',
    protocol: 'HTTP',
    path: '/',
    portName: 'http-api',
    intervalSeconds: 30,
    timeoutSeconds: 10,
    preserveLastResponse: false,
    ...rest,
    httpStatusCodesForReady: codes === undefined ? [200] : sortedSet(listOf(codes)),
  };
}

function upgradeOf(app: Fields): Fields {
  const filled = isResident(app)
    ? { minimumHealthCapacity: 0.5, maximumOverCapacity: 0 }
    : { minimumHealthCapacity: 1, maximumOverCapacity: 1 };
  return { ...filled, ...fieldsOf(app['upgradeStrategy']) };
}

/** Persistent and external volumes stay where they are, and change several defaults. */
function isResident(app: Fields): boolean {
  return listOf(fieldsOf(app['container'])['volumes']).some((volume) => {
    const { persistent, external } = fieldsOf(volume);
    return persistent !== undefined || external !== undefined;
  });
}

/** `db` beside `/shop/web` is `/shop/db`, `../db` is `/db`. */
function absolute(dependency: Json, id: Json | undefined): string {
  const path = textOf(dependency);
  if (path.startsWith('/') || typeof id !== 'string') return path;
  const parts = id.split('/').slice(0, -1);
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return `/${parts.filter((part) => part !== '').join('/')}`;
}

function dropNulls(value: JsonObject): Fields {
  const out: Fields = {};
  for (const [key, each] of Object.entries(value)) {
    if (each !== null) out[key] = withoutNulls(each);
  }
  return out;
}

function withoutNulls(value: Json): Json {
  if (isList(value)) return value.map(withoutNulls);
  return isFields(value) ? dropNulls(value) : value;
}

function sortedSet(values: readonly Json[]): readonly Json[] {
  const byKey = new Map(values.map((value) => [textKey(value), value]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

/** One text for one value, whatever the order of its keys. */
function textKey(value: Json | undefined): string {
  if (value === undefined) return '';
  if (isList(value)) return `[${value.map(textKey).join(',')}]`;
  if (!isFields(value)) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${textKey(value[key])}`).join(',')}}`;
}

function setOrDrop(out: Fields, key: string, value: Json | undefined): void {
  if (value === undefined) delete out[key];
  else out[key] = value;
}

function setUnless(out: Fields, key: string, value: Json | undefined, standard: Json): void {
  if (value !== undefined && value !== standard) out[key] = value;
}

function mapValues(fields: Fields, change: (value: Json) => Json): Fields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, change(value)]));
}

/** Marathon keeps strings where YAML writes numbers; `{secret: name}` stays. */
function scalarOf(value: Json): Json {
  return typeof value === 'object' ? value : String(value);
}

function textOf(value: Json): string {
  return typeof value === 'object' ? textKey(value) : String(value);
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function isFields(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

function listOf(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : [];
}

function fieldsOf(value: Json | undefined): Fields {
  return isFields(value) ? { ...value } : {};
}

function isEmpty(value: Json | undefined): boolean {
  if (isList(value)) return value.length === 0;
  return value === undefined || (isFields(value) && Object.keys(value).length === 0);
}
