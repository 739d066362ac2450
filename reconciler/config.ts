import { dirname, resolve } from 'node:path';
import { explainIssue, findContradictions, inOrder } from './config/faults.ts';
import { layer } from './config/layers.ts';
import type { ConfigInput, Layered } from './config/layers.ts';
import { isTree } from './config/document.ts';
import type { Tree } from './config/document.ts';
import { ConfigSchema } from './config/schema.ts';
import type { Listen, Written } from './config/schema.ts';
import type { SecretFile } from './config/secret.ts';
import { DriverError } from './errors.ts';

export type { ConfigInput, FlagValue } from './config/layers.ts';
export type { Listen } from './config/schema.ts';
export { writeSecretFiles } from './config/secret.ts';

/** What the controller was told: checked, complete, paths absolute, times in milliseconds. */
export interface Config {
  /** Owner label of all that this Sluice makes. */
  readonly owner: string;
  /** First part of the ids of its apps. */
  readonly prefix: string;
  readonly stateDir: string;
  readonly source: SourceConfig;
  readonly marathon: MarathonConfig;
  readonly gateways: GatewaysConfig;
  readonly schedule: { readonly everyMs: number } | { readonly cron: string };
  /** Defaults of rollouts, as a rollout block of a blueprint is written; the compiler reads it. */
  readonly rollout: Tree;
  readonly budgets: {
    readonly pruneCount: number;
    /** Whole per cent. */
    readonly pruneShare: number;
    /** Passes that may be under way at once. */
    readonly concurrency: number;
  };
  readonly journal: { readonly file: string };
  readonly server: { readonly listen: Listen; readonly tokenFile?: string };
  /** Secrets of the environment; `writeSecretFiles` puts them where the `...File` fields point. */
  readonly secretFiles: readonly SecretFile[];
}

export interface SourceConfig {
  readonly url: string;
  readonly ref:
    | { readonly branch: string }
    | { readonly tag: string }
    | { readonly revision: string };
  /** Directory in the repository; empty: all of it. */
  readonly path: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly limits: {
    readonly files: number;
    readonly fileBytes: number;
    readonly totalBytes: number;
    readonly timeoutMs: number;
  };
}

export interface MarathonConfig {
  readonly urls: readonly string[];
  readonly auth?:
    | { readonly user: string; readonly passwordFile: string }
    | { readonly tokenFile: string };
  readonly caFile?: string;
  readonly timeoutMs: number;
}

export interface GatewaysConfig {
  readonly nodes: readonly GatewayNodeConfig[];
  /** Whether `run` and `apply` start an agent here where none runs. */
  readonly startLocal: boolean;
  readonly proxy: 'auto' | 'haproxy' | 'embedded';
  /** IP address on which a local agent opens the ports of gateways. */
  readonly bind: string;
}

export type GatewayNodeConfig = { readonly name: string; readonly tokenFile?: string } & (
  | { readonly url: string }
  | { readonly socket: string }
);

const DEFAULT_EVERY_MS = 5_000;

/**
 * Reads the controller's configuration from a file's text, the environment and flags, the later ones
 * winning. Reads no file and no environment by itself.
 *
 * @throws DriverError `config-invalid` that lists every fault with its place.
 */
export function loadConfig(input: ConfigInput): Config {
  const layered = layer(input);
  const faults = [...layered.faults, ...findContradictions(layered)];
  const stateDir = layered.tree['state_dir'] ?? resolve(dirname(input.file), '.sluice');
  const parsed = ConfigSchema.safeParse({ source: {}, ...layered.tree, state_dir: stateDir });
  // A text that cannot be read at all has no keys: what it seems to lack is no fault of its own.
  const isUnreadable = layered.faults.some((fault) => fault.includes(': cannot be read: '));
  if (!parsed.success && !isUnreadable) {
    for (const issue of parsed.error.issues) faults.push(...explainIssue(issue, layered));
  }
  if (!parsed.success || faults.length > 0) throw invalid(input.file, faults);
  return toConfig(parsed.data, layered);
}

/** The configuration as logs may show it: no secret, no credentials or queries in urls. */
export function redactConfig(config: Config): Tree {
  const { secretFiles, ...rest } = config;
  const shown = redacted(rest, '');
  const files = secretFiles.map(({ file }) => file);
  return { ...(isTree(shown) ? shown : {}), ...(files.length > 0 && { secretFiles: files }) };
}

