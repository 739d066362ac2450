import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import pino from 'pino';

import { startAgent } from '../../reconciler/gateway/agent/agent.ts';
import { createAgentGateways } from '../../reconciler/gateway/agents.ts';
import { gatewaysContract, type GatewaysSubject } from './gateways-contract.ts';
import { freePort } from './origins.ts';
import { fakeFeed } from './splits.ts';

/** Two agents on one host, each with an address of its own for its gateways. */
async function makeSubject(): Promise<GatewaysSubject> {
  const folder = mkdtempSync(path.join(tmpdir(), 'gw-'));
  const nodes = ['n1', 'n2'].map((name) => ({ name, socket: path.join(folder, `${name}.sock`) }));
  const agents = await Promise.all(
    nodes.map(({ name, socket }, at) =>
      startAgent({
        node: name,
        stateDir: path.join(folder, name),
        listen: { socket },
        proxy: 'embedded',
        bindHost: `127.0.0.${String(at + 1)}`,
        tasks: fakeFeed(),
        logger: pino({ level: 'silent' }),
      }),
    ),
  );
  return {
    gateways: createAgentGateways({ nodes, timeoutMs: 5_000, owner: 'us' }),
    port: freePort,
    async cutOff(node) {
      await agents[nodes.findIndex(({ name }) => name === node)]?.close();
    },
    async close() {
      await Promise.all(agents.map((agent) => agent.close()));
    },
  };
}

gatewaysContract('agents', makeSubject);
