import type { AppDetail, LaunchQueue, TaskFailure } from '../model/actual.ts';
import type { Version } from './world.ts';
import { isReady, neededOf } from './world.ts';

/** One clause for people: why a version is not ready. Empty if it is. */
export function readinessNote(version: Version, detail: AppDetail | undefined): string {
  if (isReady(version)) return '';
  const { app } = version;
  if (app === undefined) return 'its app does not exist yet';
  const parts = [`${String(version.ready)} of ${String(neededOf(version))} instances usable`];
  parts.push(...queueNote(detail?.queue));
  if (app.tasksUnhealthy > 0) parts.push(`${String(app.tasksUnhealthy)} unhealthy in Marathon`);
  if (app.tasksStaged > 0) parts.push(`${String(app.tasksStaged)} starting`);
  if (detail?.lastFailure) parts.push(failureNote(detail.lastFailure));
  return parts.join(', ');
}

function queueNote(queue: LaunchQueue | undefined): readonly string[] {
  if (queue === undefined) return [];
  if (queue.reasons.length > 0) {
    const reasons = queue.reasons.slice(0, 3).join(', ');
    return [`${String(queue.count)} wait for an offer (${reasons})`];
  }
  if (queue.delayMs === 0) return [];
  return [`next launch in ${String(Math.ceil(queue.delayMs / 1000))} s (backoff)`];
}

function failureNote({ state, message }: TaskFailure): string {
  return `last failure ${state}${message === '' ? '' : `: ${message.slice(0, 200)}`}`;
}

/** States that are a version's own fault; LOST, GONE, UNREACHABLE, KILLED never are (law 9). */
const OWN_FAULTS = ['TASK_FAILED', 'TASK_ERROR', 'TASK_FINISHED'];

export function isOwnFault(state: string): boolean {
  return OWN_FAULTS.includes(state);
}

/** States in which the platform, not the version, is to blame for a missing instance. */
const PLATFORM_FAULTS = [
  'TASK_LOST',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
  'TASK_UNREACHABLE',
  'TASK_DROPPED',
  'TASK_UNKNOWN',
];

/** True while the missing instances are nobody's fault: no offers, agents lost (law 9). */
export function isExcused(detail: AppDetail | undefined): boolean {
  if (detail === undefined) return false;
  if (detail.queue !== undefined && detail.queue.count > 0 && detail.queue.reasons.length > 0) {
    return true;
  }
  return detail.tasks.some((task) => PLATFORM_FAULTS.includes(task.state));
}
