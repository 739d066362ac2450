import { readFile } from 'node:fs/promises';

import { Agent, request } from 'undici';
import { z } from 'zod';

import { DriverError } from '../errors.ts';
import type { NodeView } from '../model/split.ts';
import { nodeViewSchema } from './node-view-schema.ts';
import type { GatewayAbilities, Gateways, GatewayWrite } from './port.ts';

export interface AgentNode {
  readonly name: string;
  /** `http://host:port` of the agent, or the path of its unix socket. */
  readonly url?: string;
  readonly socket?: string;
  /** File that holds the bearer token of this agent. */
  readonly tokenFile?: string;
}

export interface AgentGatewaysOptions {
  readonly nodes: readonly AgentNode[];
  /** Longest wait for one answer of one node, milliseconds. */
  readonly timeoutMs: number;
  /** Gateways of other owners are left out. */
  readonly owner: string;
}

const ABILITIES: GatewayAbilities = { weights: 'exact', protocols: ['http', 'tcp'], durable: true };

/** An answer may carry hundreds of gateways with their servers; more than this is no state. */
const LONGEST_ANSWER = 64 * 1_048_576;

const faultSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** The gateways of one or many `sluice gateway` agents that all hold the same splits. */
export function createAgentGateways(options: AgentGatewaysOptions): Gateways {
  const dispatchers = new Map(options.nodes.map((node) => [node.name, dispatcherOf(node)]));

  async function call(node: AgentNode, ask: Ask, signal: AbortSignal): Promise<unknown> {
    const dispatcher = dispatchers.get(node.name);
    const headers = await headersOf(node, ask);
    const answer = await request(new URL(ask.path, node.url ?? 'http://agent'), {
      method: ask.method,
      headers,
      body: ask.body === undefined ? null : JSON.stringify(ask.body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]),
      ...(dispatcher === undefined ? {} : { dispatcher }),
    });
    return readAnswer(answer.statusCode, await answer.body.text());
  }

  async function observeNode(node: AgentNode, signal: AbortSignal): Promise<NodeView> {
    try {
      const answer = await call(node, { method: 'GET', path: '/v1/state' }, signal);
      const { gateways } = nodeViewSchema.parse(answer);
      return {
        node: node.name,
        gateways: gateways.filter((view) => view.split.owner === options.owner),
      };
    } catch (error) {
      const { code, message } = faultOf(node, error);
      return { node: node.name, error: { code, message }, gateways: [] };
    }
  }

  return {
    abilities: ABILITIES,
    observe(signal) {
      return Promise.all(options.nodes.map((node) => observeNode(node, signal)));
    },
    async act(write, signal) {
      const named = write.kind === 'apply-split' ? write.nodes : undefined;
      const nodes = options.nodes.filter((node) => named?.includes(node.name) ?? true);
      const ask = askOf(write);
      const faults = await Promise.all(
        nodes.map((node) =>
          call(node, ask, signal).then(
            () => undefined,
            (error: unknown) => faultOf(node, error),
          ),
        ),
      );
      throwFaults(faults.filter((fault) => fault !== undefined));
    },
  };
}

interface Ask {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
}

function askOf(write: GatewayWrite): Ask {
  if (write.kind === 'apply-split') {
    const path = `/v1/gateways/${encodeURIComponent(write.split.gateway)}`;
    return { method: 'PUT', path, body: write.split };
  }
  const path = `/v1/gateways/${encodeURIComponent(write.gateway)}?generation=${String(write.generation)}`;
  return { method: 'DELETE', path };
}

function readAnswer(status: number, text: string): unknown {
  const parsed: unknown = text === '' ? undefined : JSON.parse(text);
  if (status < 300) return parsed;
  const fault = faultSchema.safeParse(parsed).data?.error;
  throw new DriverError(
    fault?.code ?? 'node-refused',
    fault?.message ?? `answered ${String(status)}`,
    { retry: status === 422 || status === 401 ? 'never' : 'soon' },
  );
}

/** One error for all nodes that failed, with the code of the first. */
function throwFaults(failed: readonly DriverError[]): void {
  const [first] = failed;
  if (first === undefined) return;
  throw new DriverError(first.code, failed.map((fault) => fault.message).join('; '), {
    retry: failed.some((fault) => fault.retry === 'never') ? 'never' : first.retry,
    cause: first,
  });
}

function dispatcherOf(node: AgentNode): Agent {
  return new Agent({
    connections: 4,
    maxResponseSize: LONGEST_ANSWER,
    ...(node.socket === undefined ? {} : { connect: { socketPath: node.socket } }),
  });
}

/** The token is read anew each time, so that it can be renewed without a restart. */
async function headersOf(node: AgentNode, ask: Ask): Promise<Record<string, string>> {
  const headers: Record<string, string> =
    ask.body === undefined ? {} : { 'content-type': 'application/json' };
  if (node.tokenFile === undefined) return headers;
  const token = (await readFile(node.tokenFile, 'utf8')).trim();
  return { ...headers, authorization: `Bearer ${token}` };
}

function faultOf(node: AgentNode, error: unknown): DriverError {
  if (error instanceof DriverError) {
    return new DriverError(error.code, `${node.name}: ${error.message}`, {
      retry: error.retry,
      cause: error,
    });
  }
  const why = error instanceof Error ? (codeOf(error) ?? error.message) : String(error);
  return new DriverError('node-unreachable', `${node.name}: ${why}`, {
    retry: 'backoff',
    cause: error,
  });
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
