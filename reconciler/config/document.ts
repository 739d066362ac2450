import { EVENT_ID, YAMLException, getScalarValue, load, parseEvents } from 'js-yaml';

/** A map as YAML gives it; keys with nothing behind them are left out. */
export interface Tree {
  readonly [key: string]: unknown;
}

export interface ConfigDocument {
  readonly tree: Tree;
  /** `line:column` of every key, by its dotted path. */
  readonly spots: ReadonlyMap<string, string>;
  /** Why the text could not be read at all. */
  readonly fault?: { readonly spot: string; readonly message: string };
}

interface Frame {
  readonly kind: 'document' | 'map' | 'list';
  readonly path: readonly string[];
  key: string | undefined;
  count: number;
}

type Event = ReturnType<typeof parseEvents>[number];

const MAX_CHARACTERS = 1_000_000;
/** No aliases: nothing here is long enough to be worth one, and one inside itself has no end. */
const LIMITS = { maxDepth: 20, maxAliases: 0 };
const SINGLE_QUOTED = 2;
const DOUBLE_QUOTED = 3;

/** Reads the text of a configuration file. Never throws for what is written in it. */
export function readDocument(text: string): ConfigDocument {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const empty = { tree: {}, spots: new Map<string, string>() };
  if (source.length > MAX_CHARACTERS) {
    const message = `it has more than ${String(MAX_CHARACTERS)} characters`;
    return { ...empty, fault: { spot: '1:1', message } };
  }
  // The library throws for a text that holds nothing but comments.
  if (source.replaceAll(/^\s*(?:#.*)?$/gm, '').trim() === '') return empty;
  try {
    const tree = withoutNothing(load(source, LIMITS));
    if (!isTree(tree)) return { ...empty, fault: { spot: '1:1', message: 'it is not a map' } };
    return { tree, spots: spotsOf(source, parseEvents(source, { maxDepth: LIMITS.maxDepth })) };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const mark: { line?: number; column?: number } = error.mark ?? {};
    const spot = `${String((mark.line ?? 0) + 1)}:${String((mark.column ?? 0) + 1)}`;
    return { ...empty, fault: { spot, message: withoutContent(error.reason) } };
  }
}

/** The library's reasons may quote the text, and the text may be a secret. */
function withoutContent(reason: string): string {
  if (reason.startsWith('aliases exceeded')) {
    return 'aliases (*name) are not taken here; quote values that start with *';
  }
  return reason.replace(/[:"'!].*$/s, '').trim();
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutNothing(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNothing);
  if (!isTree(value)) return value;
  const rows = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(rows.map(([key, inner]) => [key, withoutNothing(inner)]));
}

function spotsOf(source: string, events: readonly Event[]): ReadonlyMap<string, string> {
  const spots = new Map<string, string>();
  const frames: Frame[] = [];
  for (const event of events) {
    const frame = frames.at(-1);
    if (event.type === EVENT_ID.POP) {
      frames.pop();
      continue;
    }
    const isKey = frame?.kind === 'map' && frame.key === undefined;
    if (frame !== undefined && isKey && event.type === EVENT_ID.SCALAR) {
      frame.key = getScalarValue(source, event);
      spots.set([...frame.path, frame.key].join('.'), spotAt(source, startOf(event)));
      continue;
    }
    const path = frame === undefined ? [] : pathOfValue(frame);
    if (frame?.kind === 'list') spots.set(path.join('.'), spotAt(source, startOf(event)));
    const kind = kindOf(event);
    if (kind !== undefined) frames.push({ kind, path, key: undefined, count: 0 });
  }
  return spots;
}

/** Where the value that comes next stands in its frame; moves the frame on. */
function pathOfValue(frame: Frame): readonly string[] {
  const { key, path } = frame;
  if (frame.kind === 'document') return path;
  frame.key = undefined;
  frame.count += 1;
  return [...path, key ?? String(frame.count - 1)];
}

function kindOf(event: Event): Frame['kind'] | undefined {
  if (event.type === EVENT_ID.DOCUMENT) return 'document';
  if (event.type === EVENT_ID.MAPPING) return 'map';
  return event.type === EVENT_ID.SEQUENCE ? 'list' : undefined;
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) return event.start;
  if (event.type !== EVENT_ID.SCALAR) return 0;
  const quoted = event.style === SINGLE_QUOTED || event.style === DOUBLE_QUOTED;
  return event.valueStart - (quoted ? 1 : 0);
}

function spotAt(source: string, offset: number): string {
  const lines = source.slice(0, Math.max(offset, 0)).split('\n');
  return `${String(lines.length)}:${String((lines.at(-1)?.length ?? 0) + 1)}`;
}
