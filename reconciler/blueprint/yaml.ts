import {
  EVENT_ID,
  NOT_RESOLVED,
  YAML11_SCHEMA,
  YAMLException,
  boolYaml11Tag,
  constructFromEvents,
  defineScalarTag,
  getScalarValue,
} from 'js-yaml';
import { parseForgiving } from './flow-indent.ts';
import { TreeBuilder, spotFinder } from './yaml-tree.ts';
import type { ParsedEvents } from './flow-indent.ts';
import type { Spot } from './tree.ts';
import type { YamlDocument } from './yaml-tree.ts';

/** What YAML itself has to say, before anybody knows whether the file is one of ours. */
export type YamlFile =
  | { readonly documents: readonly YamlDocument[] }
  | { readonly fault: { readonly spot: Spot; readonly message: string } };

/** Real blueprints nest about 10 deep; Vamp's own parser (SnakeYAML 1.16) had no bound. */
const MAX_DEPTH = 50;
const MAX_CHARACTERS = 1_000_000;

type Event = ParsedEvents['events'][number];
type ScalarEvent = Extract<Event, { readonly type: typeof EVENT_ID.SCALAR }>;

/** SnakeYAML never took `y` and `n` for booleans, whatever YAML 1.1 says. */
const SCHEMA = YAML11_SCHEMA.withTags(
  defineScalarTag<boolean>(boolYaml11Tag.tagName, {
    implicit: true,
    implicitFirstChars: boolYaml11Tag.implicitFirstChars,
    identify: boolYaml11Tag.identify,
    resolve: (source, isExplicit, tagName) =>
      /^[yn]$/i.test(source) ? NOT_RESOLVED : boolYaml11Tag.resolve(source, isExplicit, tagName),
  }),
);

/**
 * Parses a text into documents whose every key and value has its position (ADR 0004). Never throws,
 * and bounded: in characters, depth, aliases, and nodes after aliases are followed.
 */
export function parseYaml(text: string): YamlFile {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (source.length > MAX_CHARACTERS) {
    const message = `the file has ${String(source.length)} characters; at most ${String(MAX_CHARACTERS)} are read`;
    return { fault: { spot: { line: 1, column: 1 }, message } };
  }
  try {
    return { documents: documentsOf(parseForgiving(source, MAX_DEPTH)) };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { line = 0, column = 0 } = (error.mark ?? {}) as { line?: number; column?: number };
    const spot = { line: line + 1, column: column + 1 };
    return { fault: { spot, message: withoutContent(error.reason) } };
  }
}

function documentsOf({ source, events, padding }: ParsedEvents): YamlDocument[] {
  const documents: YamlDocument[] = [];
  const spotAt = spotFinder(source, padding);
  let from = 0;
  let depth = 0;
  for (const [index, event] of events.entries()) {
    if (event.type === EVENT_ID.POP) depth -= 1;
    else if (event.type !== EVENT_ID.SCALAR && event.type !== EVENT_ID.ALIAS) depth += 1;
    if (depth > 0) continue;
    documents.push(documentOf(source, events.slice(from, index + 1), spotAt));
    from = index + 1;
  }
  return documents;
}

function documentOf(
  source: string,
  events: readonly Event[],
  spotAt: (offset: number) => Spot,
): YamlDocument {
  const builder = new TreeBuilder(source, spotAt);
  const values = scalarValues(source, events);
  let next = 0;
  for (const event of events) {
    if (event.type === EVENT_ID.SCALAR) {
      builder.scalar(event, getScalarValue(source, event), values[next]);
      next += 1;
    } else if (event.type === EVENT_ID.ALIAS) builder.alias(event);
    else if (event.type === EVENT_ID.POP) builder.close();
    else if (event.type === EVENT_ID.DOCUMENT) builder.openDocument();
    else builder.openCollection(event, event.type === EVENT_ID.MAPPING ? 'map' : 'list');
  }
  return builder.finish();
}

/**
 * The typed values of all scalars of a document, in their order. The library types values only
 * while it builds whole documents, so it is handed one flat list with nothing but the scalars.
 */
function scalarValues(source: string, events: readonly Event[]): readonly unknown[] {
  const [document] = events;
  if (document === undefined) return [];
  const none = { anchorStart: -1, anchorEnd: -1, tagStart: -1, tagEnd: -1 };
  const scalars = events.filter((event): event is ScalarEvent => event.type === EVENT_ID.SCALAR);
  const list: Event = { type: EVENT_ID.SEQUENCE, start: 0, style: 1, ...none };
  const pop: Event = { type: EVENT_ID.POP };
  const flat = [document, list, ...scalars, pop, pop];
  const [values] = constructFromEvents(flat, { source, schema: SCHEMA });
  return Array.isArray(values) ? values : [];
}

/** The library's reasons without words of the file: an unquoted `*secret` is quoted back by it. */
function withoutContent(reason: string): string {
  if (reason.startsWith('unidentified alias')) {
    return 'an alias names an anchor that does not exist; quote values that start with *';
  }
  if (reason.startsWith('recursive alias')) return 'an alias may not stand inside its own anchor';
  return reason.replace(/[ :]*!<.*$/s, '').replace(/(characters): .*$/s, '$1');
}
