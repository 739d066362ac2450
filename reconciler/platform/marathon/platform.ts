import { DriverError } from '../../errors.ts';
import type { ActualApp, AppDetail, LaunchQueue } from '../../model/actual.ts';
import { LABELS } from '../../model/labels.ts';
import type { JsonObject, MarathonApp } from '../../model/marathon-app.ts';
import type { AppWrite, Platform } from '../port.ts';
import type { MarathonClient } from './client.ts';
import { AppLabels, AppReply } from './schema.ts';
import type { QueueEntry, ReadApp } from './schema.ts';
import { hasEnded } from '../../model/task-state.ts';
import { readTask } from './task-reading.ts';

export interface MarathonPlatformOptions {
  /** Value of the label that marks an app as ours. */
  readonly owner: string;
}

/** Marathon as the place where apps run; only apps with our owner label exist for it. */
export function createMarathonPlatform(
  client: MarathonClient,
  options: MarathonPlatformOptions,
): Platform {
  const { owner } = options;
  return {
    async list(signal) {
      const found = await client.listApps(`${LABELS.owner}==${escapeSelector(owner)}`, signal);
      return found.filter((app) => isOurs(app, owner)).map(readListed);
    },
    async detail(appId, signal) {
      const found = await client.readApp(appId, signal);
      return found === undefined ? undefined : readDetail(client, found, signal);
    },
    async act(write, signal) {
      switch (write.kind) {
        case 'create-app':
          return create(client, write, signal);
        case 'scale-app':
          return scale(client, owner, write, signal);
        case 'kill-tasks':
          return kill(client, owner, write, signal);
        case 'end-platform-change':
          return endChange(client, owner, write, signal);
        case 'delete-app':
          return remove(client, owner, write.id, signal);
      }
    },
  };
}

/** Marathon's selectors take letters, digits and `-_.` as they are, all else after a backslash. */
function escapeSelector(value: string): string {
  return value.replaceAll(/[^A-Za-z0-9._-]/gu, String.raw`\$&`);
}

/**
 * The selector is not trusted alone: a proxy or an old server may ignore it.
 *
 * @throws DriverError `marathon-bad-answer` where labels cannot be read: the app may be ours, and
 * faulty is never absent.
 */
function isOurs(app: JsonObject, owner: string): boolean {
  const found = AppLabels.safeParse(app);
  if (found.success) return found.data.labels[LABELS.owner] === owner;
  throw unreadable(app);
}

function readListed(whole: JsonObject): ActualApp {
  const found = AppReply.safeParse(whole);
  if (!found.success) throw unreadable(whole);
  const app = found.data;
  return {
    id: app.id,
    deployment: app.labels[LABELS.deployment] ?? '',
    cluster: app.labels[LABELS.cluster] ?? '',
    service: app.labels[LABELS.service] ?? '',
    digest: app.labels[LABELS.digest] ?? '',
    revision: app.labels[LABELS.revision] ?? '',
    instances: app.instances,
    tasksStaged: app.tasksStaged,
    tasksRunning: app.tasksRunning,
    tasksHealthy: app.tasksHealthy,
    tasksUnhealthy: app.tasksUnhealthy,
    configAt: configAt(app),
    platformChanges: (app.deployments ?? []).map((change) => change.id),
    definition: whole,
  };
}

function unreadable(app: JsonObject): DriverError {
  const { id } = app;
  return new DriverError(
    'marathon-bad-answer',
    `The app ${typeof id === 'string' ? id : '(without id)'} in Marathon's list cannot be read, so the list counts for nothing. Look at it with GET /v2/apps`,
    { retry: 'backoff' },
  );
}

/** Servers before 1.0 and fresh apps have no versionInfo; their version then says the same. */
function configAt(app: AppReply): string {
  return app.versionInfo?.lastConfigChangeAt ?? app.version;
}

async function readDetail(
  client: MarathonClient,
  { app }: ReadApp,
  signal: AbortSignal,
): Promise<AppDetail> {
  const checks = app.healthChecks?.length ?? 0;
  const tasks = (app.tasks ?? []).map((task) => readTask(task, checks));
  const running = tasks.filter((task) => task.state === 'TASK_RUNNING').length;
  // The queue can be long, and says nothing about an app that has all it wants.
  const queue = running < app.instances ? await readQueue(client, app.id, signal) : undefined;
  const failure = app.lastTaskFailure ?? undefined;
  return {
    tasks,
    ...(queue === undefined ? {} : { queue }),
    ...(failure === undefined
      ? {}
      : {
          lastFailure: {
            at: failure.timestamp,
            state: failure.state,
            taskId: failure.taskId,
            message: failure.message,
          },
        }),
  };
}

async function readQueue(
  client: MarathonClient,
  appId: string,
  signal: AbortSignal,
): Promise<LaunchQueue | undefined> {
  const entry = (await client.readQueue(signal)).find((each) => each.app?.id === appId);
  if (entry === undefined) return undefined;
  return {
    count: entry.count,
    delayMs: (entry.delay?.timeLeftSeconds ?? 0) * 1_000,
    overdue: entry.delay?.overdue ?? false,
    reasons: reasonsOf(entry),
  };
}

function reasonsOf(entry: QueueEntry): readonly string[] {
  const rejections = entry.processedOffersSummary?.rejectSummaryLastOffers ?? [];
  return rejections
    .filter((each) => each.declined > 0)
    .sort((a, b) => b.declined - a.declined)
    .map((each) => each.reason);
}

type WriteOf<K extends AppWrite['kind']> = Extract<AppWrite, { readonly kind: K }>;

