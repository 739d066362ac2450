import type { Task, TaskHealth } from '../../model/actual.ts';
import type { Split, SplitVersion } from '../../model/split.ts';
import { hasEnded } from '../../model/task-state.ts';

/** One instance of a version of a gateway, as the agent believes it. Kept on disk. */
export interface Endpoint {
  /** SplitVersion.id. */
  readonly version: string;
  readonly taskId: string;
  readonly host: string;
  readonly port: number;
  /** Marathon's last definite word; it forgets all health when its leader changes, we do not. */
  readonly health: TaskHealth;
  /** The proxy's check failed since Marathon last confirmed this host:port. */
  readonly suspect: boolean;
}

export interface Evidence {
  /** A full answer of `GET /v2/tasks`. */
  readonly tasks: readonly Task[];
  /** Ids of tasks that an event named as terminal or killing; they never come back. */
  readonly gone: ReadonlySet<string>;
  /** Ids of servers whose check at the proxy fails now. */
  readonly down: ReadonlySet<string>;
}

export interface Followed {
  readonly endpoints: readonly Endpoint[];
  /** Something a person should know; it takes nobody out of rotation. */
  readonly alarm?: { readonly code: string; readonly message: string };
}

/** Of so many servers at least two may always go, else one in five (law 11). */
const ABSENCE_FLOOR = 2;
const ABSENCE_SHARE = 0.2;

/**
 * Law 16 for the endpoints of one gateway: in on positive evidence, out on negative, and unknown
 * keeps its seat. Pure: same arguments, same answer.
 */
export function followTasks(
  known: readonly Endpoint[],
  split: Split,
  evidence: Evidence,
): Followed {
  const answer = readAnswer(evidence.tasks);
  const kept: Endpoint[] = [];
  const absent: Endpoint[] = [];
  for (const endpoint of known) {
    const version = split.versions.find((each) => each.id === endpoint.version);
    const verdict = judge(endpoint, version, answer, evidence);
    if (verdict === 'leave') continue;
    if (verdict === 'absent') absent.push(endpoint);
    else kept.push(verdict);
  }
  const tooMany = absent.length > absenceLimit(known.length);
  if (tooMany) kept.push(...absent);
  const entering = findEntering(kept, split, evidence);
  const endpoints = [...kept, ...entering.endpoints];
  const alarm = tooMany ? massAbsence(absent) : entering.alarm;
  return alarm === undefined ? { endpoints } : { endpoints, alarm };
}

/** What an event named as terminal or killing leaves at once, without waiting for an answer. */
export function dropTask(known: readonly Endpoint[], taskId: string): readonly Endpoint[] {
  return known.filter((endpoint) => endpoint.taskId !== taskId);
}

/** Servers whose check fails now do not return before Marathon confirms their host:port. */
export function suspectDown(
  known: readonly Endpoint[],
  down: ReadonlySet<string>,
): readonly Endpoint[] {
  if (!known.some((endpoint) => !endpoint.suspect && down.has(endpoint.taskId))) return known;
  return known.map((endpoint) =>
    down.has(endpoint.taskId) ? { ...endpoint, suspect: true } : endpoint,
  );
}

/** More than this many servers of a gateway are not taken out on mere absence. */
export function absenceLimit(servers: number): number {
  return Math.max(ABSENCE_FLOOR, Math.floor(servers * ABSENCE_SHARE));
}

interface Answer {
  readonly byId: ReadonlyMap<string, Task>;
  /** Apps that the answer lists with at least one task. */
  readonly apps: ReadonlySet<string>;
  /** Running task by `host:port`. */
  readonly holders: ReadonlyMap<string, string>;
}

function readAnswer(tasks: readonly Task[]): Answer {
  const byId = new Map<string, Task>();
  const apps = new Set<string>();
  const holders = new Map<string, string>();
  for (const task of tasks) {
    byId.set(task.id, task);
    apps.add(task.appId);
    if (task.state !== 'TASK_RUNNING') continue;
    for (const port of task.ports) holders.set(`${task.host}:${String(port)}`, task.id);
  }
  return { byId, apps, holders };
}

