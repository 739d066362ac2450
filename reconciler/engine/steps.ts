import type { AppDefinition } from './definition.ts';
import { configText } from './definition.ts';

export type ActionName =
  | 'StopApplication'
  | 'StartApplication'
  | 'ScaleApplication'
  | 'RestartApplication';

export interface PlanAction {
  readonly action: ActionName;
  readonly app: string;
}

export interface PlanStep {
  readonly actions: readonly PlanAction[];
}

/** One app before and after a change; undefined where it is not there. */
export interface AppChange {
  readonly id: string;
  readonly from: AppDefinition | undefined;
  readonly to: AppDefinition | undefined;
}

/** What a deployment has to do for one app, or nothing. */
function actionOf(change: AppChange): PlanAction | undefined {
  const { from, to, id } = change;
  if (to === undefined) return undefined;
  if (from === undefined) return { action: 'ScaleApplication', app: id };
  const restarts =
    configText(from) !== configText(to) ||
    from.versionInfo.lastConfigChangeAt !== to.versionInfo.lastConfigChangeAt;
  // With 0 instances there is nothing to restart.
  if (restarts && to.instances > 0) return { action: 'RestartApplication', app: id };
  if (from.instances !== to.instances) return { action: 'ScaleApplication', app: id };
  return undefined;
}

/** Apps by depth of their dependencies: those without come first. */
function layers(changes: readonly AppChange[]): readonly (readonly AppChange[])[] {
  const byId = new Map(changes.map((change) => [change.id, change]));
  const depths = new Map<string, number>();
  function depth(id: string, above: readonly string[]): number {
    const known = depths.get(id);
    if (known !== undefined || above.includes(id)) return known ?? 0;
    const on = (byId.get(id)?.to?.dependencies ?? []).filter((each) => byId.has(each));
    const found = on.reduce((most, each) => Math.max(most, depth(each, [...above, id]) + 1), 0);
    depths.set(id, found);
    return found;
  }
  const found: AppChange[][] = [];
  for (const change of changes) (found[depth(change.id, [])] ??= []).push(change);
  return found.filter((layer) => layer !== undefined);
}

/** The steps of a deployment in Marathon's order: stops, starts, then layer by layer. */
export function stepsOf(changes: readonly AppChange[]): readonly PlanStep[] {
  const stops = changes.filter((change) => change.to === undefined && change.from !== undefined);
  const starts = changes.filter((change) => change.from === undefined && change.to !== undefined);
  return [
    stops.map((change): PlanAction => ({ action: 'StopApplication', app: change.id })),
    starts.map((change): PlanAction => ({ action: 'StartApplication', app: change.id })),
    ...layers(changes).map((layer) => layer.map(actionOf).filter((action) => action !== undefined)),
  ]
    .filter((actions) => actions.length > 0)
    .map((actions) => ({ actions }));
}
