import path from 'node:path';

import pino from 'pino';

import { startAgent } from '../../reconciler/gateway/agent/agent.ts';
import { createAgentGateways } from '../../reconciler/gateway/agents.ts';
import type { Task } from '../../reconciler/model/actual.ts';
import type { Split } from '../../reconciler/model/split.ts';
import { fakeFeed } from './splits.ts';

interface Told {
  readonly stateDir: string;
  readonly tasks: readonly Task[];
  readonly split: Split;
}

/** An agent with HAProxy in a process of its own, to be killed by a test. */
const told: Told = JSON.parse(process.argv[2] ?? '');
const socket = path.join(told.stateDir, 'child.sock');
await startAgent({
  node: 'n1',
  stateDir: told.stateDir,
  listen: { socket },
  proxy: 'haproxy',
  tasks: fakeFeed(told.tasks),
  pollMs: 100,
  tuning: { checkIntervalMs: 200, connectHoldMs: 200 },
  logger: pino({ level: 'silent' }),
});
const gateways = createAgentGateways({
  nodes: [{ name: 'n1', socket }],
  timeoutMs: 5_000,
  owner: 'us',
});
await gateways.act({ kind: 'apply-split', split: told.split }, new AbortController().signal);
process.send?.('ready');
// Lives until it is killed.
setInterval(() => undefined, 60_000);
