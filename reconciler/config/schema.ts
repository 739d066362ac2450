import { isIP } from 'node:net';
import { validate as isCron } from 'node-cron';
import { z } from 'zod';

/** An address to listen on: `host:port`, `[v6]:port`, or the path of a unix socket. */
export type Listen = { readonly host: string; readonly port: number } | { readonly socket: string };

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
const TIME = /^(\d{1,6})(?:(s|sec|second|seconds)|(m|min|minute|minutes)|(h|hrs|hour|hours))$/;
const WORD = 'must be a word of small letters, digits and dashes, such as `sluice`';
const DAY_MS = 86_400_000;

const word = z.string({ error: WORD }).regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, WORD);
const path = z.string({ error: 'must be a path' }).min(1, 'must be a path').max(4_096);
const httpUrl = z.string({ error: 'must be a url' }).superRefine((text, context) => {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    context.addIssue('must be a url that starts with http:// or https://');
  } else if (url.username !== '' || url.password !== '' || url.search !== '') {
    context.addIssue('must not hold credentials or a query; name a file with the secret instead');
  }
});
const listen = z
  .string({ error: 'must be an address such as `127.0.0.1:7400`, or the path of a unix socket' })
  .transform((text, context): Listen => {
    const address = parseListen(text);
    if (address !== undefined) return address;
    context.addIssue('must be an address such as `127.0.0.1:7400`, or the path of a unix socket');
    return z.NEVER;
  });
const bind = z.string().refine((text) => isIP(text) !== 0, 'must be an IP address');

/** Milliseconds out of Vamp's grammar of times: digits and a unit. */
function time(
  fromMs: number,
  toMs: number,
): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> {
  const wrong = 'must be a time such as `10s`, `5m` or `1h`';
  return z.string({ error: wrong }).transform((text, context) => {
    const ms = parseTime(text);
    if (ms === undefined) context.addIssue(wrong);
    else if (ms < fromMs || ms > toMs) {
      context.addIssue(`must be from ${showTime(fromMs)} to ${showTime(toMs)}`);
    } else return ms;
    return z.NEVER;
  });
}

function whole(from: number, to: number): z.ZodNumber {
  const range = `must be a whole number from ${String(from)} to ${String(to)}`;
  return z.int({ error: range }).min(from, range).max(to, range);
}

const Source = z.strictObject({
  url: z.string({
    error: ({ input }) =>
      `${input === undefined ? 'is missing' : 'must be a text'}: the git repository with the blueprints, as \`https://...\` or a path`,
  }),
  branch: z.string().min(1).optional(),
  tag: z.string().min(1).optional(),
  revision: z.string().min(1).optional(),
  path: z.string().default(''),
  token_file: path.optional(),
  ca_file: path.optional(),
  limits: z
    .strictObject({
      files: whole(1, 100_000).default(2_000),
      file_bytes: whole(1_024, 67_108_864).default(1_048_576),
      total_bytes: whole(1_024, 1_073_741_824).default(33_554_432),
      timeout: time(1_000, 3_600_000).prefault('60s'),
    })
    .prefault({}),
});

const Marathon = z.strictObject({
  urls: z
    .array(httpUrl, { error: 'must be a list of urls' })
    .min(1, 'needs one url at least')
    .max(20)
    .default(['http://127.0.0.1:8080']),
  user: z.string().min(1).optional(),
  password_file: path.optional(),
  token_file: path.optional(),
  ca_file: path.optional(),
  timeout: time(1_000, 600_000).prefault('30s'),
});

const GatewayNode = z.strictObject({
  name: word,
  url: httpUrl.optional(),
  socket: path.optional(),
  token_file: path.optional(),
});

const Gateways = z.strictObject({
  nodes: z.array(GatewayNode, { error: 'must be a list of nodes' }).max(200).default([]),
  start_local: z.boolean({ error: 'must be true or false' }).default(true),
  proxy: z.enum(['auto', 'haproxy', 'embedded']).default('auto'),
  bind: bind.default('127.0.0.1'),
});

