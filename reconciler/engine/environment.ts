import type { AppDefinition } from './definition.ts';
import { isHostNetwork, portNames, servicePorts } from './definition.ts';

// Marathon leaves out labels that are longer than this.
const LONGEST_LABEL = 512;

export interface Placement {
  readonly taskId: string;
  readonly host: string;
  readonly ports: readonly number[];
  readonly sandbox: string;
}

function variableName(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_');
}

function contextOf(app: AppDefinition, placement: Placement): Readonly<Record<string, string>> {
  const labels = Object.entries(app.labels).filter(
    ([name, value]) => name.length <= LONGEST_LABEL && value.length <= LONGEST_LABEL,
  );
  const image = app.container?.docker?.image;
  return {
    MARATHON_APP_ID: app.id,
    MARATHON_APP_VERSION: app.version,
    ...(image === undefined ? {} : { MARATHON_APP_DOCKER_IMAGE: image }),
    MARATHON_APP_RESOURCE_CPUS: String(app.cpus),
    MARATHON_APP_RESOURCE_MEM: String(app.mem),
    MARATHON_APP_RESOURCE_DISK: String(app.disk),
    MARATHON_APP_RESOURCE_GPUS: String(app.gpus),
    MARATHON_APP_LABELS: labels.map(([name]) => variableName(name)).join(' '),
    ...Object.fromEntries(
      labels.map(([name, value]) => [`MARATHON_APP_LABEL_${variableName(name)}`, value]),
    ),
    MESOS_TASK_ID: placement.taskId,
    MESOS_SANDBOX: placement.sandbox,
  };
}

/** The number by which an app asks for a port: the service port, or the port in its container. */
function askedNumbers(app: AppDefinition): readonly number[] {
  if (isHostNetwork(app)) return servicePorts(app);
  return (app.container?.portMappings ?? []).map((mapping) => mapping.containerPort);
}

function portsOf(app: AppDefinition, ports: readonly number[]): Readonly<Record<string, string>> {
  const [first] = ports;
  if (first === undefined) return {};
  const names = portNames(app);
  const numbers = askedNumbers(app);
  const entries = ports.flatMap((port, i) => {
    const name = names[i];
    const number = numbers[i];
    return [
      [`PORT${i}`, String(port)],
      ...(number === undefined || number === 0 ? [] : [[`PORT_${number}`, String(port)]]),
      ...(name === undefined ? [] : [[`PORT_${variableName(name)}`, String(port)]]),
    ];
  });
  return { PORT: String(first), ...Object.fromEntries(entries), PORTS: ports.join(',') };
}

/**
 * The environment of a task. Marathon merges the context first, then HOST and the ports, then the
 * app's own env, which therefore wins over everything.
 */
export function taskEnvironment(
  app: AppDefinition,
  placement: Placement,
): Readonly<Record<string, string>> {
  const own = Object.entries(app.env ?? {}).flatMap(([name, value]) =>
    // There is no secret store here; a reference without a value is left out.
    typeof value === 'string' ? [[name, value] as const] : [],
  );
  return {
    ...contextOf(app, placement),
    HOST: placement.host,
    ...portsOf(app, placement.ports),
    ...Object.fromEntries(own),
  };
}
