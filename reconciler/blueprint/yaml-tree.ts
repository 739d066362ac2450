import { YAMLException } from 'js-yaml';
import { keyTextOf } from './tree.ts';
import type { Entry, ListNode, MapNode, Node, ScalarNode, Spot } from './tree.ts';

export interface YamlDocument {
  readonly root: Node;
  /** Matters only if the document turns out to be one of ours. */
  readonly notes: readonly YamlNote[];
}

export interface YamlNote {
  readonly severity: 'error' | 'warning';
  readonly code: 'duplicate-key' | 'invalid-utf8';
  readonly spot: Spot;
  readonly related: readonly Spot[];
  readonly message: string;
}

interface Properties {
  readonly anchorStart: number;
  readonly anchorEnd: number;
  readonly tagStart: number;
}
interface CollectionPlace extends Properties {
  readonly start: number;
  readonly tagEnd: number;
}
interface ScalarPlace extends Properties {
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly style: number;
}

/** `merge`: the entry came from `<<` and gives way to one that is written out. */
type Row = Entry & { readonly merge: boolean };
interface Pair {
  readonly key: Node;
  readonly value: Node;
}
interface Frame {
  readonly kind: 'document' | 'map' | 'list';
  readonly offset: number;
  readonly anchor: string | undefined;
  readonly nodes: Node[];
}

/** Aliases of one document, and nodes of one document once they are followed. */
const MAX_ALIASES = 200;
const MAX_NODES = 100_000;
const SINGLE_QUOTED = 2;
const DOUBLE_QUOTED = 3;

/** Builds the positioned tree of one document from the library's events, which hold offsets only. */
export class TreeBuilder {
  readonly #source: string;
  readonly #spotAt: (offset: number) => Spot;
  readonly #frames: Frame[] = [];
  readonly #anchors = new Map<string, Node>();
  readonly #sizes = new Map<Node, number>();
  readonly #notes: YamlNote[] = [];
  #root: Node | undefined;
  #aliases = 0;
  #merged = 0;
  /** Where the last scalar ended: an empty value stands there. */
  #end = 0;

  constructor(source: string, spotAt: (offset: number) => Spot) {
    this.#source = source;
    this.#spotAt = spotAt;
  }

  openDocument(): void {
    this.#frames.push({ kind: 'document', offset: 0, anchor: undefined, nodes: [] });
  }

  openCollection(event: CollectionPlace, kind: 'map' | 'list'): void {
    const tag = event.tagStart < 0 ? '' : this.#source.slice(event.tagStart, event.tagEnd);
    const usual = kind === 'map' ? '!!map' : '!!seq';
    if (tag !== '' && tag !== '!' && tag !== usual) this.#fail(event.tagStart, 'unknown tag');
    this.#frames.push({ kind, offset: event.start, anchor: this.#anchorOf(event), nodes: [] });
  }

  scalar(event: ScalarPlace, source: string, value: unknown): void {
    const quoted = event.style === SINGLE_QUOTED || event.style === DOUBLE_QUOTED;
    const offset = event.valueStart < 0 ? this.#end : event.valueStart - (quoted ? 1 : 0);
    const spot = this.#spotAt(offset);
    this.#end = Math.max(this.#end, event.valueEnd);
    if (source.includes('\uFFFD')) this.#notes.push(invalidText(spot));
    const typed = typedValue(value, source);
    if (typed === undefined) return this.#fail(offset, 'unknown tag');
    this.#add({ kind: 'scalar', value: typed, source, spot }, offset, this.#anchorOf(event));
  }

