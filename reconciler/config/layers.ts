import { dirname, resolve } from 'node:path';
import { YAMLException, load } from 'js-yaml';
import { isTree, readDocument } from './document.ts';
import type { Tree } from './document.ts';
import { ALTERNATIVES, CONFIG_KEYS } from './schema.ts';
import { Secret } from './secret.ts';
import { nearest } from '../model/nearest.ts';

/** Where configuration comes from; later ones win: file, environment, flags. */
export interface ConfigInput {
  /** Text of the file; undefined where there is none. */
  readonly text?: string;
  /** Its path: for messages, and paths in it are relative to its directory. */
  readonly file: string;
  /** Only names that start with `SLUICE_` are looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By dotted key (`source.url`); undefined: not given. */
  readonly flags: Readonly<Record<string, FlagValue | undefined>>;
}

export type FlagValue = string | number | boolean | readonly string[];

/** All layers in one tree, and what is wrong already. */
export interface Layered {
  readonly tree: Tree;
  readonly faults: readonly string[];
  /** Secrets by the key whose `_file` they stand for: `source.token`. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Who said it: `sluice.yml:3:5`, `SLUICE_OWNER`, `--owner`. */
  readonly where: (key: string) => string;
}

/** Keys whose value may come from the environment itself, instead of a file that holds it. */
const SECRETS: ReadonlyMap<string, string> = new Map(
  ['source.token', 'marathon.token', 'marathon.password', 'server.token'].map((key) => [
    variableOf(key),
    key,
  ]),
);
/** Read by the command line, or given by the embedded engine to what it runs. */
const RESERVED = new Set([
  'SLUICE_CONFIG',
  'SLUICE_LOG_LEVEL',
  'SLUICE_ENGINE',
  'SLUICE_TASK',
  'SLUICE_REAPER',
]);
const VARIABLES: ReadonlyMap<string, string> = new Map(
  [...CONFIG_KEYS.keys()].filter((key) => !key.includes('[]')).map((key) => [variableOf(key), key]),
);

/** Lays file, environment and flags over each other. */
export function layer(input: ConfigInput): Layered {
  const document = readDocument(input.text ?? '');
  const builder = new Builder(absolute(document.tree, dirname(input.file)));
  for (const [key, spot] of document.spots) {
    builder.note(key, { layer: 'file', place: `${input.file}:${spot}` });
  }
  if (document.fault !== undefined) {
    const { spot, message } = document.fault;
    builder.fault(`${input.file}:${spot}`, `cannot be read: ${message}`);
  }
  for (const [name, value] of Object.entries(input.env)) {
    if (value !== undefined) addVariable(builder, name, value);
  }
  for (const [key, value] of Object.entries(input.flags)) {
    if (value !== undefined) addFlag(builder, key, value);
  }
  return builder.finish(input.file);
}

/** `SLUICE_SOURCE_URL` for `source.url`. */
export function variableOf(key: string): string {
  return `SLUICE_${key.replaceAll('.', '_').toUpperCase()}`;
}

interface Origin {
  readonly layer: 'file' | 'environment' | 'flag';
  readonly place: string;
}

class Builder {
  readonly #faults: string[] = [];
  readonly #origins = new Map<string, Origin>();
  readonly #secrets = new Map<string, Secret>();
  #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  note(key: string, origin: Origin): void {
    this.#origins.set(key, origin);
  }

  fault(where: string, message: string): void {
    this.#faults.push(`${where}: ${message}`);
  }

  set(key: string, value: unknown, origin: Origin): void {
    for (const group of ALTERNATIVES) {
      if (!group.includes(key)) continue;
      for (const other of group) {
        // Both in the environment contradict each other; one over the file is a choice.
        if (other !== key && this.#origins.get(other)?.layer !== origin.layer) {
          this.#tree = withValue(this.#tree, other.split('.'), undefined);
        }
      }
    }
    this.#tree = withValue(this.#tree, key.split('.'), value);
    this.#origins.set(key, origin);
  }

  secret(key: string, text: string): void {
    this.#secrets.set(key, new Secret(text));
  }

  finish(file: string): Layered {
    const origins = this.#origins;
    return {
      tree: this.#tree,
      faults: this.#faults,
      secrets: this.#secrets,
      where: (key) => {
        for (let at = key; at !== ''; at = at.replace(/\.?[^.]*$/, '')) {
          const origin = origins.get(at);
          if (origin !== undefined) return origin.place;
        }
        return file;
      },
    };
  }
}

function addVariable(builder: Builder, name: string, text: string): void {
  if (!name.startsWith('SLUICE_') || RESERVED.has(name)) return;
  const origin: Origin = { layer: 'environment', place: name };
  const secret = SECRETS.get(name);
  const key = VARIABLES.get(name);
  if (secret !== undefined) {
    if (text === '') builder.fault(name, 'is empty');
    else {
      builder.secret(secret, text);
      builder.set(`${secret}_file`, '(environment)', origin);
    }
  } else if (key === undefined) {
    const meant = nearest(name, [...VARIABLES.keys(), ...SECRETS.keys()]);
    const hint = meant === undefined ? 'see docs/configuration.md' : `did you mean ${meant}?`;
    builder.fault(name, `is no variable of Sluice; ${hint}`);
  } else addText(builder, { key, text, origin });
}

function addFlag(builder: Builder, key: string, value: FlagValue): void {
  const place = `--${key.replaceAll(/[._]/g, '-')}`;
  const origin: Origin = { layer: 'flag', place };
  if (!CONFIG_KEYS.has(key)) builder.fault(place, 'sets no key of the configuration');
  else if (typeof value === 'string') addText(builder, { key, text: value, origin });
  else builder.set(key, value, origin);
}

interface Said {
  readonly key: string;
  readonly text: string;
  readonly origin: Origin;
}

/** Turns a text into what its key takes; the schema judges the result. */
function addText(builder: Builder, { key, text, origin }: Said): void {
  const kind = CONFIG_KEYS.get(key);
  if (kind === 'text') builder.set(key, text, origin);
  else if (kind === 'texts') {
    builder.set(
      key,
      text.split(',').map((item) => item.trim()),
      origin,
    );
  } else {
    try {
      builder.set(key, load(text, { maxDepth: 20, maxAliases: 0 }), origin);
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      builder.fault(origin.place, 'is no YAML that can be read');
    }
  }
}

function withValue(tree: Tree, path: readonly string[], value: unknown): Tree {
  const [key, ...rest] = path;
  if (key === undefined) return tree;
  const { [key]: old, ...others } = tree;
  if (rest.length > 0) return { ...tree, [key]: withValue(isTree(old) ? old : {}, rest, value) };
  return value === undefined ? others : { ...tree, [key]: value };
}

/** Paths in a file mean paths beside it; those of the environment and of flags the place one is at. */
function absolute(tree: Tree, directory: string): Tree {
  function walk(value: unknown, key: string): unknown {
    if (Array.isArray(value)) return value.map((item) => walk(item, ''));
    if (isTree(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, walk(item, name)]),
      );
    }
    return typeof value === 'string' && isPath(key, value) ? resolve(directory, value) : value;
  }
  const { rollout, ...ours } = tree;
  const walked = Object.entries(ours).map(([key, value]) => [key, walk(value, key)]);
  return { ...Object.fromEntries(walked), ...(rollout !== undefined && { rollout }) };
}

function isPath(key: string, value: string): boolean {
  if (key === 'listen') return value.includes('/');
  return value !== '' && (/(?:^|_)file$/.test(key) || key === 'state_dir' || key === 'socket');
}
