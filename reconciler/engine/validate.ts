import type { z } from 'zod';
import type { AppDefinition, HealthCheck } from './definition.ts';
import { isHostNetwork, portNames, servicePorts } from './definition.ts';
import type { Fault } from './refusal.ts';
import { Refusal, invalidObject } from './refusal.ts';

const SEGMENT = /^(([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])$/;
// They end the paths of the API below an app, so Marathon 1.8+ refuses them as a last segment.
const RESERVED = new Set(['restart', 'tasks', 'versions']);
const OPERATORS = new Set(['UNIQUE', 'CLUSTER', 'GROUP_BY', 'LIKE', 'UNLIKE', 'MAX_PER', 'IS']);
const MAPS = new Set(['labels', 'env']);
const LONGEST_ID = 190;
const ID_RULE =
  'must fully match regular expression ' +
  "'^(([a-z0-9]|[a-z0-9][a-z0-9\\-]*[a-z0-9])\\.)*([a-z0-9]|[a-z0-9][a-z0-9\\-]*[a-z0-9])$'";

function issuePath(path: readonly PropertyKey[]): string {
  return path.map((key) => (typeof key === 'number' ? `(${key})` : `/${String(key)}`)).join('');
}

function wrongType(issue: z.core.$ZodIssue): string {
  const expected = 'expected' in issue ? String(issue.expected) : 'value';
  const words: Readonly<Record<string, string>> = {
    string: 'jsstring',
    number: 'jsnumber',
    int: 'jsnumber',
    boolean: 'jsboolean',
    array: 'jsarray',
    object: 'jsobject',
    record: 'jsobject',
  };
  return `error.expected.${words[expected] ?? expected}`;
}

/**
 * Parses the body of a write. Wrong types answer 422 "Invalid JSON", broken rules 422 "Object is
 * not valid": Marathon 1.5+ tells them apart by the message.
 */
export function parseInput<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(withoutNulls(body));
  if (parsed.success) return parsed.data;
  const types = parsed.error.issues.filter(
    (issue) => issue.code === 'invalid_type' || issue.code === 'invalid_union',
  );
  if (types.length > 0) {
    const details = types.map((issue) => ({
      path: issuePath(issue.path),
      errors: [wrongType(issue)],
    }));
    throw new Refusal(422, 'Invalid JSON', { details });
  }
  throw invalidObject(
    parsed.error.issues.map((issue) => ({ path: issuePath(issue.path), errors: [issue.message] })),
  );
}

