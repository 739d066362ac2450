/**
 * JSON text with the keys of every object in order and without undefined: one text for one value.
 * Digests are made of it, so it never changes (the order is that of UTF-16 code units).
 */
export function stableText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const rows = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${JSON.stringify(key)}:${stableText(inner)}`);
  return `{${rows.join(',')}}`;
}
