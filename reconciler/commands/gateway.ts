import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type { Logger } from 'pino';

import type { Config, GatewayNodeConfig } from '../config.ts';
import { writeSecretFiles } from '../config.ts';
import { gatewayNodes, localAgentDir, openFeed } from '../drivers.ts';
import { DriverError } from '../errors.ts';
import { startAgent, stopLeftoverProxy } from '../gateway/agent/agent.ts';
import type { Listen } from '../gateway/agent/api.ts';
import { isListening } from '../gateway/agent/state-lock.ts';
import { askAgent, stopAgent } from './agent-desk.ts';
import { renderTable } from './table.ts';
import type { ExitStatus, Terminal } from './terminal.ts';
import { tellOutcome } from './wish.ts';

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

export interface GatewayContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly terminal: Terminal;
  /** Name of the node in the configuration; the only one where it is left out. */
  readonly node: string | undefined;
}

/** `sluice gateway start`: serves until `sluice gateway stop` or a signal ends it. */
export async function gatewayStart(context: GatewayContext): Promise<ExitStatus> {
  const { config, terminal, logger } = context;
  const node = chosen(context);
  const stateDir = localAgentDir(config);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  writeSecretFiles(config.secretFiles);
  const agent = await startAgent({
    node: node.name,
    stateDir,
    listen: listenOf(node),
    proxy: config.gateways.proxy,
    bindHost: config.gateways.bind,
    tasks: openFeed(config),
    logger,
    ...(node.tokenFile !== undefined && { tokenFile: node.tokenFile }),
  });
  logger.info({ node: node.name, proxy: agent.proxy }, 'the gateway agent serves');
  const stop = (): void => {
    void agent.close('stop');
  };
  terminal.signal.addEventListener('abort', stop);
  if (terminal.signal.aborted) stop();
  await agent.closed;
  return 0;
}

function listenOf(node: GatewayNodeConfig): Listen {
  if ('socket' in node) return { socket: node.socket };
  const url = new URL(node.url);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replaceAll(/^\[|\]$/gu, ''), port };
}

function chosen({ config, node }: Pick<GatewayContext, 'config' | 'node'>): GatewayNodeConfig {
  const [only, ...others] = gatewayNodes(config);
  return node === undefined && only && others.length === 0 ? only : namedNode(config, node);
}

/** @throws DriverError `unknown-node` that lists the nodes of the configuration. */
export function namedNode(config: Config, name: string | undefined): GatewayNodeConfig {
  const nodes = gatewayNodes(config);
  const found = nodes.find((one) => one.name === name);
  if (found) return found;
  const names = nodes.map((one) => one.name).join(', ');
  const what = name === undefined ? 'several nodes are configured' : `there is no node ${name}`;
  throw new DriverError('unknown-node', `${what}: name one of the configuration, ${names}`, {
    retry: 'never',
  });
}

/** `sluice gateway stop`: ends the agent and its proxy, or the proxy that a dead agent left. */
export async function gatewayStop(context: GatewayContext): Promise<ExitStatus> {
  const { config, terminal } = context;
  const node = chosen(context);
  try {
    await stopAgent(node, terminal.signal);
  } catch (error) {
    if (!(error instanceof DriverError) || error.code !== 'node-unreachable') throw error;
    if (!(await stopLeftover(config, node))) throw nothingToStop(node, error);
    tellOutcome(terminal, 'done', `${node.name} had no agent; the HAProxy that it left has ended`);
    return 0;
  }
  tellOutcome(terminal, 'done', `${node.name} has ended`);
  return 0;
}

/** HAProxy outlives an agent that was killed. Only the agent of this host has left it here. */
async function stopLeftover(config: Config, node: GatewayNodeConfig): Promise<boolean> {
  const folder = localAgentDir(config);
  const isHere = 'socket' in node || LOOPBACK.has(new URL(node.url).hostname);
  // An agent that lives but does not answer, or another node's, keeps its proxy.
  if (!isHere || !existsSync(folder) || (await isListening(join(folder, 'agent.lock')))) {
    return false;
  }
  return stopLeftoverProxy(folder);
}

function nothingToStop(node: GatewayNodeConfig, cause: DriverError): DriverError {
  const place = 'url' in node ? node.url : node.socket;
  return new DriverError(
    'node-unreachable',
    `${node.name}: no agent answers at ${place}, and no HAProxy is left over here: there is nothing to stop`,
    { retry: 'never', cause },
  );
}

/** `sluice gateway status`: what every agent holds and what its proxy really does. */
export async function gatewayStatusCommand(context: GatewayContext): Promise<ExitStatus> {
  const { terminal, config, node: name } = context;
  const nodes = name === undefined ? gatewayNodes(config) : [namedNode(config, name)];
  const views = await Promise.all(nodes.map(async (node) => askAgent(node, terminal.signal)));
  if (terminal.json) terminal.out(`${JSON.stringify(views)}\n`);
  else {
    const rows = views.map((view) =>
      view.error
        ? [view.node, '-', '-', '-', `${view.error.code}: ${view.error.message}`]
        : [
            view.node,
            view.proxy ?? '-',
            String(view.gateways.length),
            String(view.reloads ?? 0),
            view.marathon?.error ?? 'ok',
          ],
    );
    terminal.out(renderTable(['node', 'proxy', 'gateways', 'reloads', 'marathon'], rows, terminal));
  }
  return views.every((view) => view.error === undefined) ? 0 : 2;
}
