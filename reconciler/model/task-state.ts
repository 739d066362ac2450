/**
 * States after which a task never serves again. LOST, UNREACHABLE and UNKNOWN are not among them:
 * they say that Mesos lost sight of the task, which may well be serving; the proxy's check knows.
 */
const ENDED: ReadonlySet<string> = new Set([
  'TASK_KILLING',
  'TASK_KILLED',
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_ERROR',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
]);

/** Ended or about to: positive knowledge only (law 16). */
export function hasEnded(state: string): boolean {
  return ENDED.has(state);
}
