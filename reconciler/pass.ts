import { DriverError } from './errors.ts';
import type { Gateways } from './gateway/port.ts';
import type { Journal } from './journal/port.ts';
import type { Action } from './model/action.ts';
import type { ActualApp, AppDetail } from './model/actual.ts';
import { serviceKey } from './model/desired.ts';
import type { UnitStatus } from './model/status.ts';
import type { Plan, PlanInput } from './plan/input.ts';
import { plan } from './plan/plan.ts';
import type { Platform } from './platform/port.ts';

/** What a pass needs of the world. */
export interface PassPorts {
  readonly platform: Platform;
  readonly gateways: Gateways;
  readonly journal: Journal;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Is told of every plan before it is acted on. */
  readonly watch?: (input: PlanInput, decided: Plan, now: number) => void;
}

export interface PassResult {
  readonly status: UnitStatus;
  /** True if something was written: what was observed is stale, look again soon. */
  readonly acted: boolean;
  readonly lookAgainAt?: number;
  /** The fault that ended the pass early. */
  readonly fault?: DriverError;
  /** True if it was the proxies that failed. */
  readonly gatewaysFailed?: true;
}

/**
 * One plan-act of one unit: observe details, plan, act in order, stop at the first failure. A unit
 * that rests after a fault only goes back to stable (law 17).
 */
export async function pass(
  ports: PassPorts,
  seen: Omit<PlanInput, 'details'>,
  how: { readonly signal: AbortSignal; readonly resting: boolean },
): Promise<PassResult> {
  const { signal, resting } = how;
  const observed = await detailsOf(ports.platform, seen, signal);
  const input = { ...seen, apps: observed.apps, details: observed.details };
  const now = ports.clock();
  const decided = plan(input, now);
  ports.watch?.(input, decided, now);
  const due = decided.actions.filter((action) => !resting || action.wayBack === true);
  const outcome = await act(ports, due, decided.status, signal);
  const fault = outcome.fault ?? observed.fault;
  const { status } = decided;
  return {
    status: fault ? withFault(status, fault) : status,
    acted: outcome.acted,
    ...(decided.lookAgainAt !== undefined && { lookAgainAt: decided.lookAgainAt }),
    ...(fault && { fault }),
    ...(outcome.gatewaysFailed && { gatewaysFailed: true as const }),
  };
}

function withFault(status: UnitStatus, fault: DriverError): UnitStatus {
  if (fault.code === 'app-exists') {
    // An app of our id that our list does not show: its owner label is gone (law 8).
    return { ...status, phase: 'held', reason: 'identity-lost', message: fault.message };
  }
  const told =
    status.phase === 'converged'
      ? { phase: 'progressing' as const, reason: fault.code, message: fault.message }
      : {};
  return { ...status, ...told, warnings: [...status.warnings, `${fault.code}: ${fault.message}`] };
}

/**
 * Details only of apps in motion, so that a converged round costs one list call; and one look for
 * an app that a split seats and the list lacks: it is made anew only if it is really gone.
 */
async function detailsOf(
  platform: Platform,
  seen: Omit<PlanInput, 'details'>,
  signal: AbortSignal,
): Promise<{
  readonly apps: PlanInput['apps'];
  readonly details: PlanInput['details'];
  readonly fault?: DriverError;
}> {
  const details: Record<string, AppDetail> = {};
  const missing = missingSeats(seen);
  const moving = (seen.apps ?? []).filter((one) => isInMotion(seen, one)).map((one) => one.id);
  for (const id of [...missing, ...moving]) {
    try {
      const detail = await platform.detail(id, signal);
      if (detail) details[id] = detail;
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      // A list that lacks what is seated, and nobody to ask: as good as no list.
      return { apps: missing.includes(id) ? undefined : seen.apps, details, fault: error };
    }
  }
  return { apps: seen.apps, details };
}

/** Apps that a split of ours seats, that git wants, and that the list does not show. */
function missingSeats(seen: Omit<PlanInput, 'details'>): readonly string[] {
  if (seen.apps === undefined) return [];
  const listed = new Set(seen.apps.map((app) => app.id));
  const wanted = new Set(
    seen.desired.deployments
      .flatMap((deployment) => deployment.versions)
      .map((one) => `${serviceKey(one)}@${one.digest}`),
  );
  const seats = seen.nodes.flatMap((node) => node.gateways).flatMap((view) => view.split.versions);
  const missing = seats.flatMap(({ source }) => {
    if (source.kind !== 'app' || listed.has(source.appId)) return [];
    return wanted.has(`${source.service}@${source.digest}`) ? [source.appId] : [];
  });
  return [...new Set(missing)];
}

