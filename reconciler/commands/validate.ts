import type { Diagnostic } from '../model/position.ts';
import { printable } from './text.ts';

/**
 * Findings about blueprints, in the order given: `file:line:column: severity code: message` lines,
 * or a JSON list of `{file, line, column, severity, code, message, related?}`. Ends with a newline;
 * nothing found is no text, and `[]` in JSON.
 */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  format: 'text' | 'json',
): string {
  if (format === 'json') return `${JSON.stringify(diagnostics.map(asJson), null, 2)}\n`;
  return diagnostics.map((diagnostic) => `${asText(diagnostic)}\n`).join('');
}

function asText(diagnostic: Diagnostic): string {
  const { severity, code, message, related = [] } = diagnostic;
  const isNamed = related.some(({ file, line, column }) =>
    message.includes(`${file}:${String(line)}:${String(column)}`),
  );
  const lines = [
    `${place(diagnostic)}: ${severity} ${code}: ${printable(message)}`,
    // A message that names its places, or the first of many, says enough.
    ...(isNamed ? [] : related).map((position) => `  see ${place(position)}`),
  ];
  return lines.join('\n');
}

/** Only what is documented, in the documented order, whatever else an object carries. */
function asJson(diagnostic: Diagnostic): object {
  const { file, line, column, severity, code, message, related = [] } = diagnostic;
  return {
    file,
    line,
    column,
    severity,
    code,
    message,
    ...(related.length > 0 && {
      related: related.map(({ file, line, column }) => ({ file, line, column })),
    }),
  };
}

function place({ file, line, column }: Pick<Diagnostic, 'file' | 'line' | 'column'>): string {
  return `${printable(file)}:${String(line)}:${String(column)}`;
}
