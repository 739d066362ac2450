/** A place in a text; both count from 1, columns in UTF-16 code units. */
export interface Spot {
  readonly line: number;
  readonly column: number;
}

/** A YAML value that knows where it stands. An alias is the node that it names, at the anchor. */
export type Node = ScalarNode | MapNode | ListNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  /** Typed as YAML 1.1 has it; a date stays the text that was written. */
  readonly value: null | boolean | number | string;
  /** The text as it was written, without quotes. */
  readonly source: string;
  readonly spot: Spot;
}

export interface MapNode {
  readonly kind: 'map';
  /** In the order of the text; every key once. */
  readonly entries: readonly Entry[];
  readonly spot: Spot;
}

export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly Node[];
  readonly spot: Spot;
}

export interface Entry {
  readonly key: string;
  readonly keySpot: Spot;
  readonly value: Node;
}

export function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/**
 * The text of a scalar where a text is wanted. Vamp read typed values and printed them as Java does
 * (`1.10` became `1.1`, `on` became `true`): vamp-language section 1.
 */
export function textOf(node: ScalarNode): string {
  const { value, source } = node;
  if (typeof value !== 'number') return String(value ?? 'null');
  if (/^[-+]?[1-9][0-9]*$/.test(source)) return source.replace('+', '');
  if (Number.isInteger(value) && source.includes('.')) return `${String(value)}.0`;
  return String(value);
}

/** The key of an entry: scalars as text, a flow list such as `[10.0.0.1:8080]` as Java prints it. */
export function keyTextOf(node: Node): string | undefined {
  if (node.kind === 'scalar') return textOf(node);
  if (node.kind === 'map') return undefined;
  const parts = node.items.map(keyTextOf);
  return parts.includes(undefined) ? undefined : `[${parts.join(', ')}]`;
}
