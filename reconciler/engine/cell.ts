import type { Logger } from 'pino';
import type { Apps } from './apps.ts';
import type { Clock } from './clock.ts';
import type { Deployments } from './deployments.ts';
import type { EventBus } from './events.ts';
import type { HealthMonitor } from './health.ts';
import type { ImageMap } from './images.ts';
import type { LaunchQueue } from './queue.ts';
import type { Scheduler } from './scheduler.ts';
import type { Tasks } from './tasks.ts';

/** The parts of one engine, as its routes use them. */
export interface Cell {
  readonly apps: Apps;
  readonly tasks: Tasks;
  readonly queue: LaunchQueue;
  readonly events: EventBus;
  readonly health: HealthMonitor;
  readonly scheduler: Scheduler;
  readonly deployments: Deployments;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly images: ImageMap;
  readonly version: string;
  readonly frameworkId: string;
  /** Where the API listens, once it does. */
  readonly address: () => string;
}
