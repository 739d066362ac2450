/** Where something stands in a file of the snapshot; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A finding about a blueprint. An `error` makes its file faulty; a `warning` never does. */
export interface Diagnostic extends Position {
  readonly severity: 'error' | 'warning';
  /** Stable kebab-case code, explained in docs/errors.md. */
  readonly code: string;
  readonly message: string;
  /** Other places that belong to it, as the first claim of a port that is claimed twice. */
  readonly related?: readonly Position[];
}
