import { z } from 'zod';

const labels = z.record(z.string(), z.string());
const anyObject = z.record(z.string(), z.json());
const port = z.int().min(0).max(65_535);
const seconds = z.int().min(0);

const PortDefinition = z.object({
  port: port.default(0),
  protocol: z.enum(['tcp', 'udp', 'tcp,udp', 'udp,tcp']).default('tcp'),
  name: z.string().optional(),
  labels: labels.optional(),
});

const PortMapping = z.object({
  containerPort: port.default(0),
  hostPort: port.optional(),
  servicePort: port.default(0),
  protocol: z.enum(['tcp', 'udp', 'tcp,udp', 'udp,tcp']).default('tcp'),
  name: z.string().optional(),
  labels: labels.default({}),
  networkNames: z.array(z.string()).optional(),
});

const Network = z.object({
  mode: z.enum(['host', 'container', 'container/bridge']).default('container'),
  name: z.string().optional(),
  labels: labels.optional(),
});

const Docker = z.object({
  image: z.string().min(1),
  // The form of Marathon up to 1.4, which 1.5+ still takes as input.
  network: z.enum(['HOST', 'BRIDGE', 'USER', 'NONE']).optional(),
  portMappings: z.array(PortMapping).optional(),
  forcePullImage: z.boolean().default(false),
  privileged: z.boolean().default(false),
  parameters: z.array(z.object({ key: z.string(), value: z.string() })).default([]),
  pullConfig: anyObject.optional(),
});

const Container = z.object({
  type: z.enum(['DOCKER', 'MESOS']).default('DOCKER'),
  volumes: z.array(anyObject).default([]),
  docker: Docker.optional(),
  portMappings: z.array(PortMapping).optional(),
  linuxInfo: anyObject.optional(),
});

const HealthCheck = z.object({
  protocol: z
    .enum(['HTTP', 'HTTPS', 'TCP', 'COMMAND', 'MESOS_HTTP', 'MESOS_HTTPS', 'MESOS_TCP'])
    .default('HTTP'),
  path: z.string().optional(),
  portIndex: z.int().min(0).optional(),
  port: port.optional(),
  command: z.object({ value: z.string() }).optional(),
  gracePeriodSeconds: seconds.default(300),
  intervalSeconds: seconds.default(60),
  timeoutSeconds: seconds.default(20),
  maxConsecutiveFailures: z.int().min(0).default(3),
  delaySeconds: seconds.default(15),
  ipProtocol: z.enum(['IPv4', 'IPv6']).default('IPv4'),
});

const ReadinessCheck = z.object({
  name: z.string().default('readinessCheck'),
  protocol: z.enum(['HTTP', 'HTTPS']).default('HTTP'),
  path: z.string().default('/'),
  portName: z.string().default('http-api'),
  intervalSeconds: seconds.default(30),
  timeoutSeconds: seconds.default(10),
  httpStatusCodesForReady: z.array(z.int()).default([200]),
  preserveLastResponse: z.boolean().default(false),
});

const Fetch = z.object({
  uri: z.string(),
  extract: z.boolean().default(true),
  executable: z.boolean().default(false),
  cache: z.boolean().default(false),
  destPath: z.string().optional(),
});

const IpAddress = z.object({
  networkName: z.string().optional(),
  groups: z.array(z.string()).optional(),
  labels: labels.optional(),
  discovery: anyObject.optional(),
});

const UpgradeStrategy = z.object({
  minimumHealthCapacity: z.number().min(0).max(1),
  maximumOverCapacity: z.number().min(0),
});

/**
 * An app definition or a part of one, as the API takes it: the 1.5+ form and the older one.
 * Unknown fields are dropped, as Marathon drops them; so are the fields of its answers.
 */
export const AppInput = z.object({
  id: z.string().optional(),
  cmd: z.string().optional(),
  args: z.array(z.string()).optional(),
  user: z.string().optional(),
  env: z.record(z.string(), z.union([z.string(), z.object({ secret: z.string() })])).optional(),
  instances: z.int().min(0).optional(),
  cpus: z.number().min(0.001).optional(),
  mem: z.number().min(0).optional(),
  disk: z.number().min(0).optional(),
  gpus: z.int().min(0).optional(),
  executor: z.string().optional(),
  executorResources: anyObject.optional(),
  resourceLimits: anyObject.optional(),
  constraints: z.array(z.array(z.string()).min(2).max(3)).optional(),
  fetch: z.array(Fetch).optional(),
  uris: z.array(z.string()).optional(),
  ports: z.array(port).optional(),
  portDefinitions: z.array(PortDefinition).optional(),
  requirePorts: z.boolean().optional(),
  networks: z.array(Network).optional(),
  ipAddress: IpAddress.optional(),
  container: Container.optional(),
  backoffSeconds: z.number().min(0).optional(),
  backoffFactor: z.number().min(1).optional(),
  maxLaunchDelaySeconds: z.number().min(0).optional(),
  healthChecks: z.array(HealthCheck).optional(),
  check: anyObject.optional(),
  readinessChecks: z.array(ReadinessCheck).max(1).optional(),
  dependencies: z.array(z.string()).optional(),
  upgradeStrategy: UpgradeStrategy.optional(),
  labels: labels.optional(),
  acceptedResourceRoles: z.array(z.string()).optional(),
  role: z.string().optional(),
  killSelection: z.enum(['YOUNGEST_FIRST', 'OLDEST_FIRST']).optional(),
  unreachableStrategy: z.union([z.literal('disabled'), anyObject]).optional(),
  taskKillGracePeriodSeconds: z.int().min(0).optional(),
  residency: anyObject.optional(),
  secrets: anyObject.optional(),
  tty: z.boolean().optional(),
  version: z.string().optional(),
});
export type AppInput = z.infer<typeof AppInput>;

export const TaskIds = z.object({ ids: z.array(z.string()) });
