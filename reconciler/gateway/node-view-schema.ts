import { z } from 'zod';

import { splitSchema, vectorSchema } from './split-schema.ts';

const fault = z.object({ code: z.string(), message: z.string() });
const count = z.number().min(0);

const counters = z.object({
  requests: count,
  status2xx: count,
  status4xx: count,
  status5xx: count,
  connectErrors: count,
  retries: count,
  aborts: count,
  inFlight: count,
});

const server = z.object({
  id: z.string(),
  address: z.string(),
  state: z.enum(['checking', 'up', 'down', 'draining']),
  health: z.enum(['healthy', 'unhealthy', 'unknown']),
  sessions: count,
});

const gateway = z.object({
  split: splitSchema,
  applied: z.boolean(),
  error: fault.exactOptional(),
  weights: vectorSchema,
  versions: z.array(
    z.object({ id: z.string(), servers: z.array(server), sessions: count, counters }),
  ),
});

/** What the driver needs of an agent's `GET /v1/state`; more may be there. */
export const nodeViewSchema = z.object({ node: z.string(), gateways: z.array(gateway) });
