import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';

import type { Logger } from 'pino';

import type { Config, GatewayNodeConfig } from '../config.ts';
import { writeSecretFiles } from '../config.ts';
import { gatewayNodes, localAgentDir, openMarathon } from '../drivers.ts';
import { DriverError } from '../errors.ts';
import { startAgent } from '../gateway/agent/agent.ts';
import type { Listen } from '../gateway/agent/api.ts';
import { askAgent, stopAgent } from './agent-desk.ts';
import { createTaskFeed } from '../platform/marathon/task-feed.ts';
import { renderTable } from './table.ts';
import type { ExitStatus, Terminal } from './terminal.ts';

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
  const stateDir = resolve(localAgentDir(config), '.');
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  writeSecretFiles(config.secretFiles);
  const agent = await startAgent({
    node: node.name,
    stateDir,
    listen: listenOf(node),
    proxy: config.gateways.proxy,
    bindHost: config.gateways.bind,
    tasks: createTaskFeed(openMarathon(config)),
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

function chosen(context: GatewayContext): GatewayNodeConfig {
  const nodes = gatewayNodes(context.config);
  const [only] = nodes;
  if (context.node === undefined && nodes.length === 1 && only) return only;
  const found = nodes.find((one) => one.name === context.node);
  if (found) return found;
  const names = nodes.map((one) => one.name).join(', ');
  throw new DriverError(
    'unknown-node',
    `--node must be one of the configuration's nodes: ${names}`,
    { retry: 'never' },
  );
}

/** `sluice gateway stop`: ends the agent and its proxy. */
export async function gatewayStop(context: GatewayContext): Promise<ExitStatus> {
  const node = chosen(context);
  await stopAgent(node, context.terminal.signal);
  context.terminal.out(`${node.name} has ended\n`);
  return 0;
}

/** `sluice gateway status`: what every agent holds and what its proxy really does. */
export async function gatewayStatusCommand(context: GatewayContext): Promise<ExitStatus> {
  const { terminal, config } = context;
  const views = await Promise.all(
    gatewayNodes(config).map(async (node) => askAgent(node, terminal.signal)),
  );
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
