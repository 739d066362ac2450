import type { z } from 'zod';
import { isTree } from './document.ts';
import type { Tree } from './document.ts';
import { variableOf } from './layers.ts';
import type { Layered } from './layers.ts';
import { ALTERNATIVES, CONFIG_KEYS, keysUnder } from './schema.ts';
import { nearest } from '../model/nearest.ts';

const KINDS: Readonly<Record<string, string>> = {
  object: 'a map',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  null: 'nothing',
};
const LOOPBACK = new Set(['localhost', '::1']);

/** Those of the file in the order of its lines, then all others; each once. */
export function inOrder(file: string, faults: readonly string[]): readonly string[] {
  const rows = [...new Set(faults)].map((fault) => ({ fault, at: placeOf(file, fault) }));
  return rows
    .sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column)
    .map(({ fault }) => fault);
}

function placeOf(file: string, fault: string): { readonly line: number; readonly column: number } {
  const [, line, column] = /^:(\d+):(\d+): /.exec(fault.slice(file.length)) ?? [];
  if (!fault.startsWith(file) || line === undefined) return { line: 1e9, column: 0 };
  return { line: Number(line), column: Number(column) };
}

/** Rules between keys; they are checked whether or not the keys themselves are right. */
export function findContradictions({ tree, where }: Layered): readonly string[] {
  const faults: string[] = [];
  for (const group of ALTERNATIVES) {
    const [first, ...more] = group.filter((key) => valueAt(tree, key) !== undefined);
    for (const key of more)
      faults.push(
        `${where(key)}: \`${key}\` and \`${String(first)}\` are two answers to one question; write one`,
      );
  }
  const [user, password] = [
    valueAt(tree, 'marathon.user'),
    valueAt(tree, 'marathon.password_file'),
  ];
  const hasToken = valueAt(tree, 'marathon.token_file') !== undefined;
  if ((user === undefined) !== (password === undefined) && !hasToken) {
    const key = user === undefined ? 'marathon.password_file' : 'marathon.user';
    faults.push(`${where(key)}: \`marathon.user\` and \`marathon.password_file\` go together`);
  }
  const listen = valueAt(tree, 'server.listen');
  const isSafe = typeof listen !== 'string' || listen.includes('/') || isLoopback(listen);
  if (!isSafe && valueAt(tree, 'server.token_file') === undefined) {
    faults.push(
      `${where('server.listen')}: an address that others can reach needs \`server.token_file\``,
    );
  }
  return [...faults, ...nodeFaults(tree, where)];
}

function nodeFaults(tree: Tree, where: Layered['where']): readonly string[] {
  const nodes = valueAt(tree, 'gateways.nodes');
  if (!Array.isArray(nodes)) return [];
  const faults: string[] = [];
  const names = new Set<unknown>();
  for (const [index, node] of nodes.entries()) {
    if (!isTree(node)) continue;
    const at = where(`gateways.nodes.${String(index)}`);
    const { name, url, socket } = node;
    if ((url === undefined) === (socket === undefined)) {
      faults.push(`${at}: a node needs \`url\` or \`socket\`, and not both`);
    }
    if (names.has(name)) faults.push(`${at}: another node has the same name`);
    names.add(name);
  }
  return faults;
}

function isLoopback(listen: string): boolean {
  const host = listen.replace(/:\d*$/, '').replaceAll(/[[\]]/g, '');
  return LOOPBACK.has(host) || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function valueAt(tree: Tree, key: string): unknown {
  let value: unknown = tree;
  for (const name of key.split('.')) value = isTree(value) ? value[name] : undefined;
  return value;
}

/** One sentence with its place for every key that an issue of the schema is about. */
export function explainIssue(issue: z.core.$ZodIssue, { where }: Layered): readonly string[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const full = path === '' ? key : `${path}.${key}`;
      return `${where(full)}: ${unknownKey(key, path)}`;
    });
  }
  return [`${where(path)}: \`${path}\` ${inWords(issue.message)}`];
}

/** `Invalid input: expected object, received array` -> `must be a map, found a list`. */
function inWords(message: string): string {
  return message
    .replace(/^Invalid \w+: expected /, 'must be ')
    .replace(', received ', ', found ')
    .replaceAll(/\b(?:object|array|string|number|boolean|null)\b/g, (word) => KINDS[word] ?? word)
    .replaceAll('"', '`');
}

function unknownKey(key: string, parent: string): string {
  const shown = key.length > 60 ? `${key.slice(0, 57)}...` : key;
  const kind = parent.replaceAll(/\.\d+/g, '[]');
  const known = keysUnder(kind);
  const file = `${key}_file`;
  if (known.includes(file)) {
    const variable = variableOf(`${parent}.${key}`);
    const rest = kind.endsWith('[]') ? '' : `, or set ${variable}`;
    return `\`${shown}\` is a secret and is never written here; put it into a file and name that in \`${file}\`${rest}`;
  }
  const home = [...CONFIG_KEYS.keys()].find((full) => full.endsWith(`.${key}`));
  const meant = nearest(key, known) ?? home;
  const hint = meant === undefined ? `it takes ${known.join(', ')}` : `did you mean \`${meant}\`?`;
  return `${parent === '' ? 'there is' : `\`${parent}\` has`} no key \`${shown}\`; ${hint}`;
}
