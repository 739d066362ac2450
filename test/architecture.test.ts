import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/**
 * Who may import whom (design section 10). A layer is a folder of `reconciler/` or a file in its
 * root; the longest name that fits counts. What is not listed is forbidden. Lint says what no folder
 * may do; this table says what each one may.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  model: [],
  // The pure core.
  plan: ['model'],
  blueprint: ['model'],
  // The edges: a port each, and its implementations. They never see one another.
  platform: ['model'],
  'platform/marathon': ['platform', 'model', 'errors'],
  source: ['model', 'errors'],
  gateway: ['model', 'errors'],
  // The agent follows instances by itself: it knows the port of the feed, not who implements it.
  'gateway/agent': ['gateway', 'model', 'errors', 'platform'],
  'gateway/agent/haproxy': ['gateway/agent', 'model', 'errors'],
  'gateway/agent/embedded': ['gateway/agent', 'model'],
  journal: ['model', 'errors'],
  server: ['model', 'errors'],
  // A program of its own.
  engine: ['model', 'errors'],
  'config/': ['errors', 'model'],
  config: ['config/', 'errors'],
  // The shell: what, when, and with whom.
  intake: ['blueprint', 'plan', 'model', 'errors', 'journal', 'source'],
  pass: ['plan', 'model', 'errors', 'gateway', 'journal', 'platform'],
  round: ['pass', 'intake', 'plan', 'model', 'errors', 'gateway', 'journal', 'platform'],
  loop: ['round', 'model'],
  drivers: ['config', 'blueprint', 'errors', 'gateway', 'platform', 'platform/marathon', 'source'],
  reconciler: ['config', 'drivers', 'errors', 'intake', 'journal', 'model', 'round'],
  commands: [
    'blueprint',
    'config',
    'demo',
    'drivers',
    'engine',
    'errors',
    'gateway/agent',
    'intake',
    'journal',
    'loop',
    'model',
    'plan',
    'reconciler',
    'round',
    'server',
  ],
  demo: ['commands', 'config', 'drivers', 'errors', 'model'],
  main: ['commands', 'errors'],
};

/** What one file may import beyond its layer, each with its reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'gateway/agent/agent.ts -> gateway/agent/haproxy': 'the root of the agent chooses its proxy',
  'gateway/agent/agent.ts -> gateway/agent/embedded': 'the root of the agent chooses its proxy',
};

/** Packages by layer; `node:*` and packages are free outside the pure core. */
const PURE: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  model: [],
  plan: ['node:crypto'],
  blueprint: ['node:crypto', 'js-yaml', 'zod'],
};

/** Vendors of the world outside: only these layers may name them. */
const HOME_OF: Readonly<Record<string, readonly string[]>> = {
  'simple-git': ['source'],
  'eventsource-parser': ['platform/marathon'],
  httpxy: ['gateway/agent/embedded'],
  'node-cron': ['loop', 'config/'],
  'node:sqlite': ['journal'],
  commander: ['commands'],
  fastify: ['server', 'engine', 'gateway/agent'],
  pino: ['main', 'commands', 'reconciler', 'engine', 'gateway/agent', 'gateway/agent/haproxy'],
};

/** Programs: the only places that read environment, arguments and signals. */
const PROGRAMS: readonly string[] = [
  'main.ts',
  'engine/simpleservice.ts', // the sample service: the engine starts it as a task of its own
];

const RECONCILER = fileURLToPath(new URL('../reconciler', import.meta.url));
const MOST_LINES = 400;

interface Import {
  readonly from: string;
  readonly path: string;
}

