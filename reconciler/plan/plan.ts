import type { Action } from '../model/action.ts';
import type { RecordPatch } from '../model/record.ts';
import type { UnitStatus } from '../model/status.ts';
import { serviceKey } from '../model/desired.ts';
import { weightOf } from '../model/weights.ts';
import type { AppContext, AppPlan } from './app-plan.ts';
import { planApp } from './apps.ts';
import type { Victims } from './composition.ts';
import type { GatewayPlan } from './gateway.ts';
import { isSame } from './equality.ts';
import { planGateway } from './gateway.ts';
import type { Plan, PlanInput } from './input.ts';
import { planLeaving } from './leaving.ts';
import type { Planned } from './phase.ts';
import { phaseOf } from './phase.ts';
import { judged } from './reject.ts';
import { victimsOf } from './shrink.ts';
import { planRemoval } from './removal.ts';
import { gatewayStatus, unitName, versionStatus } from './report.ts';
import type { Version, World } from './world.ts';
import { buildWorld, hasSeat, isLetGo, isStableAnywhere } from './world.ts';

/**
 * Decides what is safe to do now for one unit: deployments and the gateways that they share. Pure:
 * same input and time, same plan. Each action is safe by itself in the state that was observed;
 * what depends on another action's outcome waits for the next look (laws 1 and 2).
 */
export function plan(input: PlanInput, now: number): Plan {
  const world = judgedWorld(buildWorld(input, now));
  if (input.hold) return held(world, input.hold);
  const gateways = planGateways(world);
  const contexts = world.versions.map((version) => contextOf(world, version, gateways));
  const apps = contexts.map((of) => ({ version: of.version, plan: appPlanOf(world, of) }));
  const patch = patchOf(world, gateways, apps);
  const actions = ordered(patch, gateways, apps);
  return finish(world, { gateways, apps, actions });
}

function judgedWorld(world: World): World {
  const gateways = world.gateways.map((one) => ({ ...one, memory: judged(world, one) }));
  return { ...world, gateways };
}

/** Twice, since who leaves depends on which gateways are calm, and the splits on who leaves. */
function planGateways(world: World): readonly GatewayPlan[] {
  const idle = planAll(world, new Map());
  const victims = new Map<string, readonly string[]>();
  for (const version of world.versions) {
    const leaving = victimsOf(contextOf(world, version, idle));
    if (leaving.length > 0) victims.set(version.id, leaving);
  }
  return victims.size === 0 ? idle : planAll(world, victims);
}

function planAll(world: World, victims: Victims): readonly GatewayPlan[] {
  return world.gateways.map((gateway) =>
    gateway.desired
      ? planGateway(world, gateway, gateway.desired, victims)
      : planRemoval(world, gateway),
  );
}

function contextOf(world: World, version: Version, gateways: readonly GatewayPlan[]): AppContext {
  const seated = gateways.filter(
    ({ gateway, target }) => version.id in target || hasSeat(gateway, version.id),
  );
  const isStable = isStableAnywhere(world, version.id);
  return {
    world,
    version,
    // What is stable somewhere has proved itself there: it keeps its instances.
    rejected: version.desired !== undefined && !isStable && isRejected(world, version),
    calm: seated.every((plan) => plan.decision.arrived === true),
    out: isOut(world, version, gateways),
    isStable,
  };
}

function isRejected(world: World, version: Version): boolean {
  return world.gateways.some((gateway) =>
    gateway.memory.rejected.some(
      (one) => one.digest === version.digest && one.service === serviceKey(version),
    ),
  );
}

/** Nobody routes to it, and every proxy is seen to agree (laws 5 and 6). */
function isOut(world: World, version: Version, gateways: readonly GatewayPlan[]): boolean {
  if (world.unseen.length > 0 || isStableAnywhere(world, version.id)) return false;
  return gateways.every(({ gateway, decision }) => {
    if (weightOf(decision.vector, version.id) > 0) return false;
    if (!isLetGo(world, gateway, version.id)) return false;
    return !hasSeat(gateway, version.id) || gateway.settled;
  });
}

function appPlanOf(world: World, of: AppContext): AppPlan {
  if (of.version.desired) return planApp(of);
  const { id } = of.version;
  const isStranger = world.input.strangers?.includes(id) === true;
  const mayGo = !leftGit(world, of.version) || world.input.mayPrune.includes(id);
  return planLeaving(of, mayGo && !isStranger);
}

