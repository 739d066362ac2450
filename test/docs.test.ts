import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

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

  test('explains each of them once, and says something', () => {
    expect(explained).toEqual([...new Set(explained)]);
    const entries = textOf('docs/errors.md').split(/^### /m).slice(1);
    expect(entries.filter((entry) => entry.split('\n').join(' ').length < 80)).toEqual([]);
  });

  test('is found by what takes it in hand: codes are told apart by the extraction', () => {
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