function isInMotion(seen: Omit<PlanInput, 'details'>, app: ActualApp): boolean {
  if (app.tasksRunning < app.instances || app.tasksUnhealthy > 0) return true;
  const wanted = seen.desired.deployments
    .flatMap((deployment) => deployment.versions)
    .find((one) => one.digest === app.digest && serviceKey(one) === serviceKey(app));
  const record = seen.record.apps[app.id];
  if (record?.progress !== undefined) return true;
  if (record?.outSince !== undefined && app.instances > 1 && wanted !== undefined) return true;
  return wanted !== undefined && app.instances > wanted.instances;
}

interface Outcome {
  readonly acted: boolean;
  readonly fault?: DriverError;
  readonly gatewaysFailed: boolean;
}

/** In order; after a fault only what leads back to stable (law 17). */
async function act(
  ports: PassPorts,
  actions: readonly Action[],
  status: UnitStatus,
  signal: AbortSignal,
): Promise<Outcome> {
  let outcome: Outcome = { acted: false, gatewaysFailed: false };
  for (const action of actions) {
    if (outcome.fault !== undefined && action.wayBack !== true) continue;
    const unnoted = faultOf(() => note(ports, action, status));
    if (unnoted) outcome = { ...outcome, fault: outcome.fault ?? unnoted };
    if (unnoted && action.wayBack !== true) continue;
    const error = await faultOfDoing(() => perform(ports, action, signal));
    if (error === undefined) {
      outcome = { ...outcome, acted: outcome.acted || action.kind !== 'record' };
      continue;
    }
    const gatewaysFailed = outcome.gatewaysFailed || isOfGateways(action);
    outcome = { ...outcome, gatewaysFailed, fault: outcome.fault ?? error };
    noteFailure(ports, { action, status, error });
  }
  return outcome;
}

function isOfGateways(action: Action): boolean {
  return action.kind === 'apply-split' || action.kind === 'remove-gateway';
}

function faultOf(write: () => void): DriverError | undefined {
  try {
    write();
    return undefined;
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
}

async function faultOfDoing(write: () => Promise<void>): Promise<DriverError | undefined> {
  try {
    await write();
    return undefined;
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
}

async function perform(ports: PassPorts, action: Action, signal: AbortSignal): Promise<void> {
  switch (action.kind) {
    case 'record':
      ports.journal.save(action.patch);
      return;
    case 'apply-split':
    case 'remove-gateway':
      await ports.gateways.act(action, signal);
      return;
    case 'create-app':
    case 'scale-app':
    case 'kill-tasks':
    case 'end-platform-change':
    case 'delete-app':
      await ports.platform.act(action, signal);
  }
}

/** The intent is on disk before the write: a raise that cannot be noted does not happen. */
function note(ports: PassPorts, action: Action, status: UnitStatus): void {
  if (action.kind === 'record') return;
  ports.journal.append({
    at: ports.clock(),
    subject: status.unit,
    kind: 'action',
    message: `${action.kind} ${objectOf(action)}: ${action.why}`,
    revision: status.revision,
  });
}

export function objectOf(action: Action): string {
  switch (action.kind) {
    case 'record':
      return '';
    case 'apply-split':
      return `port ${action.split.gateway} (generation ${String(action.split.generation)})`;
    case 'remove-gateway':
      return `port ${action.gateway}`;
    case 'kill-tasks':
      return `${action.taskIds.join(', ')} of ${action.appId}`;
    case 'end-platform-change':
      return `${action.change} of ${action.appId}`;
    case 'create-app':
    case 'scale-app':
    case 'delete-app':
      return action.id;
  }
}

function noteFailure(
  ports: PassPorts,
  of: { readonly action: Action; readonly status: UnitStatus; readonly error: DriverError },
): void {
  try {
    ports.journal.append({
      at: ports.clock(),
      subject: of.status.unit,
      kind: 'failure',
      message: `${of.action.kind} ${objectOf(of.action)}: ${of.error.code}: ${of.error.message}`,
      revision: of.status.revision,
    });
  } catch (error) {
    // The disk is what failed: the fault itself is already on its way to the status.
    if (!(error instanceof DriverError)) throw error;
  }
}
