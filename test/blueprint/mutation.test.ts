import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileFile } from '../../reconciler/blueprint/compile.ts';
import type { CompiledFile } from '../../reconciler/blueprint/compile.ts';

const folder = new URL('../../blueprints/', import.meta.url);
const sources = readdirSync(folder)
  .filter((name) => name.endsWith('.yml'))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'));

/** Mulberry32: the same mutations in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const SHARDS: readonly string[] = [
  '\0 \t \uFEFF \uFFFD \r \n " \' ` # % @ ! | >',
  '{ } [ ] , : - ? &a *a <<: ~ !!map $x $$ -1 1e999 .inf .nan on 0x 99999999999999999999 \uD800',
]
  .flatMap((line) => line.split(' '))
  .concat(': ', '- ', '? ', '---\n', '...\n', '__proto__: {a: 1}\n', 'constructor: 1\n')
  .concat('toString: ~\n', 'hasOwnProperty: []\n');

function mutated(random: () => number): string {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  let text = pick(sources) ?? '';
  for (let count = Math.ceil(random() * 4); count > 0; count -= 1) {
    const at = Math.floor(random() * text.length);
    const length = Math.floor(random() * 12);
    const kind = random();
    if (kind < 0.4) text = text.slice(0, at) + (pick(SHARDS) ?? '') + text.slice(at);
    else if (kind < 0.7) text = text.slice(0, at) + text.slice(at + length);
    else if (kind < 0.9) text = text.slice(0, at) + (pick(SHARDS) ?? '') + text.slice(at + length);
    else text = text.slice(0, at) + (pick(sources) ?? '').slice(at) + text.slice(at);
  }
  return text;
}

function isConsistent(file: CompiledFile, text: string): boolean {
  const lines = text.split(/\r\n|\n|\r/).length;
  const errors = file.diagnostics.filter(({ severity }) => severity === 'error').length;
  const places = file.diagnostics.every(
    ({ line, column }) => line >= 1 && line <= lines && column >= 1,
  );
  const empty = file.deployments.length + file.gateways.length === 0;
  return places && file.faulty === errors > 0 && (!file.faulty || empty);
}

test('mutated blueprints never throw, and every finding has its place', () => {
  const random = randomFrom(20_261_121);
  const bad: string[] = [];
  let faulty = 0;
  for (let round = 0; round < 3000; round += 1) {
    const text = mutated(random);
    const file = compileFile({ path: 'm.yml', text }, 'r');
    if (file.faulty) faulty += 1;
    if (!isConsistent(file, text)) bad.push(text);
  }
  expect(bad).toEqual([]);
  expect(faulty).toBeGreaterThan(500);
  expect(({} as Record<string, unknown>)['a']).toBeUndefined();
});

test.each([
  ['brackets', '['.repeat(50_000)],
  ['braces', '{a: '.repeat(50_000)],
  ['questions', '? '.repeat(50_000)],
  ['dashes', '- '.repeat(50_000)],
  ['anchors', '&a '.repeat(50_000)],
  ['short lines in brackets', `a: [\n${'1,\n'.repeat(50_000)}]`],
  ['one long key', `name: ${'a'.repeat(500_000)}\nclusters: {${'b'.repeat(100_000)}: {c: d}}`],
  [
    'many unknown keys',
    `name: a\nclusters: {}\n${Array.from({ length: 5000 }, (_, i) => `k${String(i)}: 1`).join('\n')}`,
  ],
])('hostile text ends in a finding: %s', (_name, text) => {
  expect(compileFile({ path: 'h.yml', text }, 'r').faulty).toBe(true);
});
