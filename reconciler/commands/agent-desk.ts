import { readFile } from 'node:fs/promises';

import { Agent, request } from 'undici';

import type { GatewayNodeConfig } from '../config.ts';
import { DriverError } from '../errors.ts';
import type { AgentView } from '../gateway/agent/api.ts';

const TIMEOUT_MS = 5000;

/** What an agent says of itself; one that cannot be asked has an error instead. */
export type AgentReport = Pick<AgentView, 'node' | 'gateways' | 'error'> & Partial<AgentView>;

export async function askAgent(node: GatewayNodeConfig, signal: AbortSignal): Promise<AgentReport> {
  try {
    const text = await call(node, { method: 'GET', path: '/v1/state' }, signal);
    // An agent of this program on the node that the configuration names.
    const view: AgentReport = JSON.parse(text);
    return { ...view, node: node.name };
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    const { code, message } = error;
    return { node: node.name, gateways: [], error: { code, message } };
  }
}

/**
 * Asks an agent to end itself and its proxy.
 *
 * @throws DriverError `node-unreachable`, `node-refused`, `token-unreadable`.
 */
export async function stopAgent(node: GatewayNodeConfig, signal: AbortSignal): Promise<void> {
  await call(node, { method: 'POST', path: '/v1/stop' }, signal);
}

async function call(
  node: GatewayNodeConfig,
  ask: { readonly method: 'GET' | 'POST'; readonly path: string },
  signal: AbortSignal,
): Promise<string> {
  const agent = new Agent({
    connections: 1,
    ...('socket' in node && { connect: { socketPath: node.socket } }),
  });
  try {
    const token = await tokenOf(node);
    const answer = await request(new URL(ask.path, 'url' in node ? node.url : 'http://agent'), {
      method: ask.method,
      dispatcher: agent,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal,
      ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
    });
    const text = await answer.body.text();
    if (answer.statusCode < 300) return text;
    throw new DriverError(
      'node-refused',
      `${node.name}: ${addressOf(node)} answered ${String(answer.statusCode)}; check that an agent listens there, and its token`,
      { retry: 'never' },
    );
  } catch (error) {
    throw signal.aborted || error instanceof DriverError ? error : unreachable(node, error);
  } finally {
    await agent.destroy();
  }
}

function unreachable(node: GatewayNodeConfig, error: unknown): DriverError {
  return new DriverError(
    'node-unreachable',
    `${node.name}: no agent answers at ${addressOf(node)} (${reasonOf(error)}); sluice gateway start starts one`,
    { retry: 'backoff', cause: error },
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function addressOf(node: GatewayNodeConfig): string {
  return 'url' in node ? node.url : node.socket;
}

async function tokenOf(node: GatewayNodeConfig): Promise<string | undefined> {
  const { tokenFile } = node;
  if (tokenFile === undefined) return undefined;
  try {
    return (await readFile(tokenFile, 'utf8')).trim();
  } catch (error) {
    throw new DriverError('token-unreadable', `cannot read the token file ${tokenFile}`, {
      retry: 'never',
      cause: error,
    });
  }
}
