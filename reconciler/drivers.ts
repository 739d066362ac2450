import { resolve } from 'node:path';

import { readRolloutDefaults } from './blueprint/rollout-defaults.ts';
import type { Config, GatewayNodeConfig } from './config.ts';
import { DriverError } from './errors.ts';
import { createAgentGateways } from './gateway/agents.ts';
import type { Gateways } from './gateway/port.ts';
import type { CompileOptions } from './blueprint/compile.ts';
import { createMarathonClient } from './platform/marathon/client.ts';
import type { MarathonClient } from './platform/marathon/client.ts';
import { createMarathonPlatform } from './platform/marathon/platform.ts';
import { createTaskFeed } from './platform/marathon/task-feed.ts';
import type { Platform, TaskFeed } from './platform/port.ts';
import { createGitSource } from './source/git.ts';
import type { Source } from './source/port.ts';

/** The world outside, as one configuration names it. This file alone knows vendors. */
export interface Drivers {
  readonly source: Source;
  readonly platform: Platform;
  readonly feed: TaskFeed;
  readonly gateways: Gateways;
  readonly compile: CompileOptions;
  /** Source, prefix and owner: a change of it is doubt (law 11). */
  readonly fingerprint: string;
  /** Ends open connections. */
  close(): Promise<void>;
}

/** Longest answer of Marathon: 10,000 apps are some 20 MB. */
const MAX_RESPONSE_BYTES = 256 * 1_048_576;
/** Longest wait for one agent: a proxy that takes longer counts as not seen. */
const GATEWAY_TIMEOUT_MS = 5000;

/** Name of the agent that `run` and `apply` start where the configuration names none. */
export const LOCAL_NODE = 'local';

/** `environment`: what git children inherit (PATH, proxies). */
export function openDrivers(
  config: Config,
  environment: Readonly<Record<string, string>>,
): Drivers {
  const client = openMarathon(config);
  const source = openSource(config, environment);
  return {
    source,
    platform: createMarathonPlatform(client, { owner: config.owner }),
    feed: createTaskFeed(client),
    gateways: openGateways(config),
    compile: compileOptions(config),
    fingerprint: `${source.fingerprint} prefix ${config.prefix} owner ${config.owner}`,
    close: () => client.close(),
  };
}

/** The agents, those of the configuration or the local one. */
export function openGateways(config: Config): Gateways {
  return createAgentGateways({
    nodes: gatewayNodes(config),
    timeoutMs: GATEWAY_TIMEOUT_MS,
    owner: config.owner,
  });
}

/** Instances and wake-ups alone, as the agent beside a proxy needs them. */
export function openFeed(config: Config): TaskFeed {
  return createTaskFeed(openMarathon(config));
}

export function openMarathon(config: Config): MarathonClient {
  const { urls, auth, caFile, timeoutMs } = config.marathon;
  return createMarathonClient({
    urls,
    timeoutMs,
    maxResponseBytes: MAX_RESPONSE_BYTES,
    ...(auth && { auth }),
    ...(caFile !== undefined && { caFile }),
  });
}

export function openSource(config: Config, environment: Readonly<Record<string, string>>): Source {
  const { url, ref, path, tokenFile, caFile, limits } = config.source;
  return createGitSource({
    url,
    ref,
    path,
    limits,
    environment,
    mirrorDir: resolve(config.stateDir, 'mirror.git'),
    ...(tokenFile !== undefined && { tokenFile }),
    ...(caFile !== undefined && { caFile }),
  });
}

/** @throws DriverError `config-invalid` where the default rollout of `sluice.yml` is not right. */
export function compileOptions(config: Config): CompileOptions {
  const { rollout, diagnostics } = readRolloutDefaults(config.rollout);
  if (diagnostics.length > 0) {
    const lines = diagnostics.map((one) => `  ${one.code}: ${one.message}`);
    throw new DriverError('config-invalid', `\`rollout\` is not right:\n${lines.join('\n')}`, {
      retry: 'never',
    });
  }
  return { prefix: config.prefix, ...(rollout && { rollout }) };
}

/** Folder of the agent that is started here where the configuration names none. */
export function localAgentDir(config: Config): string {
  return resolve(config.stateDir, 'gateway');
}

export function gatewayNodes(config: Config): readonly GatewayNodeConfig[] {
  if (config.gateways.nodes.length > 0) return config.gateways.nodes;
  return [{ name: LOCAL_NODE, socket: resolve(localAgentDir(config), 'agent.sock') }];
}
