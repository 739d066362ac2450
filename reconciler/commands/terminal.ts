import { styleText } from 'node:util';

/** Where a command writes, and what it may assume of who reads. */
export interface Terminal {
  /** Results. */
  out(text: string): void;
  /** Errors and progress. */
  err(text: string): void;
  /** True only where results go to a terminal. */
  readonly colour: boolean;
  readonly json: boolean;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** 0 fine or no difference, 1 difference or not converged, 2 error: as kubectl diff has it. */
export type ExitStatus = 0 | 1 | 2;

type Style = Parameters<typeof styleText>[0];

/** Styled where the terminal can show it, plain elsewhere. */
export function styled(terminal: Pick<Terminal, 'colour'>, style: Style, text: string): string {
  return terminal.colour ? styleText(style, text, { validateStream: false }) : text;
}
