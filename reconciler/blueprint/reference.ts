/**
 * Scans a text for `$` references (vamp-language section 4.1). They are resolved in the next issue;
 * until then only `$$`, a literal `$`, is known.
 */
export type Scanned =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'reference' }
  | { readonly kind: 'unparsable' };

export function scanReferences(text: string): Scanned {
  if (!text.includes('$')) return { kind: 'text', text };
  const rest = text.replaceAll('$$', '');
  if (!rest.includes('$')) return { kind: 'text', text: text.replaceAll('$$', '$') };
  const part = String.raw`[^\s/[\].{}:;,$]`;
  const reference = new RegExp(String.raw`\$(?:${part}|\{\s*${part}[^\s{}$]*\s*\})`, 'g');
  return rest.replaceAll(reference, '').includes('$')
    ? { kind: 'unparsable' }
    : { kind: 'reference' };
}
