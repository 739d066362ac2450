import type { Diagnostic, Position } from '../model/position.ts';
import type { Spot } from './tree.ts';

/** Nobody reads more at once; a hostile document would have one on every line. */
const MAX_FINDINGS = 500;

/** Collects what is found in one file, so that one run reports every fault at once, and once. */
export class Findings {
  readonly #file: string;
  readonly #list: Diagnostic[] = [];
  readonly #known = new Set<string>();

  constructor(file: string) {
    this.#file = file;
  }

  error(spot: Spot, code: string, message: string, related: readonly Spot[] = []): undefined {
    this.#add('error', { spot, code, message, related });
  }

  warning(spot: Spot, code: string, message: string, related: readonly Spot[] = []): undefined {
    this.#add('warning', { spot, code, message, related });
  }

  positionOf(spot: Spot): Position {
    return { file: this.#file, line: spot.line, column: spot.column };
  }

  get all(): readonly Diagnostic[] {
    return inOrder(this.#list);
  }

  get faulty(): boolean {
    return isFaulty(this.#list);
  }

  /** Nothing more is taken, so nothing more need be worked out. */
  get full(): boolean {
    return this.#known.size > MAX_FINDINGS;
  }

  #add(severity: Diagnostic['severity'], found: Found): void {
    const { spot, code, message } = found;
    const id = `${String(spot.line)}:${String(spot.column)} ${message}`;
    if (this.full || this.#known.has(id)) return;
    this.#known.add(id);
    const related = found.related.map((place) => this.positionOf(place));
    const diagnostic = { ...this.positionOf(spot), severity, code, message };
    this.#list.push({ ...diagnostic, ...(related.length > 0 && { related }) });
    if (!this.full) return;
    const more = 'there is more to find in this document; mend what is listed first';
    this.#list.push({ ...diagnostic, severity: 'error', code: 'too-many-findings', message: more });
  }
}

interface Found {
  readonly spot: Spot;
  readonly code: string;
  readonly message: string;
  readonly related: readonly Spot[];
}

export function isFaulty(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error');
}

/** By file, line and column; several at one place stay in the order in which they were found. */
export function inOrder(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.toSorted(
    (a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column,
  );
}

/**
 * `shop.yml:7:3: error unexpected-element: ...`, and one indented line for each related place. The
 * objects themselves are the JSON form.
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { severity, code, message, related = [] } = diagnostic;
  const first = `${formatPosition(diagnostic)}: ${severity} ${code}: ${message}`;
  return [first, ...related.map((place) => `  see ${formatPosition(place)}`)].join('\n');
}

export function formatPosition(place: Position): string {
  return `${place.file}:${String(place.line)}:${String(place.column)}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
