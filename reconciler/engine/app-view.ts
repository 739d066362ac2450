import type { Cell } from './cell.ts';
import type { AppDefinition } from './definition.ts';
import { countTasks, taskJson } from './tasks.ts';

/** What the API adds to a definition on request. */
export type Extra = 'counts' | 'deployments' | 'tasks' | 'readiness' | 'lastTaskFailure';

const EXTRAS: Readonly<Record<string, readonly Extra[]>> = {
  counts: ['counts'],
  deployments: ['deployments'],
  tasks: ['tasks', 'deployments'],
  readiness: ['readiness'],
  lastTaskFailure: ['lastTaskFailure'],
  failures: ['tasks', 'lastTaskFailure', 'deployments'],
};

/** Reads `embed`: prefixes `apps.`, `app.` and `group.apps.` are equal, unknown values ignored. */
export function extrasOf(embed: readonly string[]): readonly Extra[] {
  return embed.flatMap((text) => EXTRAS[text.replace(/^(group\.apps\.|apps\.|app\.)/, '')] ?? []);
}

/** An app as the API shows it. */
export function appJson(
  cell: Cell,
  app: AppDefinition,
  extras: readonly Extra[],
): Readonly<Record<string, unknown>> {
  const has = new Set(extras);
  const tasks = cell.tasks.shown(app.id);
  const failure = cell.apps.failure(app.id);
  return {
    ...app,
    ...(has.has('counts') ? countTasks(tasks) : {}),
    ...(has.has('deployments')
      ? { deployments: cell.deployments.of(app.id).map((id) => ({ id })) }
      : {}),
    ...(has.has('readiness')
      ? { readinessCheckResults: cell.deployments.readinessOf(app.id) }
      : {}),
    ...(has.has('tasks') ? { tasks: tasks.map(taskJson) } : {}),
    ...(has.has('lastTaskFailure') && failure !== undefined ? { lastTaskFailure: failure } : {}),
  };
}
