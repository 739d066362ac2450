/** The candidate that a misspelt word most likely means; at most every third letter is wrong. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const asked = fold(word);
  if (asked.length > 80) return undefined;
  const bound = Math.floor(asked.length / 3);
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of candidates) {
    const distance = editDistance(asked, fold(name));
    if (distance <= bound && distance < (best?.distance ?? Infinity)) best = { name, distance };
  }
  return best?.name;
}

/** ` (did you mean \`x\`?)`, or nothing. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const name = nearest(word, candidates);
  return name === undefined ? '' : `; did you mean \`${name}\`?`;
}

/** ``one of `a`, `b` and `c` `` for messages. */
export function listed(names: readonly string[]): string {
  const quoted = names.map((name) => `\`${name}\``);
  const last = quoted.pop() ?? 'nothing';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll(/[-_. ]/g, '');
}

/** Edits with adjacent swaps: `breeed` and `bered` are both one edit away from `breed`. */
function editDistance(a: string, b: string): number {
  let beforePrevious: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = a.slice(i - 2, i) === `${b[j - 1] ?? ''}${b[j - 2] ?? ''}`;
      const swap = swapped && i > 1 && j > 1 ? at(beforePrevious, j - 2) + 1 : Infinity;
      current[j] = Math.min(at(previous, j) + 1, at(current, j - 1) + 1, change, swap);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? 0;
}