interface Source {
  /** Below `reconciler/`, as `plan/plan.ts`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const SOURCES: readonly Source[] = readdirSync(RECONCILER, { recursive: true })
  .map(String)
  .filter((path) => path.endsWith('.ts'))
  .toSorted()
  .map((path) => {
    const text = readFileSync(join(RECONCILER, path), 'utf8');
    const found = text.matchAll(
      /^\s*(?:import|export|\}).*?\bfrom '([^']+)';|\bimport\('([^']+)'\)/gm,
    );
    const bare = text.matchAll(/^import '([^']+)';/gm);
    const imports = [...found, ...bare].map((match) => match[1] ?? match[2] ?? '');
    return { path, text, imports: imports.map((one) => ({ from: path, path: one })) };
  });

/** `gateway/agent/haproxy` of `gateway/agent/haproxy/slots.ts`; `loop` of `loop.ts`. */
function layerOf(path: string): string {
  const bare = path.replace(/\.ts$/, '');
  if (!bare.includes('/')) return bare;
  if (dirname(bare) === 'config') return 'config/';
  for (let folder = dirname(bare); folder !== '.'; folder = dirname(folder)) {
    if (folder in MAY_IMPORT) return folder;
  }
  return `${dirname(bare)} (not in the table)`;
}

/** The file that a relative import names, below `reconciler/`. */
function targetOf({ from, path }: Import): string {
  return relative(RECONCILER, join(RECONCILER, dirname(from), path));
}

const IMPORTS = SOURCES.flatMap((source) => source.imports);
const OWN = IMPORTS.filter(({ path }) => path.startsWith('.'));
const PACKAGES = IMPORTS.filter(({ path }) => !path.startsWith('.'));

function show(one: Import): string {
  return one.path.startsWith('.')
    ? `${one.from} -> ${targetOf(one)}`
    : `${one.from} -> ${one.path}`;
}

describe('the import table', () => {
  test('is kept by every file', () => {
    const broken = OWN.filter((one) => {
      const from = layerOf(one.from);
      const to = layerOf(targetOf(one));
      if (`${one.from} -> ${to}` in EXCEPTIONS) return false;
      return from !== to && MAY_IMPORT[from]?.includes(to) !== true;
    });
    expect(broken.map(show)).toEqual([]);
  });

  test('has no exception that nobody needs', () => {
    const used = new Set(OWN.map((one) => `${one.from} -> ${layerOf(targetOf(one))}`));
    expect(Object.keys(EXCEPTIONS).filter((pair) => !used.has(pair))).toEqual([]);
  });

  test('lets drivers.ts alone choose the implementation of a port', () => {
    const vendors = /^(?:source\/git|gateway\/agents|platform\/marathon\/(?:client|platform))\.ts$/;
    const others = OWN.filter(
      (one) =>
        vendors.test(targetOf(one)) &&
        layerOf(one.from) !== layerOf(targetOf(one)) &&
        one.from !== 'drivers.ts',
    );
    expect(others.map(show)).toEqual([]);
  });

  test('keeps packages out of the pure core', () => {
    const broken = PACKAGES.filter((one) => PURE[layerOf(one.from)]?.includes(one.path) === false);
    expect(broken.map(show)).toEqual([]);
  });

  test('keeps every package where it belongs', () => {
    const broken = PACKAGES.filter(
      (one) => HOME_OF[one.path]?.includes(layerOf(one.from)) === false,
    );
    expect(broken.map(show)).toEqual([]);
  });

  test('reads what an import is', () => {
    const loop = SOURCES.find(({ path }) => path === 'loop.ts');
    expect(loop?.imports.map(({ path }) => path)).toContain('./round.ts');
    expect(layerOf('gateway/agent/haproxy/slots.ts')).toBe('gateway/agent/haproxy');
    expect(layerOf('config.ts')).toBe('config');
    expect(layerOf('notify/webhook.ts')).toBe('notify (not in the table)');
  });
});

describe('every file of the reconciler', () => {
  test('imports files by their whole name, with .ts', () => {
    expect(OWN.filter(({ path }) => !path.endsWith('.ts')).map(show)).toEqual([]);
  });

  test('has a name that says what it holds', () => {
    const vague = /^(?:utils?|helpers?|common|manager|misc|index|shared|lib|data|info)$/;
    const parts = SOURCES.flatMap(({ path }) => path.replace(/\.ts$/, '').split('/'));
    expect(
      parts.filter((part) => vague.test(part) || !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(part)),
    ).toEqual([]);
  });

  test(`has at most ${String(MOST_LINES)} lines`, () => {
    const long = SOURCES.filter(({ text }) => linesOf(text) > MOST_LINES);
    expect(long.map(({ path, text }) => `${path}: ${String(linesOf(text))}`)).toEqual([]);
  });

  test('exports by name', () => {
    const found = SOURCES.filter(({ text }) => /^export default|\bas default\b/m.test(text));
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  test('leaves environment, arguments, signals and exit to the programs', () => {
    const words =
      /\bprocess\.(?:env|argv|exit|exitCode|on|once)\b|import[^;]*\benv\b[^;]*from 'node:process'/;
    const found = SOURCES.filter(({ path, text }) => !PROGRAMS.includes(path) && words.test(text));
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  test('has a folder or file that the table knows', () => {
    const unknown = SOURCES.map(({ path }) => layerOf(path)).filter((one) => !(one in MAY_IMPORT));
    expect([...new Set(unknown)]).toEqual([]);
  });
});

/** Lines that say something: blank ones and comments are free, as for lint. */
function linesOf(text: string): number {
  const bare = text.replaceAll(/\/\*[\s\S]*?\*\//g, '');
  return bare.split('\n').filter((line) => !/^\s*(?:\/\/.*)?$/.test(line)).length;
}

test('tests have names that say what they hold', () => {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const names = readdirSync(folder, { recursive: true }).map((path) => basename(String(path)));
  const vague = /^(?:utils?|helpers?|common|misc|index)(?:\.test)?(?:\.ts)?$/;
  expect(names.filter((name) => vague.test(name))).toEqual([]);
});