const Schedule = z.strictObject({
  every: time(1_000, DAY_MS).optional(),
  cron: z.string().refine(isCron, 'must be a cron expression such as `*/5 * * * *`').optional(),
});

const Budgets = z.strictObject({
  prune_count: whole(0, 10_000).default(2),
  // As in a rollout, `20%` and `20` mean the same.
  prune_share: z
    .preprocess(
      (value) =>
        typeof value === 'string' && /^\d{1,3}%?$/.test(value) ? parseInt(value, 10) : value,
      whole(0, 100),
    )
    .default(20),
  concurrency: whole(1, 64).default(4),
});

/** The whole of `sluice.yml`, key by key as people write it. */
export const ConfigSchema = z.strictObject({
  owner: word.default('sluice'),
  prefix: word.default('sluice'),
  state_dir: path.default('.sluice'),
  source: Source,
  marathon: Marathon.prefault({}),
  gateways: Gateways.prefault({}),
  schedule: Schedule.prefault({}),
  rollout: z.record(z.string(), z.unknown(), { error: 'must be a map' }).default({}),
  budgets: Budgets.prefault({}),
  journal: z.strictObject({ file: path.optional() }).prefault({}),
  server: z
    .strictObject({
      listen: listen.prefault('127.0.0.1:7400'),
      token_file: path.optional(),
    })
    .prefault({}),
});

export type Written = z.infer<typeof ConfigSchema>;

/** Of each of these only one may be written; a stronger place takes away what a weaker one chose. */
export const ALTERNATIVES: readonly (readonly string[])[] = [
  ['source.branch', 'source.tag', 'source.revision'],
  ['marathon.token_file', 'marathon.password_file'],
  ['schedule.every', 'schedule.cron'],
];

/** What stands behind a key: how a text from the environment becomes its value. */
export type KeyKind = 'text' | 'scalar' | 'texts' | 'yaml';

/** Every key by its dotted path; the keys of a list's items as `gateways.nodes[].name`. */
export const CONFIG_KEYS: ReadonlyMap<string, KeyKind> = new Map(keysOf(ConfigSchema, ''));

/** Dotted paths of the maps themselves, `''` for the whole. */
export function keysUnder(parent: string): readonly string[] {
  const prefix = parent === '' ? '' : `${parent}.`;
  const names = [...CONFIG_KEYS.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length).replace(/[.[].*$/, ''));
  return [...new Set(names)];
}

function keysOf(schema: unknown, at: string): readonly (readonly [string, KeyKind])[] {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([key, value]) =>
      keysOf(value, at === '' ? key : `${at}.${key}`),
    );
  }
  if (inner instanceof z.ZodArray) {
    const items = keysOf(inner.element, `${at}[]`);
    return items.length === 1 ? [[at, 'texts']] : [[at, 'yaml'], ...items];
  }
  if (inner instanceof z.ZodNumber || inner instanceof z.ZodBoolean) return [[at, 'scalar']];
  return [[at, inner instanceof z.ZodRecord ? 'yaml' : 'text']];
}

function unwrapped(schema: unknown): unknown {
  if (schema instanceof z.ZodPipe) return unwrapped(schema.in);
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return unwrapped(schema.unwrap());
  }
  return schema;
}

function parseTime(text: string): number | undefined {
  const [, digits, seconds, minutes] = TIME.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const unit = seconds === undefined ? (minutes === undefined ? 'h' : 'm') : 's';
  return Number(digits) * (UNITS[unit] ?? 0);
}

function showTime(ms: number): string {
  const unit = ['h', 'm'].find((name) => ms % (UNITS[name] ?? 1) === 0) ?? 's';
  return `${String(ms / (UNITS[unit] ?? 1))}${unit}`;
}

function parseListen(text: string): Listen | undefined {
  if (text.includes('/')) return { socket: text };
  const [, v6, name, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:\s]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65_535 || (v6 !== undefined && isIP(v6) !== 6)) return undefined;
  return { host, port };
}
