import { z } from 'zod';
import type { JsonObject } from '../../model/marathon-app.ts';

/** Only what Sluice reads is picked; Marathon 1.1 to 1.11 differ in the rest. */

const Count = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
const Text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

/** Enough of an app to see whose it is. */
export const AppLabels = z.object({
  id: z.string().optional(),
  labels: z
    .record(z.string(), z.string())
    .nullish()
    .transform((value) => value ?? {}),
});

const HealthResult = z.object({
  alive: z.boolean(),
  consecutiveFailures: z.number().nullish(),
  firstSuccess: z.string().nullish(),
});
export type HealthResult = z.infer<typeof HealthResult>;

/** Scheduled instances of 1.8 and later have no host, ports or times yet. */
export const TaskReply = z.object({
  id: z.string(),
  appId: z.string(),
  state: z.string().nullish(),
  host: Text,
  ports: z.array(z.number()).nullish(),
  startedAt: z.string().nullish(),
  healthCheckResults: z.array(HealthResult.nullable()).nullish(),
});
export type TaskReply = z.infer<typeof TaskReply>;

export const TasksReply = z.object({ tasks: z.array(TaskReply) });

export const AppReply = z.object({
  id: z.string(),
  labels: AppLabels.shape.labels,
  instances: z.number(),
  tasksStaged: Count,
  tasksRunning: Count,
  tasksHealthy: Count,
  tasksUnhealthy: Count,
  version: Text,
  versionInfo: z.object({ lastConfigChangeAt: z.string() }).nullish(),
  deployments: z.array(z.object({ id: z.string() })).nullish(),
  healthChecks: z.array(z.unknown()).nullish(),
  tasks: z.array(TaskReply).nullish(),
  lastTaskFailure: z
    .object({ timestamp: Text, state: Text, taskId: Text, message: Text })
    .nullish(),
});
export type AppReply = z.infer<typeof AppReply>;

/** An app as read, and whole as it came. */
export interface ReadApp {
  readonly app: AppReply;
  readonly whole: JsonObject;
}

export const AppsReply = z.object({ apps: z.array(z.record(z.string(), z.json())) });
export const OneAppReply = z.object({ app: z.record(z.string(), z.json()) });

const Rejection = z.object({ reason: z.string(), declined: Count });

export const QueueReply = z.object({
  queue: z.array(
    z.object({
      app: z.object({ id: z.string() }).nullish(),
      count: Count,
      delay: z.object({ timeLeftSeconds: Count, overdue: z.boolean().nullish() }).nullish(),
      processedOffersSummary: z
        .object({ rejectSummaryLastOffers: z.array(Rejection).nullish() })
        .nullish(),
    }),
  ),
});
export type QueueEntry = z.infer<typeof QueueReply>['queue'][number];

/** `status_update_event`; the other events are only hints. */
export const StatusUpdate = z.object({
  taskId: z.string(),
  taskStatus: z.string(),
  appId: z.string(),
});

export const DeploymentsReply = z.array(
  z.object({
    id: z.string(),
    affectedApps: z.array(z.string()),
    affectedPods: z.array(z.string()).default([]),
  }),
);