  alias(event: { readonly anchorStart: number; readonly anchorEnd: number }): void {
    this.#aliases += 1;
    const offset = event.anchorStart - 1;
    if (this.#aliases > MAX_ALIASES) this.#fail(offset, `more than ${String(MAX_ALIASES)} aliases`);
    const node = this.#anchors.get(this.#source.slice(event.anchorStart, event.anchorEnd));
    if (node === undefined) return this.#fail(offset, 'unidentified alias');
    this.#add(node, offset, undefined);
  }

  close(): void {
    const frame = this.#frames.pop();
    if (frame === undefined || frame.kind === 'document') return;
    const spot = this.#spotAt(frame.offset);
    const node: Node =
      frame.kind === 'list'
        ? { kind: 'list', items: frame.nodes, spot }
        : { kind: 'map', entries: this.#entriesOf(frame), spot };
    this.#add(node, frame.offset, frame.anchor);
  }

  finish(): YamlDocument {
    const nothing: ScalarNode = { kind: 'scalar', value: null, source: '', spot: this.#spotAt(0) };
    return { root: this.#root ?? nothing, notes: this.#notes };
  }

  #add(node: Node, offset: number, anchor: string | undefined): void {
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    const size = sizeOf(node, this.#sizes);
    this.#sizes.set(node, size);
    if (size > MAX_NODES) this.#fail(offset, `more than ${String(MAX_NODES)} values`);
    const frame = this.#frames.at(-1);
    if (frame === undefined || frame.kind === 'document') this.#root = node;
    else frame.nodes.push(node);
  }

  #anchorOf(event: Properties): string | undefined {
    if (event.anchorStart < 0) return undefined;
    return this.#source.slice(event.anchorStart, event.anchorEnd);
  }

  #fail(offset: number, message: string): never {
    return YAMLException.throwAt(this.#source, Math.max(offset, 0), message);
  }

  #entriesOf(frame: Frame): Entry[] {
    const rows = new Map<string, Row>();
    for (const { key, value } of pairsOf(frame.nodes)) {
      const text = keyTextOf(key);
      if (text === undefined) return this.#fail(frame.offset, 'a map cannot be a key');
      if (text === '<<' && value.kind !== 'scalar') {
        this.#merge(rows, value, frame.offset);
        continue;
      }
      const before = rows.get(text);
      if (before !== undefined && !before.merge) {
        this.#notes.push(duplicate(text, key.spot, before.keySpot));
      }
      rows.set(text, { key: text, keySpot: key.spot, value, merge: false });
    }
    return [...rows.values()].map(({ key, keySpot, value }) => ({ key, keySpot, value }));
  }

  /** `<<`: what is written out wins over what is merged, and an earlier source over a later one. */
  #merge(rows: Map<string, Row>, source: MapNode | ListNode, offset: number): void {
    for (const map of source.kind === 'map' ? [source] : source.items) {
      if (map.kind !== 'map') this.#fail(offset, 'a merge key (<<) takes a map or a list of maps');
      this.#merged += map.entries.length;
      if (this.#merged > MAX_NODES) this.#fail(offset, `more than ${String(MAX_NODES)} values`);
      for (const entry of map.entries) {
        if (!rows.has(entry.key)) rows.set(entry.key, { ...entry, merge: true });
      }
    }
  }
}

/** How many nodes a walk over this one visits, aliases followed; children are known by then. */
function sizeOf(node: Node, sizes: ReadonlyMap<Node, number>): number {
  let size = 1;
  const children =
    node.kind === 'scalar'
      ? []
      : node.kind === 'list'
        ? node.items
        : node.entries.map((e) => e.value);
  for (const child of children) size += sizes.get(child) ?? 1;
  return size;
}

function typedValue(value: unknown, text: string): ScalarNode['value'] | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array || isDateLike(value) ? text : undefined;
}

function isDateLike(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'getUTCFullYear' in value;
}

function pairsOf(nodes: readonly Node[]): Pair[] {
  const pairs: Pair[] = [];
  for (let index = 0; index + 1 < nodes.length; index += 2) {
    const [key, value] = nodes.slice(index, index + 2);
    if (key !== undefined && value !== undefined) pairs.push({ key, value });
  }
  return pairs;
}

function duplicate(key: string, spot: Spot, first: Spot): YamlNote {
  const message = `the key \`${key}\` stands here a second time; the last one counts`;
  return { severity: 'warning', code: 'duplicate-key', spot, related: [first], message };
}

function invalidText(spot: Spot): YamlNote {
  const message = 'this text is not valid UTF-8; save the file as UTF-8';
  return { severity: 'error', code: 'invalid-utf8', spot, related: [], message };
}

/** Turns offsets into lines and columns; `\n`, `\r\n` and `\r` end a line. `padding`: flow-indent. */
export function spotFinder(
  source: string,
  padding: ReadonlyMap<number, number>,
): (offset: number) => Spot {
  const starts = [0];
  for (const match of source.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const column = offset - (starts[low] ?? 0) - (padding.get(low) ?? 0) + 1;
    return { line: low + 1, column: Math.max(column, 1) };
  };
}
