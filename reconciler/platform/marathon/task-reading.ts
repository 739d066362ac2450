import type { Task, TaskHealth } from '../../model/actual.ts';
import type { TaskReply } from './schema.ts';

/**
 * @param checks How many health checks the app has, where that is known: with fewer results than
 * checks nothing is known yet.
 */
export function readTask(reply: TaskReply, checks?: number): Task {
  const { id, appId, host } = reply;
  const started = reply.startedAt ?? undefined;
  return {
    id,
    appId,
    host,
    ports: reply.ports ?? [],
    // Marathon shows the state from 1.4 on; before that only started tasks are running ones.
    state: reply.state ?? (started === undefined ? 'TASK_STAGING' : 'TASK_RUNNING'),
    health: healthOf(reply, checks),
    ...(started === undefined ? {} : { startedAt: started }),
  };
}

/**
 * Within the grace period Marathon shows `alive: false` without counting a failure: that is no
 * news yet. A result of null is a check that has not reported.
 */
function healthOf(reply: TaskReply, checks?: number): TaskHealth {
  const results = reply.healthCheckResults ?? [];
  let alive = 0;
  for (const result of results) {
    if (result === null) continue;
    if (result.alive) alive += 1;
    else if ((result.consecutiveFailures ?? 0) > 0 || typeof result.firstSuccess === 'string') {
      return 'unhealthy';
    }
  }
  const wanted = Math.max(checks ?? 1, results.length, 1);
  return alive >= wanted ? 'healthy' : 'unknown';
}
