import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { pino } from 'pino';
import { DriverError } from '../errors.ts';
import { Apps } from './apps.ts';
import type { Cell } from './cell.ts';
import type { Clock } from './clock.ts';
import { every, systemClock } from './clock.ts';
import { Deployments } from './deployments.ts';
import { EventBus } from './events.ts';
import { HealthMonitor } from './health.ts';
import type { ImageMap } from './images.ts';
import { withDefaults } from './images.ts';
import type { Identity } from './lifeline.ts';
import { Lifeline, engineMark, killStrays, lockState, reapLeftovers } from './lifeline.ts';
import { HostPorts } from './ports.ts';
import { Prober } from './probe.ts';
import { LaunchQueue } from './queue.ts';
import type { Resources } from './resources.ts';
import { Sandboxes } from './sandboxes.ts';
import { Scheduler } from './scheduler.ts';
import { buildServer } from './server.ts';
import { Shelf } from './shelf.ts';
import { StraySweep } from './stray-sweep.ts';
import type { Task } from './tasks.ts';
import { Tasks } from './tasks.ts';

export { DEFAULT_IMAGES } from './images.ts';
export type { ImageCommand, ImageMap } from './images.ts';
export type { Resources } from './resources.ts';

export interface EngineOptions {
  /** Where to listen. Whoever reaches the API can run commands, so loopback unless told otherwise. */
  readonly host?: string;
  /** 0, the default, takes any free port. */
  readonly port?: number;
  /** Apps and sandboxes live here; one engine at a time. Created if it is not there. */
  readonly stateDir: string;
  /** Image pattern -> local command. Looked at before, and merged over, the default images. */
  readonly images?: ImageMap;
  /** Limits; tasks beyond them wait in the queue. None by default. */
  readonly resources?: Resources;
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** What tasks inherit from the environment of the engine. PATH alone by default. */
  readonly baseEnv?: Readonly<Record<string, string>>;
  /** Version of Marathon that the engine says it is. */
  readonly marathonVersion?: string;
  /** How long tasks get to end when the engine is closed. */
  readonly closeGraceMs?: number;
}

