import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { gatewayStatusCommand, gatewayStop, namedNode } from '../../reconciler/commands/gateway.ts';
import type { GatewayContext } from '../../reconciler/commands/gateway.ts';
import { loadConfig } from '../../reconciler/config.ts';
import type { Config } from '../../reconciler/config.ts';
import { localAgentDir } from '../../reconciler/drivers.ts';
import { startAgent } from '../../reconciler/gateway/agent/agent.ts';
import type { Agent } from '../../reconciler/gateway/agent/agent.ts';
import { withHaproxy } from '../gateway/haproxy-binary.ts';
import { fakeFeed } from '../gateway/splits.ts';

const logger = pino({ level: 'silent' });
let folder: string;
const agents: Agent[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-'));
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
  rmSync(folder, { recursive: true, force: true });
});

function configOf(nodes = ''): Config {
  const text = `source: {url: /nowhere}\nstate_dir: ${folder}\n${nodes}`;
  return loadConfig({ file: join(folder, 'sluice.yml'), text, env: {}, flags: {} });
}

function contextOf(config: Config, json = false): { context: GatewayContext; said: string[] } {
  const said: string[] = [];
  const out = (text: string): void => void said.push(text);
  const { signal } = new AbortController();
  const terminal = { out, err: out, colour: false, json, signal };
  return { context: { config, logger, terminal, node: undefined }, said };
}

async function agentOf(config: Config, proxy: 'haproxy' | 'embedded'): Promise<Agent> {
  const stateDir = localAgentDir(config);
  const listen = { socket: join(stateDir, 'agent.sock') };
  const agent = await startAgent({
    node: 'local',
    stateDir,
    listen,
    proxy,
    tasks: fakeFeed(),
    logger,
  });
  agents.push(agent);
  return agent;
}

describe('gateway stop', () => {
  it('ends the agent', async () => {
    const config = configOf();
    const agent = await agentOf(config, 'embedded');
    const { context, said } = contextOf(config);
    expect(await gatewayStop(context)).toBe(0);
    await agent.closed;
    expect(said).toEqual(['local has ended\n']);
  });

  it('tells its outcome to programs', async () => {
    const config = configOf();
    await agentOf(config, 'embedded');
    const { context, said } = contextOf(config, true);
    await gatewayStop(context);
    expect(JSON.parse(said.join(''))).toEqual({ outcome: 'done', message: 'local has ended' });
  });

  it('says where there is nothing to stop', async () => {
    const { context } = contextOf(configOf());
    await expect(gatewayStop(context)).rejects.toMatchObject({ code: 'node-unreachable' });
  });

  it('leaves the proxy of another agent alone', async () => {
    const nodes =
      'gateways: {nodes: [{name: a, socket: /nowhere.sock}, {name: b, url: "http://127.0.0.1:1"}]}';
    const config = configOf(nodes);
    const agent = await agentOf(config, 'embedded');
    const { context } = contextOf(config);
    for (const node of ['a', 'b']) {
      await expect(gatewayStop({ ...context, node })).rejects.toMatchObject({
        code: 'node-unreachable',
        message: expect.stringContaining('nothing to stop'),
      });
    }
    expect(await Promise.race([agent.closed.then(() => 'ended'), Promise.resolve('alive')])).toBe(
      'alive',
    );
  });
});

withHaproxy('gateway stop after a dead agent', () => {
  it('ends the HAProxy that it left, and says so', async () => {
    const config = configOf();
    const agent = await agentOf(config, 'haproxy');
    await agent.close('leave');
    const { context, said } = contextOf(config, true);
    expect(await gatewayStop(context)).toBe(0);
    expect(JSON.parse(said.join(''))).toEqual({
      outcome: 'done',
      message: 'local had no agent; the HAProxy that it left has ended',
    });
    await expect(gatewayStop(context)).rejects.toMatchObject({ code: 'node-unreachable' });
  });
});

describe('nodes', () => {
  const nodes =
    'gateways: {nodes: [{name: a, socket: /nowhere.sock}, {name: b, url: "http://127.0.0.1:1"}]}';

  it('are those of the configuration', () => {
    expect(namedNode(configOf(nodes), 'b')).toEqual({ name: 'b', url: 'http://127.0.0.1:1' });
    expect(() => namedNode(configOf(nodes), 'c')).toThrow(
      'there is no node c: name one of the configuration, a, b',
    );
  });

  it('that do not answer are shown with what to do', async () => {
    const { context, said } = contextOf(configOf(nodes), true);
    expect(await gatewayStatusCommand({ ...context, node: 'a' })).toBe(2);
    expect(JSON.parse(said.join(''))).toEqual([
      {
        node: 'a',
        gateways: [],
        error: {
          code: 'node-unreachable',
          message: 'a: no agent answers at /nowhere.sock (ENOENT); sluice gateway start starts one',
        },
      },
    ]);
  });
});
