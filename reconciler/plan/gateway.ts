import type { Action } from '../model/action.ts';
import type { DesiredGateway } from '../model/desired.ts';
import type { GatewayRecord } from '../model/record.ts';
import type { GatewayMemory } from '../model/split.ts';
import type { Vector } from '../model/weights.ts';
import { sameVector, total, vectorKey } from '../model/weights.ts';
import type { Victims } from './composition.ts';
import { applyActions, nextSplit } from './composition.ts';
import { membersOf, targetAt } from './members.ts';
import type { PathDecision } from './path.ts';
import { nextVector } from './path.ts';
import type { Gateway, World } from './world.ts';

/** What one gateway should do now, and what it will remember of it. */
export interface GatewayPlan {
  readonly gateway: Gateway;
  readonly target: Vector;
  readonly decision: PathDecision;
  readonly actions: readonly Action[];
  /** Null: forget it. */
  readonly record: GatewayRecord | null;
  readonly warnings: readonly string[];
}

/** Plans a gateway that git asks for. */
export function planGateway(
  world: World,
  gateway: Gateway,
  desired: DesiredGateway,
  victims: Victims,
): GatewayPlan {
  const { memory } = gateway;
  const target = targetAt(world, gateway, desired);
  const first = isFirst(gateway);
  const decision = isBlind(gateway)
    ? { vector: gateway.weights, ...unsettledBecause(world, gateway) }
    : nextVector({
        target,
        stable: memory.stable,
        first,
        present: gateway.weights,
        settled: gateway.settled,
        unsettled: unsettledBecause(world, gateway),
        members: membersOf(world, gateway, desired),
        rollout: desired.rollout,
        step: gateway.record?.step,
        now: world.now,
      });
  const remembered = remember(memory, { decision, target, first, now: world.now });
  const next = nextSplit(world, { gateway, desired, decision, memory: remembered, victims });
  const actions = isBlind(gateway) ? [] : applyActions(gateway, next, decision);
  return {
    gateway,
    target,
    decision,
    actions,
    record: recordOf(world, gateway, { remembered, actions }),
    warnings: warningsOf(world, gateway),
  };
}

/** Nothing was ever stable here: straight to the target, without steps. */
function isFirst(gateway: Gateway): boolean {
  const { memory } = gateway;
  if (memory.stable !== undefined) return false;
  return memory.first === true || total(gateway.weights) === 0;
}

function isBlind(gateway: Gateway): boolean {
  return gateway.nodes.every((node) => node.error !== undefined);
}

function recordOf(
  world: World,
  gateway: Gateway,
  of: { readonly remembered: GatewayMemory; readonly actions: readonly Action[] },
): GatewayRecord {
  const step = stepSeen(gateway, world.now);
  const [write] = of.actions;
  const generation =
    write?.kind === 'apply-split'
      ? write.split.generation
      : Math.max(gateway.inForce?.generation ?? 0, gateway.record?.generation ?? 0);
  return { memory: of.remembered, generation, ...(step && { step }) };
}

function warningsOf(world: World, gateway: Gateway): readonly string[] {
  const unseen = world.unseen.map(
    (node) =>
      `proxy ${node} cannot be seen: no weight of ${gateway.name} rises and nothing is retired ` +
      `(if it is gone for good: sluice gateway forget ${node})`,
  );
  const faults = gateway.nodes.flatMap((node) =>
    node.view?.error
      ? [`proxy ${node.node}, port ${gateway.name}: ${node.view.error.message}`]
      : [],
  );
  return [...unseen, ...faults];
}

function unsettledBecause(world: World, gateway: Gateway): { reason: string; message: string } {
  if (world.unseen.length > 0) {
    return {
      reason: 'proxy-unseen',
      message: `proxy ${world.unseen.join(', ')} cannot be seen: no weight rises`,
    };
  }
  const fault = gateway.nodes.find((node) => node.view?.error);
  if (fault?.view?.error) {
    return { reason: fault.view.error.code, message: fault.view.error.message };
  }
  return { reason: 'proxy-behind', message: 'waiting until every proxy shows the split in force' };
}

/** Since when every proxy shows the weights in force; a gap in sight does not start it anew. */
function stepSeen(gateway: Gateway, now: number): GatewayRecord['step'] {
  const vector = vectorKey(gateway.weights);
  if (gateway.record?.step?.vector === vector) return gateway.record.step;
  return gateway.settled ? { vector, since: now } : undefined;
}

function remember(
  memory: GatewayMemory,
  at: {
    readonly decision: PathDecision;
    readonly target: Vector;
    readonly first: boolean;
    readonly now: number;
  },
): GatewayMemory {
  const { rejected } = memory;
  // A gateway that git closed has nothing to go back to.
  if (at.decision.arrived === true && total(at.target) === 0) return { rejected };
  if (at.decision.arrived === true) {
    const same = memory.stable && sameVector(memory.stable.vector, at.target);
    const stable = same ? memory.stable : { vector: positive(at.target), since: at.now };
    return { rejected, ...(stable && { stable }) };
  }
  return {
    rejected,
    ...(memory.stable && { stable: memory.stable }),
    ...(at.first && { first: true as const }),
  };
}

function positive(vector: Vector): Vector {
  return Object.fromEntries(Object.entries(vector).filter(([, parts]) => parts > 0));
}
