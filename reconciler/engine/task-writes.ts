import type { Cell } from './cell.ts';
import type { DeploymentResult } from './deployments.ts';
import { Refusal } from './refusal.ts';
import type { AppChange } from './steps.ts';
import type { Task } from './tasks.ts';
import { taskJson } from './tasks.ts';

export interface KillOptions {
  readonly scale: boolean;
  readonly wipe: boolean;
  readonly force: boolean;
}

export type KillResult = DeploymentResult | { readonly tasks: readonly object[] };

/**
 * Kills just these tasks. Without `scale` each is replaced; with it the apps shrink by what was
 * killed, in one deployment.
 */
export function killTasks(cell: Cell, tasks: readonly Task[], options: KillOptions): KillResult {
  if (options.scale && options.wipe) {
    throw new Refusal(400, 'You cannot use scale and wipe at the same time.');
  }
  const alive = tasks.filter((task) => !task.sentenced);
  if (options.scale) return scaleAway(cell, alive, options.force);
  for (const task of alive) cell.scheduler.replace(task, 'Killed by request');
  return { tasks: alive.map(taskJson) };
}

function scaleAway(cell: Cell, tasks: readonly Task[], force: boolean): DeploymentResult {
  const byApp = Map.groupBy(tasks, (task) => task.app.id);
  const changes = [...byApp].flatMap(([id, victims]): readonly AppChange[] => {
    const from = cell.apps.get(id);
    if (from === undefined) return [];
    const version = cell.apps.nextVersion();
    const versionInfo = { ...from.versionInfo, lastScalingAt: version };
    const instances = Math.max(0, from.instances - victims.length);
    return [{ id, from, to: { ...from, instances, version, versionInfo } }];
  });
  const victims = new Set(tasks.map((task) => task.id));
  return cell.deployments.submit({ changes, force, victims });
}

// Ids that Marathon ever gave out end in a uuid, in 1.4+ followed by container and incarnation.
const TASK_ID = /^.+[.-][0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(\._?.+)?$/;

export function assertTaskIds(ids: readonly string[]): void {
  const bad = ids.find((id) => !TASK_ID.test(id));
  if (bad !== undefined) throw new Refusal(400, `Invalid task id '${bad}'`);
}
