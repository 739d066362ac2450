import { z } from 'zod';

import { WHOLE } from '../model/weights.ts';

/** Printable, without blanks: values travel into headers, maps and command lines of a proxy. */
const word = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[!-~]+$/u);
/** Becomes part of names inside the proxy's configuration. */
const gatewayName = z.string().regex(/^[A-Za-z0-9_-]{1,48}$/u);
const port = z.int().min(1).max(65_535);
const parts = z.int().min(0).max(WHOLE);
/** Parts by version id. */
export const vectorSchema = z.record(word, parts);
const text = z.string().max(4_096);

const check = z.strictObject({
  path: z
    .string()
    .max(1_024)
    .regex(/^\/[!-~]*$/u),
  intervalMs: z.int().min(100).max(600_000),
  timeoutMs: z.int().min(50).max(600_000),
});

const source = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('app'),
    appId: word,
    service: text,
    digest: text,
    portIndex: z.int().min(0).max(1_000),
  }),
  z.strictObject({
    kind: z.literal('external'),
    host: z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/u),
    port,
  }),
]);

const version = z.strictObject({
  id: word,
  name: word.regex(/^[^;\\"'#%]+$/u),
  weight: parts,
  source,
  check: check.exactOptional(),
  draining: z.array(word).max(10_000),
});

const rejection = z.strictObject({
  digest: text,
  service: text,
  reason: text,
  message: text,
  at: z.number(),
  revision: text,
  rollout: text,
});

/** A split as it comes over the wire or from the agent's disk. */
export const splitSchema = z
  .strictObject({
    gateway: gatewayName,
    title: text,
    owner: z.string().min(1).max(256),
    generation: z.int().min(0),
    port,
    protocol: z.enum(['http', 'tcp']),
    versions: z.array(version).max(64),
    fallback: z.array(word).max(64),
    memory: z.strictObject({
      stable: z.strictObject({ vector: vectorSchema, since: z.number() }).exactOptional(),
      first: z.literal(true).exactOptional(),
      rejected: z.array(rejection).max(1_000),
    }),
  })
  .refine(
    (split) => new Set(split.versions.map((each) => each.id)).size === split.versions.length,
    {
      message: 'two versions have the same id',
    },
  )
  .refine((split) => split.versions.reduce((sum, each) => sum + each.weight, 0) <= WHOLE, {
    message: `weights sum to more than ${String(WHOLE)} parts`,
  });
