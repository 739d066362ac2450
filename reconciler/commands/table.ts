import { stripVTControlCharacters } from 'node:util';
import { styled } from './terminal.ts';

const GAP = '  ';
/** Shares, counts, `2/3`, times left, and the dash of an empty cell. */
const NUMERIC = /^(?:[\d.,]+(?: ?%|\/\d+)?|(?:\d+[smhd] ?)+|-)?$/;

/**
 * Columns as wide as their widest cell, numbers to the right; cells may be coloured. A column in
 * which every cell is empty is left out. Ends with a newline; no rows give no text at all.
 */
export function renderTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  options: { readonly colour: boolean },
): string {
  if (rows.length === 0) return '';
  const columns = headers
    .map((header, index) => columnOf(header, index, rows))
    .filter((column) => column.isUsed);
  const lines = [
    columns.map((column) => aligned(styled(options, 'dim', column.header), column)),
    ...rows.map((row) => columns.map((column) => aligned(row[column.index] ?? '', column))),
  ];
  return lines.map((cells) => `${cells.join(GAP).trimEnd()}\n`).join('');
}

interface Column {
  readonly index: number;
  readonly header: string;
  readonly width: number;
  readonly isUsed: boolean;
  readonly isNumeric: boolean;
}

function columnOf(header: string, index: number, rows: readonly (readonly string[])[]): Column {
  const cells = rows.map((row) => stripVTControlCharacters(row[index] ?? ''));
  return {
    index,
    header,
    width: Math.max(...[header, ...cells].map((cell) => cell.length)),
    isUsed: cells.some((cell) => cell !== ''),
    isNumeric: cells.every((cell) => NUMERIC.test(cell)),
  };
}

function aligned(cell: string, { width, isNumeric }: Column): string {
  const blanks = ' '.repeat(Math.max(0, width - stripVTControlCharacters(cell).length));
  return isNumeric ? blanks + cell : cell + blanks;
}