function judge(
  endpoint: Endpoint,
  version: SplitVersion | undefined,
  answer: Answer,
  evidence: Evidence,
): Endpoint | 'leave' | 'absent' {
  if (version?.source.kind !== 'app') return 'leave';
  if (evidence.gone.has(endpoint.taskId)) return 'leave';
  const task = answer.byId.get(endpoint.taskId);
  if (task !== undefined)
    return judgeListed(endpoint, task, version.source.portIndex, { answer, evidence });
  if (heldByAnother(endpoint, answer)) return 'leave';
  if (!answer.apps.has(version.source.appId)) return endpoint;
  const expected = evidence.down.has(endpoint.taskId) || version.draining.includes(endpoint.taskId);
  return expected ? 'leave' : 'absent';
}

function judgeListed(
  endpoint: Endpoint,
  task: Task,
  portIndex: number,
  seen: { readonly answer: Answer; readonly evidence: Evidence },
): Endpoint | 'leave' {
  if (hasEnded(task.state)) return 'leave';
  if (task.state !== 'TASK_RUNNING') {
    return heldByAnother(endpoint, seen.answer) ? 'leave' : endpoint;
  }
  const port = task.ports[portIndex];
  // An answer without addresses says nothing about where the task listens.
  if (port === undefined || task.host === '') return endpoint;
  // Another address is another server: it enters anew, with a check of its own.
  if (port !== endpoint.port || task.host !== endpoint.host) return 'leave';
  return {
    ...endpoint,
    health: task.health === 'unknown' ? endpoint.health : task.health,
    suspect: seen.evidence.down.has(endpoint.taskId),
  };
}

function heldByAnother(endpoint: Endpoint, answer: Answer): boolean {
  const holder = answer.holders.get(`${endpoint.host}:${String(endpoint.port)}`);
  return holder !== undefined && holder !== endpoint.taskId;
}

function findEntering(kept: readonly Endpoint[], split: Split, evidence: Evidence): Followed {
  const seats = new Set(kept.map((endpoint) => seatOf(endpoint.version, endpoint.taskId)));
  const endpoints: Endpoint[] = [];
  let alarm: Followed['alarm'];
  const byApp = Map.groupBy(evidence.tasks, (task) => task.appId);
  for (const version of split.versions) {
    const { source } = version;
    if (source.kind !== 'app') continue;
    for (const task of byApp.get(source.appId) ?? []) {
      if (seats.has(seatOf(version.id, task.id))) continue;
      if (!mayEnter(task, evidence)) continue;
      const port = task.ports[source.portIndex];
      if (port === undefined) {
        alarm = noSuchPort(task, source.portIndex);
        continue;
      }
      endpoints.push({
        version: version.id,
        taskId: task.id,
        host: task.host,
        port,
        health: task.health,
        suspect: false,
      });
    }
  }
  return alarm === undefined ? { endpoints } : { endpoints, alarm };
}

function mayEnter(task: Task, evidence: Evidence): boolean {
  return task.state === 'TASK_RUNNING' && task.host !== '' && !evidence.gone.has(task.id);
}

function seatOf(version: string, taskId: string): string {
  return `${version} ${taskId}`;
}

function massAbsence(absent: readonly Endpoint[]): Followed['alarm'] {
  const names = absent.map((endpoint) => endpoint.taskId);
  const shown = names.length > 5 ? [...names.slice(0, 5), '…'] : names;
  return {
    code: 'mass-absence',
    message:
      `Marathon no longer lists ${String(names.length)} instances at once (${shown.join(', ')}); ` +
      'they stay in rotation until their check at the proxy fails or Marathon names their end',
  };
}

function noSuchPort(task: Task, index: number): Followed['alarm'] {
  return {
    code: 'no-such-port',
    message: `task ${task.id} has ${String(task.ports.length)} ports, the split wants number ${String(index)} (counted from 0)`,
  };
}