async function create(
  client: MarathonClient,
  write: WriteOf<'create-app'>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.createApp({ ...write.definition, id: write.id }, signal);
  } catch (error) {
    if (!isDoubtful(error)) throw error;
    const found = await client.readApp(write.id, signal);
    if (found === undefined || !hasLabelsOf(found.app, write.definition)) throw error;
  }
}

/** True if the app is the one that was sent: the same owner and the same digest. */
function hasLabelsOf(app: AppReply, definition: MarathonApp): boolean {
  const sent = AppLabels.safeParse(definition).data?.labels ?? {};
  return [LABELS.owner, LABELS.digest].every((label) => app.labels[label] === sent[label]);
}

async function scale(
  client: MarathonClient,
  owner: string,
  write: WriteOf<'scale-app'>,
  signal: AbortSignal,
): Promise<void> {
  const { app, whole } = await readOwn(client, owner, write.id, signal);
  if (configAt(app) !== write.configAt)
    throw restarted(write, configAt(app), 'was restarted meanwhile');
  if (app.instances === write.instances) return;
  const fields = { instances: write.instances, ...fragileFields(whole) };
  const lost = await client.updateApp(write.id, fields, signal).catch(keepDoubtful);
  const after = await readOwn(client, owner, write.id, signal);
  if (configAt(after.app) !== write.configAt) {
    throw restarted(write, configAt(after.app), 'was restarted by it');
  }
  if (lost !== undefined && after.app.instances !== write.instances) throw lost;
}

/** Marathon 1.6 to 1.11 drops these from an app whose partial update does not repeat them. */
function fragileFields(whole: JsonObject): JsonObject {
  const kept = ['executorResources', 'resourceLimits'].flatMap((key) => {
    const value = whole[key];
    return value === undefined || value === null ? [] : [[key, value] as const];
  });
  return Object.fromEntries(kept);
}

function restarted(write: WriteOf<'scale-app'>, now: string, how: string): DriverError {
  return new DriverError(
    'app-restarted',
    `${write.id} was to be scaled to ${String(write.instances)} instances, but ${how}: its configuration is of ${now}, expected was ${write.configAt}. Somebody else changes it; Sluice looks again`,
    { retry: 'soon' },
  );
}

/**
 * Marathon lowers `instances` by the number of tasks it is given, also by those that are on their
 * way out already; so only tasks that are still there are named, and none while a change is under
 * way or while there are more tasks than wanted, as after a first kill whose answer was lost.
 */
async function kill(
  client: MarathonClient,
  owner: string,
  write: WriteOf<'kill-tasks'>,
  signal: AbortSignal,
): Promise<void> {
  const found = await client.readApp(write.appId, signal);
  if (found === undefined) return;
  assertOurs(found.app, owner);
  const { app } = found;
  const live = (app.tasks ?? [])
    .map((task) => readTask(task))
    .filter((task) => !hasEnded(task.state));
  const named = live.filter((task) => write.taskIds.includes(task.id)).map((task) => task.id);
  if (named.length === 0) return;
  const [change] = app.deployments ?? [];
  if (change !== undefined) {
    throw new DriverError(
      'app-locked',
      `${app.id} is held by the platform change ${change.id}; tasks are named again when it has ended`,
      { retry: 'soon' },
    );
  }
  const counted = live.filter(
    (task) => task.state === 'TASK_RUNNING' || task.state === 'TASK_STAGING',
  );
  if (counted.length - app.instances >= named.length) return;
  await client.killAndShrink(named, signal);
}

/** @throws DriverError `app-locked` where the change touches more than this one app of ours. */
async function endChange(
  client: MarathonClient,
  owner: string,
  write: WriteOf<'end-platform-change'>,
  signal: AbortSignal,
): Promise<void> {
  const touched = await client.touchedBy(write.change, signal);
  if (touched === undefined) return;
  await readOwn(client, owner, write.appId, signal);
  if (touched.length !== 1 || touched[0] !== write.appId) {
    throw new DriverError(
      'app-locked',
      `${write.appId} is held by the platform change ${write.change}, which touches ${touched.join(', ')}: Sluice ends by force only what touches one app of its own`,
      { retry: 'backoff' },
    );
  }
  await client.stopChange(write.change, signal);
}

async function remove(
  client: MarathonClient,
  owner: string,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const found = await client.readApp(id, signal);
  if (found === undefined) return;
  assertOurs(found.app, owner);
  try {
    await client.deleteApp(id, signal);
  } catch (error) {
    if (!(error instanceof DriverError) || error.code !== 'app-missing') throw error;
  }
}

async function readOwn(
  client: MarathonClient,
  owner: string,
  id: string,
  signal: AbortSignal,
): Promise<ReadApp> {
  const found = await client.readApp(id, signal);
  if (found === undefined) {
    throw new DriverError(
      'app-missing',
      `${id} does not exist in Marathon any more. Sluice looks again`,
      {
        retry: 'soon',
      },
    );
  }
  assertOurs(found.app, owner);
  return found;
}

/** Law 8: the last look before every write. */
function assertOurs(app: AppReply, owner: string): void {
  if (app.labels[LABELS.owner] === owner) return;
  throw new DriverError(
    'not-ours',
    `${app.id} does not carry the label ${LABELS.owner}=${owner}, so Sluice leaves it alone. Put the label back, or remove the app by hand`,
    { retry: 'never' },
  );
}

/** True if Marathon may have done what it did not confirm. */
function isDoubtful(error: unknown): boolean {
  if (!(error instanceof DriverError)) return false;
  return error.code === 'marathon-unavailable' || error.code === 'marathon-timeout';
}

function keepDoubtful(error: unknown): DriverError {
  if (error instanceof DriverError && isDoubtful(error)) return error;
  throw error;
}
