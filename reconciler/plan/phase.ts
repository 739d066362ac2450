import type { Action } from '../model/action.ts';
import type { Phase } from '../model/status.ts';
import type { AppPlan } from './app-plan.ts';
import { isUnlisted } from './apps.ts';
import type { GatewayPlan } from './gateway.ts';
import type { Version, World } from './world.ts';

/** What a unit is about, in one word, one reason and one sentence. */
export interface Standing {
  readonly phase: Phase;
  readonly reason: string;
  readonly message: string;
}

/** What was planned for a unit. */
export interface Planned {
  readonly gateways: readonly GatewayPlan[];
  readonly apps: readonly { readonly version: Version; readonly plan: AppPlan }[];
  readonly actions: readonly Action[];
}

/** Reasons in which nothing is under way and a person, not time, has to change something. */
const HOLDS = ['record-lost', 'stable-down', 'left-git'];

const MARATHON_UNSEEN: Standing = {
  phase: 'held',
  reason: 'marathon-unseen',
  message: 'Marathon cannot be read: nothing is started, stopped or raised meanwhile',
};

/** The worst of what is true: rejections, then gateways, then apps. */
export function phaseOf(world: World, planned: Planned): Standing {
  return (
    rejection(world) ??
    (world.input.apps === undefined ? MARATHON_UNSEEN : undefined) ??
    identityLost(world, planned) ??
    ofGateways(planned) ??
    ofApps(planned) ?? {
      phase: 'converged',
      reason: 'converged',
      message: 'everything is as git asks',
    }
  );
}

function rejection(world: World): Standing | undefined {
  const rejections = world.gateways.flatMap((gateway) => gateway.memory.rejected);
  const [first] = rejections;
  if (first === undefined) return undefined;
  const message = rejections.map((one) => `${one.service} was rejected: ${one.message}`).join('; ');
  return { phase: 'rejected', reason: first.reason, message };
}

function identityLost(world: World, { apps }: Planned): Standing | undefined {
  const lost = apps.find(({ version }) => version.desired && isUnlisted(world, version));
  return lost && { phase: 'held', reason: 'identity-lost', message: lost.plan.note };
}

function ofGateways({ gateways }: Planned): Standing | undefined {
  const busy = gateways.find((one) => one.decision.arrived !== true);
  if (busy === undefined) return undefined;
  const { reason, message } = busy.decision;
  if (HOLDS.includes(reason)) return { phase: 'held', reason, message };
  return { phase: reason === 'bake' ? 'baking' : 'progressing', reason, message };
}

function ofApps({ apps, actions }: Planned): Standing | undefined {
  const starting = apps.find(
    ({ version, plan }) =>
      version.wanted > 0 && (plan.state === 'starting' || plan.state === 'absent'),
  );
  if (starting) {
    const message = `${starting.version.id}: ${starting.plan.note}`;
    return { phase: 'progressing', reason: 'not-ready', message };
  }
  const waiting = apps.find(({ plan }) => plan.state === 'kept');
  if (waiting) {
    const message = `${waiting.version.id}: ${waiting.plan.note}`;
    return { phase: 'held', reason: 'left-git', message };
  }
  const acting = actions.find((action) => action.kind !== 'record');
  if (acting) return { phase: 'progressing', reason: 'acting', message: acting.why };
  const shrinking = apps.find(({ plan }) => plan.state === 'ready' && plan.note !== '');
  if (shrinking === undefined) return undefined;
  return { phase: 'progressing', reason: 'shrinking', message: shrinking.plan.note };
}