/** In Marathon's JSON `null` means "not given", but for the values of labels and env. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(
    kept.map(([key, inner]) => [key, MAPS.has(key) ? inner : withoutNulls(inner)]),
  );
}

/** Why an app id is refused, or nothing. Path traversal and empty segments fail the pattern. */
export function idErrors(id: string): readonly string[] {
  const segments = id.replace(/^\//, '').split('/');
  if (segments.some((segment) => !SEGMENT.test(segment))) return [ID_RULE];
  if (RESERVED.has(segments.at(-1) ?? '')) {
    return [`'${segments.at(-1)}' is a reserved word and can not be the last part of an id`];
  }
  // The sandbox of a task is named after it, and file names have a limit.
  if (id.length > LONGEST_ID) return [`must not be longer than ${LONGEST_ID} characters`];
  return [];
}

/** Checks what Marathon checks before it stores an app, and throws one 422 with all faults. */
export function assertValid(app: AppDefinition): void {
  const faults: Fault[] = [
    ...fault('/id', idErrors(app.id)),
    ...fault('', commandErrors(app)),
    ...containerFaults(app),
    ...portFaults(app),
    ...healthFaults(app),
    ...readinessFaults(app),
    ...(app.constraints ?? []).flatMap((constraint, i) =>
      fault(
        `/constraints(${i})`,
        OPERATORS.has(constraint[1] ?? '') ? [] : [`unknown operator ${constraint[1]}`],
      ),
    ),
    ...fault('/dependencies', app.dependencies?.includes(app.id) ? ['has itself'] : []),
    ...singleInstanceFaults(app),
  ];
  if (faults.length > 0) throw invalidObject(faults);
}

function fault(path: string, errors: readonly string[]): readonly Fault[] {
  return errors.length === 0 ? [] : [{ path, errors }];
}

function commandErrors(app: AppDefinition): readonly string[] {
  const image = app.container?.docker?.image;
  if (app.cmd !== undefined && app.args !== undefined) {
    return ["AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."];
  }
  if (app.cmd === undefined && app.args === undefined && image === undefined) {
    return ["AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."];
  }
  if (app.cmd !== undefined && app.cmd.length < 2) return ['cmd must have at least 2 characters'];
  return [];
}

function containerFaults(app: AppDefinition): readonly Fault[] {
  const { container } = app;
  if (container === undefined) return [];
  if (container.type === 'DOCKER' && container.docker === undefined) {
    return fault('/container/docker', ['not defined']);
  }
  return [];
}

function portFaults(app: AppDefinition): readonly Fault[] {
  const names = portNames(app).filter((name) => name !== undefined);
  const path = isHostNetwork(app) ? '/portDefinitions' : '/container/portMappings';
  if (new Set(names).size !== names.length) return fault(path, ['Port names must be unique.']);
  if (app.networks.some((each) => each.mode === 'container' && each.name === undefined)) {
    return fault('/networks', ['Network name is required for mode container.']);
  }
  return [];
}

function healthFaults(app: AppDefinition): readonly Fault[] {
  const checks = app.healthChecks ?? [];
  const onAgent = checks.filter(
    (check) => check.protocol.startsWith('MESOS_') || check.protocol === 'COMMAND',
  );
  return [
    ...fault(
      '/healthChecks',
      onAgent.length > 1 ? ['AppDefinition can contain at most one Mesos health check'] : [],
    ),
    ...checks.flatMap((check, i) =>
      fault(`/healthChecks(${i})`, healthErrors(check, servicePorts(app).length)),
    ),
  ];
}

function healthErrors(check: HealthCheck, ports: number): readonly string[] {
  if (check.protocol === 'COMMAND') {
    return check.command === undefined ? ['command must be given for protocol COMMAND'] : [];
  }
  if (check.command !== undefined) return ['command is only allowed for protocol COMMAND'];
  if (check.port !== undefined && check.portIndex !== undefined) {
    return ['HealthCheck must specify either a port or a portIndex, not both.'];
  }
  if (check.port === undefined && (check.portIndex ?? 0) >= ports) {
    return ['Health check port indices must address an element of the ports array.'];
  }
  return [];
}

function readinessFaults(app: AppDefinition): readonly Fault[] {
  return (app.readinessChecks ?? []).flatMap((check, i) => [
    ...fault(
      `/readinessChecks(${i})/portName`,
      portNames(app).includes(check.portName)
        ? []
        : [`No port definition reference for portName '${check.portName}'`],
    ),
    ...fault(
      `/readinessChecks(${i})/timeoutSeconds`,
      check.timeoutSeconds < check.intervalSeconds
        ? []
        : [`must be less than intervalSeconds (${check.intervalSeconds})`],
    ),
  ]);
}

function singleInstanceFaults(app: AppDefinition): readonly Fault[] {
  if (app.labels['MARATHON_SINGLE_INSTANCE_APP'] !== 'true') return [];
  const strategy = app.upgradeStrategy;
  return [
    ...fault('/instances', app.instances <= 1 ? [] : ['single instance app may have at most one']),
    ...fault(
      '/upgradeStrategy',
      strategy.minimumHealthCapacity === 0 && strategy.maximumOverCapacity === 0
        ? []
        : ['single instance app requires minimumHealthCapacity and maximumOverCapacity of 0'],
    ),
  ];
}