/** A retired version's service or cluster is still there; a pruned one's has left git. */
function leftGit(world: World, version: Version): boolean {
  return !world.input.desired.deployments.some((deployment) =>
    deployment.versions.some(
      (one) => one.deployment === version.deployment && one.cluster === version.cluster,
    ),
  );
}

/** Only what changed, so that a converged unit writes nothing (law 12). */
function patchOf(
  world: World,
  gateways: readonly GatewayPlan[],
  apps: Planned['apps'],
): RecordPatch {
  const gatewayChanges = changed(
    world.input.record.gateways,
    gateways.map(({ gateway, record }) => [gateway.name, record]),
  );
  const appChanges = changed(
    world.input.record.apps,
    apps.map(({ version, plan }) => [version.id, plan.record]),
  );
  // What is remembered of apps and gateways that are gone is forgotten, once that is certain.
  const isGone = (name: string): boolean => gateways.every(({ gateway }) => gateway.name !== name);
  if (world.unseen.length === 0) {
    for (const name of Object.keys(world.input.record.gateways)) {
      if (isGone(name)) gatewayChanges[name] = null;
    }
  }
  if (world.input.apps !== undefined) {
    for (const id of Object.keys(world.input.record.apps)) {
      if (!world.versions.some((version) => version.id === id)) appChanges[id] = null;
    }
  }
  return {
    ...(Object.keys(gatewayChanges).length > 0 && { gateways: gatewayChanges }),
    ...(Object.keys(appChanges).length > 0 && { apps: appChanges }),
  };
}

function changed<T>(
  before: Readonly<Record<string, T>>,
  after: readonly (readonly [string, T | null])[],
): Record<string, T | null> {
  const changes: Record<string, T | null> = {};
  for (const [key, value] of after) {
    const old = before[key];
    if (value === null ? old === undefined : isSame(value, old ?? {})) continue;
    changes[key] = value;
  }
  return changes;
}

/** Memory first; then what makes room before what moves traffic; what takes away comes last. */
const ORDER = [
  'record',
  'create-app',
  'scale-app',
  'apply-split',
  'end-platform-change',
  'kill-tasks',
  'remove-gateway',
  'delete-app',
] as const satisfies readonly Action['kind'][];

function ordered(
  patch: RecordPatch,
  gateways: readonly GatewayPlan[],
  apps: Planned['apps'],
): readonly Action[] {
  const record: readonly Action[] =
    patch.gateways || patch.apps ? [{ kind: 'record', patch, why: 'what cannot be observed' }] : [];
  const all = [
    ...record,
    ...gateways.flatMap((one) => one.actions),
    ...apps.flatMap(({ plan }) => plan.actions),
  ];
  return [...all].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

function held(world: World, hold: { readonly reason: string; readonly message: string }): Plan {
  return {
    actions: [],
    status: {
      unit: unitName(world),
      phase: 'held',
      ...hold,
      revision: world.input.revision,
      gateways: world.gateways.map((gateway) => gatewayStatus(gateway, gateway.weights)),
      versions: world.versions.map((version) => versionStatus(version, 'kept', '')),
      warnings: [],
    },
  };
}

function finish(world: World, of: Planned): Plan {
  const looks = [
    ...of.gateways.map((one) => one.decision.lookAgainAt),
    ...of.apps.map(({ plan }) => plan.lookAgainAt),
  ].filter((at) => at !== undefined);
  const lookAgainAt = looks.length > 0 ? Math.min(...looks) : undefined;
  const status: UnitStatus = {
    unit: unitName(world),
    ...phaseOf(world, of),
    revision: world.input.revision,
    ...(lookAgainAt !== undefined && { lookAgainAt }),
    gateways: of.gateways.map((one) => gatewayStatus(one.gateway, one.target, one.decision)),
    versions: of.apps.map((one) => versionStatus(one.version, one.plan.state, one.plan.note)),
    warnings: [
      ...new Set([
        ...of.gateways.flatMap((one) => one.warnings),
        ...of.apps.flatMap((one) => one.plan.warnings),
      ]),
    ],
  };
  return { actions: of.actions, status, ...(lookAgainAt !== undefined && { lookAgainAt }) };
}
