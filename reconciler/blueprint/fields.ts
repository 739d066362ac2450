import { nearest } from '../model/nearest.ts';
import { isNull } from './tree.ts';
import type { Findings } from './diagnostics.ts';
import type { Entry, MapNode, Node, Spot } from './tree.ts';

/** Which keys a map of one kind takes. The reference page is tested against these lists. */
export interface Shape {
  /** For messages: `a breed`. */
  readonly what: string;
  readonly keys: readonly string[];
  /** Second names of keys: `env` for `environment_variables`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Read over in silence: bookkeeping of Vamp that exported artifacts carry. */
  readonly tolerated?: readonly string[];
  /** Keys that people write here although they belong elsewhere, and where that is. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

/** Turns a node into a value, or reports why it cannot; `what` is the sentence's subject. */
export type Reader<Value> = (node: Node, what: string, findings: Findings) => Value | undefined;

/**
 * A map that was checked against its shape. A key whose value is null counts as absent. A value
 * that could not be read is undefined like an absent one: its file is faulty by then anyway.
 */
export class Fields {
  readonly #node: MapNode;
  readonly #byName: ReadonlyMap<string, Entry>;
  readonly #shape: Shape;
  readonly #findings: Findings;

  constructor(node: MapNode, byName: ReadonlyMap<string, Entry>, shape: Shape, findings: Findings) {
    this.#node = node;
    this.#byName = byName;
    this.#shape = shape;
    this.#findings = findings;
  }

  get(name: string): Entry | undefined {
    const entry = this.#byName.get(name);
    return entry === undefined || isNull(entry.value) ? undefined : entry;
  }

  read<Value>(name: string, reader: Reader<Value>): Value | undefined {
    const entry = this.get(name);
    return entry && reader(entry.value, `\`${entry.key}\``, this.#findings);
  }

  /** As `read`, and reports the key if it is missing. */
  need<Value>(name: string, reader: Reader<Value>): Value | undefined {
    if (this.get(name) !== undefined) return this.read(name, reader);
    const message = `${this.#shape.what} needs \`${name}\``;
    return this.#findings.error(this.spotOf(name), 'missing-path-value', message);
  }

  /** Where the value of a key stands; the key itself if it has none, else the start of the map. */
  spotOf(name: string): Spot {
    const entry = this.#byName.get(name);
    if (entry === undefined) return this.#node.entries[0]?.keySpot ?? this.#node.spot;
    return isNull(entry.value) ? entry.keySpot : entry.value.spot;
  }
}

/** Checks that `node` is a map with keys of the shape only; reports every key that is not. */
export function readFields(node: Node, shape: Shape, findings: Findings): Fields | undefined {
  if (node.kind !== 'map') {
    return unexpectedType(node, `${shape.what} must be a map`, findings);
  }
  const byName = new Map<string, Entry>();
  for (const entry of node.entries) {
    const name = canonicalName(entry.key, shape);
    const first = name === undefined ? undefined : byName.get(name);
    if (name === undefined) unexpectedKey(entry, shape, findings);
    else if (first === undefined) byName.set(name, entry);
    else {
      const message = `\`${entry.key}\` and \`${first.key}\` are two names of one key; write one`;
      findings.error(entry.keySpot, 'unexpected-element', message, [first.keySpot]);
    }
  }
  return new Fields(node, byName, shape, findings);
}

/** The first name of a key of the shape, undefined for a stranger; maps may hold `constructor`. */
function canonicalName(key: string, shape: Shape): string | undefined {
  if (shape.keys.includes(key) || shape.tolerated?.includes(key)) return key;
  return shape.aliases !== undefined && Object.hasOwn(shape.aliases, key)
    ? shape.aliases[key]
    : undefined;
}

function unexpectedKey(entry: Entry, shape: Shape, findings: Findings): void {
  if (findings.full) return;
  const home = Object.hasOwn(shape.elsewhere ?? {}, entry.key)
    ? shape.elsewhere?.[entry.key]
    : undefined;
  const names = [...shape.keys, ...Object.keys(shape.aliases ?? {})];
  const meant = nearest(entry.key, names);
  const hint =
    home ?? (meant === undefined ? `it takes ${names.join(', ')}` : `did you mean \`${meant}\`?`);
  const message = `${shape.what} has no key \`${shown(entry.key)}\`; ${hint}`;
  findings.error(entry.keySpot, 'unexpected-element', message);
}

/** `expected` is the sentence's first half: `weight must be a percentage such as 20%`. */
export function unexpectedType(node: Node, expected: string, findings: Findings): undefined {
  return findings.error(node.spot, 'unexpected-type', `${expected}, found ${kindOf(node)}`);
}

/** The kind only, never the value: texts may be secrets. */
export function kindOf(node: Node): string {
  if (node.kind !== 'scalar') return `a ${node.kind}`;
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'boolean') return 'a boolean';
  return typeof node.value === 'number' ? 'a number' : 'a text';
}

/** A word of the file as messages show it: on one line, and short. */
export function shown(word: string): string {
  const oneLine = word.replaceAll(/\s+/g, ' ');
  return oneLine.length > 60 ? `${oneLine.slice(0, 57)}...` : oneLine;
}

/** The entries of a map whose keys are names; null means empty where `orNull` allows it. */
export function entriesOf(node: Node, what: string, findings: Findings): readonly Entry[] {
  if (node.kind === 'map') return node.entries;
  unexpectedType(node, `${what} must be a map`, findings);
  return [];
}

/** Where a node names a stored artifact instead of being one: a text, or a map with `ref`. */
export function referenceSpot(node: Node): Spot | undefined {
  if (node.kind === 'scalar') return node.spot;
  if (node.kind === 'list') return undefined;
  return node.entries.find(({ key }) => key === 'ref' || key === 'reference')?.keySpot;
}
