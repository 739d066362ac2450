import { YAMLException, parseEvents } from 'js-yaml';

export interface ParsedEvents {
  /** The text that the offsets of the events are about: padded, with the lines of the original. */
  readonly source: string;
  readonly events: ReturnType<typeof parseEvents>;
  /** By line, from 0: blanks that were put before it. */
  readonly padding: ReadonlyMap<number, number>;
}

/** More than the depth of any flow collection that a person writes. */
const PAD = 100;
const MAX_PADDED_LINES = 100;
/** Characters that are parsed once more for it, in all. */
const MAX_REPARSED = 10_000_000;

/**
 * Parses events, and forgives a closing bracket at the indent of its key:
 *
 *     constraints: [
 *       [hostname, UNIQUE]
 *     ]
 *
 * YAML 1.2 and so js-yaml refuse that, while SnakeYAML, which read every blueprint so far, takes
 * it. Blanks at the start of a line within brackets or quotes mean nothing, so such lines are
 * pushed to the right until they parse. Throws what js-yaml throws.
 */
export function parseForgiving(text: string, maxDepth: number): ParsedEvents {
  const padding = new Map<number, number>();
  let lines: string[] | undefined;
  let source = text;
  for (;;) {
    try {
      return { source, events: parseEvents(source, { maxDepth }), padding };
    } catch (error) {
      const line = deficientLine(error);
      lines ??= text.split(/(?<=\r\n|\n|\r(?!\n))/);
      const content = line === undefined ? undefined : lines[line];
      const isMarker = content !== undefined && /^(?:---|\.\.\.)/.test(content);
      if (line === undefined || content === undefined || isMarker || padding.has(line)) {
        throw unpadded(error, padding);
      }
      const most = Math.min(MAX_PADDED_LINES, MAX_REPARSED / source.length);
      if (padding.size >= most) throw unpadded(error, padding);
      padding.set(line, PAD);
      lines[line] = ' '.repeat(PAD) + content;
      source = lines.join('');
    }
  }
}

function deficientLine(error: unknown): number | undefined {
  if (!(error instanceof YAMLException) || error.reason !== 'deficient indentation')
    return undefined;
  return error.mark?.line;
}

/** The same fault at the place in the original text. */
function unpadded(error: unknown, padding: ReadonlyMap<number, number>): unknown {
  if (!(error instanceof YAMLException) || error.mark === undefined) return error;
  const pad = padding.get(error.mark.line) ?? 0;
  error.mark.column = Math.max(error.mark.column - pad, 0);
  return error;
}