function redacted(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((item) => redacted(item, key));
  if (isTree(value)) {
    const rows = Object.entries(value).map(([name, item]) => [name, redacted(item, name)]);
    return Object.fromEntries(rows);
  }
  if (/(?:token|password|secret|key|credential|authorization)$/i.test(key)) return '***';
  if (typeof value !== 'string') return value;
  return value
    .replaceAll(/(\w+:\/\/)[^/@\s]*@/g, '$1***@')
    .replaceAll(/(\w+:\/\/[^?\s]*)\?\S*/g, '$1?***');
}

function invalid(file: string, faults: readonly string[]): DriverError {
  const lines = inOrder(file, faults).map((fault) => `  ${fault}`);
  const message = `The configuration (${file}, SLUICE_* and options) is not right:\n${lines.join('\n')}`;
  return new DriverError('config-invalid', message, { retry: 'never' });
}

function toConfig(written: Written, layered: Layered): Config {
  const stateDir = resolve(written.state_dir);
  const secretFiles = [...layered.secrets].map(([key, secret]) => ({
    file: resolve(stateDir, 'secrets', key),
    secret,
  }));
  function fileOf(key: string, name: string | undefined): string | undefined {
    if (layered.secrets.has(key)) return resolve(stateDir, 'secrets', key);
    return name === undefined ? undefined : resolve(name);
  }
  const serverToken = fileOf('server.token', written.server.token_file);
  const { every: everyMs = DEFAULT_EVERY_MS, cron } = written.schedule;
  const { nodes, start_local: startLocal, proxy, bind } = written.gateways;
  const { listen } = written.server;
  return {
    owner: written.owner,
    prefix: written.prefix,
    stateDir,
    source: toSource(written.source, fileOf('source.token', written.source.token_file)),
    marathon: toMarathon(written.marathon, fileOf),
    gateways: { nodes: nodes.map(toNode), startLocal, proxy, bind },
    schedule: cron === undefined ? { everyMs } : { cron },
    rollout: written.rollout,
    budgets: {
      pruneCount: written.budgets.prune_count,
      pruneShare: written.budgets.prune_share,
      concurrency: written.budgets.concurrency,
    },
    journal: { file: resolve(written.journal.file ?? `${stateDir}/journal.sqlite`) },
    server: {
      listen: 'socket' in listen ? { socket: resolve(listen.socket) } : listen,
      ...(serverToken !== undefined && { tokenFile: serverToken }),
    },
    secretFiles,
  };
}

function toSource(written: Written['source'], tokenFile: string | undefined): SourceConfig {
  const { branch = 'main', tag, revision, limits } = written;
  const ref = tag === undefined ? { branch } : { tag };
  return {
    url: written.url,
    ref: revision === undefined ? ref : { revision },
    path: written.path,
    ...(tokenFile !== undefined && { tokenFile }),
    ...(written.ca_file !== undefined && { caFile: resolve(written.ca_file) }),
    limits: {
      files: limits.files,
      fileBytes: limits.file_bytes,
      totalBytes: limits.total_bytes,
      timeoutMs: limits.timeout,
    },
  };
}

function toMarathon(
  written: Written['marathon'],
  fileOf: (key: string, name: string | undefined) => string | undefined,
): MarathonConfig {
  const tokenFile = fileOf('marathon.token', written.token_file);
  const passwordFile = fileOf('marathon.password', written.password_file);
  const { user } = written;
  const basic = user !== undefined &&
    passwordFile !== undefined && { auth: { user, passwordFile } };
  return {
    urls: written.urls,
    ...(tokenFile === undefined ? basic : { auth: { tokenFile } }),
    ...(written.ca_file !== undefined && { caFile: resolve(written.ca_file) }),
    timeoutMs: written.timeout,
  };
}

function toNode(written: Written['gateways']['nodes'][number]): GatewayNodeConfig {
  const { name, url, socket = '', token_file: tokenFile } = written;
  return {
    name,
    ...(url === undefined ? { socket: resolve(socket) } : { url }),
    ...(tokenFile !== undefined && { tokenFile: resolve(tokenFile) }),
  };
}
