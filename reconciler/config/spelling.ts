/** The known word that a misspelt one most likely means; undefined if none is near. */
export function nearestOf(word: string, known: readonly string[]): string | undefined {
  const asked = folded(word);
  const bound = Math.max(1, Math.floor(asked.length / 3));
  let best: { readonly name: string; readonly edits: number } | undefined;
  for (const name of known) {
    const edits = asked.length > 80 ? Infinity : editsBetween(asked, folded(name));
    if (edits <= bound && edits < (best?.edits ?? Infinity)) best = { name, edits };
  }
  return best?.name;
}

/** People write `stateDir`, `state-dir` and `STATE_DIR` for `state_dir`. */
function folded(word: string): string {
  return word.toLowerCase().replaceAll(/[-_. ]/g, '');
}

function editsBetween(a: string, b: string): number {
  let above: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      line[column] = Math.min(
        (above[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + same,
      );
    }
    above = line;
  }
  return above[b.length] ?? Infinity;
}
