import { readFile } from 'node:fs/promises';

import { Agent, request } from 'undici';

import type { GatewayNodeConfig } from '../config.ts';
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
    const message = error instanceof Error ? error.message : String(error);
    return { node: node.name, gateways: [], error: { code: 'node-unreachable', message } };
  }
}

/** Asks an agent to end itself and its proxy. */
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
    const token =
      node.tokenFile === undefined ? undefined : (await readFile(node.tokenFile, 'utf8')).trim();
    const answer = await request(new URL(ask.path, 'url' in node ? node.url : 'http://agent'), {
      method: ask.method,
      dispatcher: agent,
      headersTimeout: TIMEOUT_MS,
      signal,
      ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`answered ${String(answer.statusCode)}`);
    return text;
  } finally {
    await agent.destroy();
  }
}
