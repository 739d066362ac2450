import type { Json, JsonObject } from '../model/marathon-app.ts';

export interface PortDefinition {
  readonly port: number;
  readonly protocol: string;
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface PortMapping {
  readonly containerPort: number;
  readonly hostPort?: number | undefined;
  readonly servicePort: number;
  readonly protocol: string;
  readonly name?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly networkNames?: readonly string[] | undefined;
}

export interface Network {
  readonly mode: 'host' | 'container' | 'container/bridge';
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface Container {
  readonly type: string;
  readonly volumes: readonly JsonObject[];
  readonly docker?:
    | {
        readonly image: string;
        readonly forcePullImage: boolean;
        readonly privileged: boolean;
        readonly parameters: readonly { readonly key: string; readonly value: string }[];
        readonly pullConfig?: Json | undefined;
      }
    | undefined;
  readonly portMappings?: readonly PortMapping[] | undefined;
  readonly linuxInfo?: Json | undefined;
}

export type CheckProtocol =
  | 'HTTP'
  | 'HTTPS'
  | 'TCP'
  | 'COMMAND'
  | 'MESOS_HTTP'
  | 'MESOS_HTTPS'
  | 'MESOS_TCP';

export interface HealthCheck {
  readonly protocol: CheckProtocol;
  readonly path?: string | undefined;
  readonly portIndex?: number | undefined;
  readonly port?: number | undefined;
  readonly command?: { readonly value: string } | undefined;
  readonly gracePeriodSeconds: number;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly maxConsecutiveFailures: number;
  readonly delaySeconds: number;
  readonly ignoreHttp1xx?: boolean | undefined;
  readonly ipProtocol?: string | undefined;
}

export interface ReadinessCheck {
  readonly name: string;
  readonly protocol: 'HTTP' | 'HTTPS';
  readonly path: string;
  readonly portName: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly httpStatusCodesForReady: readonly number[];
  readonly preserveLastResponse: boolean;
}

export interface VersionInfo {
  readonly lastScalingAt: string;
  readonly lastConfigChangeAt: string;
}

export type EnvValue = string | { readonly secret: string };

/** An app as Marathon 1.5+ stores and shows it: everything filled in, nothing of its state. */
export interface AppDefinition {
  readonly id: string;
  readonly cmd?: string | undefined;
  readonly args?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly env?: Readonly<Record<string, EnvValue>> | undefined;
  readonly instances: number;
  readonly cpus: number;
  readonly mem: number;
  readonly disk: number;
  readonly gpus: number;
  readonly executor: string;
  readonly executorResources?: JsonObject | undefined;
  readonly resourceLimits?: JsonObject | undefined;
  readonly constraints?: readonly (readonly string[])[] | undefined;
  readonly fetch?: readonly JsonObject[] | undefined;
  readonly portDefinitions?: readonly PortDefinition[] | undefined;
  readonly requirePorts: boolean;
  readonly networks: readonly Network[];
  readonly container?: Container | undefined;
  readonly backoffSeconds: number;
  readonly backoffFactor: number;
  readonly maxLaunchDelaySeconds: number;
  readonly healthChecks?: readonly HealthCheck[] | undefined;
  readonly check?: Json | undefined;
  readonly readinessChecks?: readonly ReadinessCheck[] | undefined;
  readonly dependencies?: readonly string[] | undefined;
  readonly upgradeStrategy: {
    readonly minimumHealthCapacity: number;
    readonly maximumOverCapacity: number;
  };
  readonly labels: Readonly<Record<string, string>>;
  readonly acceptedResourceRoles?: readonly string[] | undefined;
  readonly role: string;
  readonly killSelection: 'YOUNGEST_FIRST' | 'OLDEST_FIRST';
  readonly unreachableStrategy: Json;
  readonly taskKillGracePeriodSeconds?: number | undefined;
  readonly residency?: Json | undefined;
  readonly secrets?: JsonObject | undefined;
  readonly tty?: boolean | undefined;
  readonly version: string;
  readonly versionInfo: VersionInfo;
}

export function isHostNetwork(app: Pick<AppDefinition, 'networks'>): boolean {
  return app.networks.every((network) => network.mode === 'host');
}

/** The service ports in order: what proxies outside bind to, one per port of the app. */
export function servicePorts(app: AppDefinition): readonly number[] {
  if (isHostNetwork(app)) return (app.portDefinitions ?? []).map((each) => each.port);
  return (app.container?.portMappings ?? []).map((each) => each.servicePort);
}

/** Names of the ports in order; undefined where a port has none. */
export function portNames(app: AppDefinition): readonly (string | undefined)[] {
  const ports = isHostNetwork(app) ? app.portDefinitions : app.container?.portMappings;
  return (ports ?? []).map((each) => each.name);
}

/** JSON with sorted keys and without undefined, so that equal definitions have equal text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/**
 * What a change of makes Marathon replace every task: all but the count, the stamps, and
 * executorResources, which Marathon forgets to compare.
 */
export function configText(app: AppDefinition): string {
  const { instances: _i, version: _v, versionInfo: _info, executorResources: _e, ...config } = app;
  return canonical(config);
}

/** A task is up to date when it was started at or after the app's last change of configuration. */
export function isUpToDate(taskVersion: string, app: AppDefinition): boolean {
  return taskVersion >= app.versionInfo.lastConfigChangeAt;
}
