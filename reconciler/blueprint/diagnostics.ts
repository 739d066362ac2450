import type { Diagnostic, Position } from '../model/position.ts';
import type { Spot } from './tree.ts';

/** Collects what is found in one file, so that one run reports every fault at once, and once. */
export class Findings {
  readonly #file: string;
  readonly #list: Diagnostic[] = [];

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

  #add(severity: Diagnostic['severity'], found: Found): void {
    const related = found.related.map((spot) => this.positionOf(spot));
    const place = this.positionOf(found.spot);
    const isKnown = this.#list.some(
      ({ line, column, message }) =>
        line === place.line && column === place.column && message === found.message,
    );
    if (isKnown) return;
    this.#list.push({
      ...place,
      severity,
      code: found.code,
      message: found.message,
      ...(related.length > 0 && { related }),
    });
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