/** A running engine. */
export interface Engine {
  readonly url: string;
  /** Ends all tasks and the API. Apps stay in the state folder. */
  close(): Promise<void>;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
// Marathon looks over all apps from time to time, whatever the events said.
const RESYNC_MS = 5000;

/** Starts an embedded Marathon: its API on loopback, its tasks as local processes. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const logger = options.logger ?? pino({ level: 'silent' });
  const identity = identityOf(options.stateDir);
  const lock = await lockState(identity);
  if (lock === undefined) {
    const text = `another engine uses the state folder ${options.stateDir}`;
    throw new DriverError('engine-state-in-use', text, { retry: 'never' });
  }
  try {
    const reaped = await reapLeftovers(identity);
    if (reaped > 0) logger.warn({ reaped }, 'ended processes that a former engine left behind');
    return await assemble({ options, logger, identity, lock });
  } catch (error) {
    lock.close();
    throw error;
  }
}

function identityOf(stateDir: string): Identity {
  // Sandboxes hold what tasks were given, secrets included.
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  // One folder has one name, however it is written.
  const folder = realpathSync(stateDir);
  const state = createHash('sha256').update(folder).digest('hex').slice(0, 24);
  return { state, run: randomUUID(), sandboxes: join(folder, 'sandbox') };
}

interface Start {
  readonly options: EngineOptions;
  readonly logger: Logger;
  readonly identity: Identity;
  readonly lock: Server;
}

interface Parts {
  readonly cell: Cell;
  readonly lifeline: Lifeline;
  readonly prober: Prober;
  readonly sandboxes: Sandboxes;
  readonly sweep: StraySweep;
  setAddress(url: string): void;
}

async function assemble(start: Start): Promise<Engine> {
  const { options, identity, lock } = start;
  const { host = '127.0.0.1', port = 0, closeGraceMs = 1500 } = options;
  const parts = build(start);
  const { cell, lifeline, prober, sandboxes, sweep } = parts;
  const server = buildServer(cell, { loopback: host === '127.0.0.1' || host === '::1' });
  try {
    parts.setAddress(await server.listen({ host, port }));
  } catch (cause) {
    await lifeline.close();
    const text = `the engine cannot listen on ${host}:${port}`;
    throw new DriverError('engine-cannot-listen', text, { retry: 'never', cause });
  }
  const upkeep = every(cell.clock, { first: RESYNC_MS, ms: RESYNC_MS }, () => {
    for (const app of cell.apps.list()) cell.deployments.look(app.id);
    sandboxes.trim(cell.tasks.all().map((task) => task.id));
  });
  resume(cell);
  let closed: Promise<void> | undefined;
  async function shutDown(): Promise<void> {
    // Without the server nothing else keeps the program alive until all tasks have ended.
    const awake = setInterval(() => undefined, 1000);
    upkeep.cancel();
    sweep.close();
    cell.deployments.close();
    cell.health.close();
    cell.events.cut();
    await server.close();
    await cell.scheduler.close(closeGraceMs);
    await killStrays(identity, () => false);
    await lifeline.close();
    await prober.close();
    lock.close();
    clearInterval(awake);
  }
  return { url: cell.address(), close: () => (closed ??= shutDown()) };
}

/** Takes the apps up again that the state folder holds. */
function resume(cell: Cell): void {
  for (const app of cell.apps.list()) {
    cell.health.watch(app);
    cell.scheduler.aim(app.id, { count: app.instances, counts: 'all' });
  }
}

function build(start: Start): Parts {
  const { options, logger, identity } = start;
  const clock = options.clock ?? systemClock;
  const images = withDefaults(options.images ?? {});
  const events = new EventBus(clock);
  const sandboxes = new Sandboxes(identity.sandboxes);
  const apps = new Apps(new Shelf(options.stateDir), clock);
  const tasks = new Tasks();
  const queue = new LaunchQueue(clock);
  const prober = new Prober();
  const lifeline = new Lifeline(identity, logger);
  const sweep = new StraySweep(identity, tasks, clock);
  const shared = { apps, tasks, queue, events, clock, logger, images };
  const onChange = batched((appId) => {
    deployments.look(appId);
    health.tidy(appId);
  });
  const scheduler = new Scheduler({
    ...shared,
    lifeline,
    onChange,
    ports: new HostPorts(),
    resources: options.resources ?? {},
    sandboxes: sandboxes.folder,
    baseEnv: options.baseEnv ?? { PATH: DEFAULT_PATH },
    mark: engineMark(identity),
    host: '127.0.0.1',
    onEnded: (task) => {
      sandboxes.ended(task.id);
      sweep.soon();
      if (options.resources !== undefined) setImmediate(() => scheduler.retryAll());
    },
  });
  const onSick = (task: Task, cause: string): void => scheduler.replace(task, cause);
  const health = new HealthMonitor({ ...shared, prober, onChange, onSick });
  const deployments = new Deployments({ ...shared, health, scheduler, prober });
  let url = '';
  const version = options.marathonVersion ?? '1.11.24';
  const known = { version, frameworkId: identity.state, address: () => url };
  const cell: Cell = { ...shared, health, scheduler, deployments, ...known };
  const setAddress = (address: string): void => {
    url = address;
  };
  return { cell, lifeline, prober, sandboxes, sweep, setAddress };
}

/** Calls `look` once per app after the present events are through: no part is met at work. */
function batched(look: (appId: string) => void): (appId: string) => void {
  const changed = new Set<string>();
  function lookAtAll(): void {
    const ids = [...changed];
    changed.clear();
    for (const id of ids) look(id);
  }
  return (appId) => {
    if (changed.size === 0) setImmediate(lookAtAll);
    changed.add(appId);
  };
}
