import type { GatewayRecord } from '../model/record.ts';
import type { GatewayPlan } from './gateway.ts';
import type { Gateway, World } from './world.ts';

/**
 * Plans a gateway that left git: its weights stay as they are until the prune is allowed (law 11)
 * and it had no request for `pruneQuietMs`; then the listener closes.
 */
export function planRemoval(world: World, gateway: Gateway): GatewayPlan {
  const requests = countRequests(gateway);
  const before = gateway.record?.quiet;
  const quiet =
    before !== undefined && before.requests === requests ? before : { requests, since: world.now };
  const record: GatewayRecord = { ...gateway.record, memory: gateway.memory, quiet };
  const keep = { gateway, target: gateway.weights, record, warnings: [] };
  const stay = { vector: gateway.weights };
  if (!world.input.mayPrune.includes(gateway.name)) {
    const message = `port ${gateway.name} left git and waits for an approval`;
    return { ...keep, actions: [], decision: { ...stay, reason: 'left-git', message } };
  }
  if (world.unseen.length > 0) {
    const message = `port ${gateway.name} left git, but ${world.unseen.join(', ')} cannot be seen`;
    return { ...keep, actions: [], decision: { ...stay, reason: 'proxy-unseen', message } };
  }
  const closes = quiet.since + world.input.pruneQuietMs;
  if (world.now < closes) {
    const message = `port ${gateway.name} left git and closes once nobody has used it for a while`;
    const decision = { ...stay, reason: 'in-use', message, lookAgainAt: closes };
    return { ...keep, actions: [], decision };
  }
  const why = `port ${gateway.name} left git and nobody uses it`;
  const generation = (gateway.inForce?.generation ?? 0) + 1;
  return {
    ...keep,
    actions: [{ kind: 'remove-gateway', gateway: gateway.name, generation, why }],
    decision: { ...stay, reason: 'closing', message: why },
  };
}

function countRequests(gateway: Gateway): number {
  let sum = 0;
  for (const node of gateway.nodes) {
    for (const version of node.view?.versions ?? []) sum += version.counters.requests;
  }
  return sum;
}
