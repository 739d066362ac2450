import { stripVTControlCharacters, styleText } from 'node:util';
import { describe, expect, it } from 'vitest';
import { renderTable } from '../../reconciler/commands/table.ts';
import {
  counted,
  duration,
  indented,
  localTime,
  printable,
  shortRevision,
} from '../../reconciler/commands/text.ts';

const PLAIN = { colour: false };

describe('a table', () => {
  it('has columns as wide as their widest cell, and numbers to the right', () => {
    const rows = [
      ['web:1.0', '2/2', '80 %', '1m 05s', 'fine'],
      ['web:1.1-long', '10/10', '5 %', '3s', ''],
      ['x', '-', '', '-', 'odd'],
    ];
    expect(renderTable(['version', 'ready', 'share', 'left', 'note'], rows, PLAIN))
      .toMatchInlineSnapshot(`
        "version       ready  share    left  note
        web:1.0         2/2   80 %  1m 05s  fine
        web:1.1-long  10/10    5 %      3s
        x                 -              -  odd
        "
      `);
  });

  it('leaves out columns in which nothing stands, and is nothing without rows', () => {
    expect(renderTable(['a', 'empty', 'b'], [['x', '', 'y'], ['x'], ['x', '', 'z']], PLAIN))
      .toMatchInlineSnapshot(`
        "a  b
        x  y
        x
        x  z
        "
      `);
    expect(renderTable(['a'], [], PLAIN)).toBe('');
  });

  it('is laid out alike with and without colours', () => {
    const green = styleText('green', '80 %', { validateStream: false });
    const coloured = renderTable(
      ['share', 'b'],
      [
        [green, 'x'],
        ['5 %', 'y'],
      ],
      { colour: true },
    );
    const plain = renderTable(
      ['share', 'b'],
      [
        ['80 %', 'x'],
        ['5 %', 'y'],
      ],
      PLAIN,
    );
    expect(coloured).toContain(green);
    expect(stripVTControlCharacters(coloured)).toBe(plain);
  });
});

describe('texts', () => {
  it.each([
    [-5_000, '0s'],
    [1, '1s'],
    [59_000, '59s'],
    [60_000, '1m 00s'],
    [185_000, '3m 05s'],
    [3_600_000, '1h 00m'],
    [7_860_000, '2h 11m'],
    [356_400_000, '4d 3h'],
  ])('%d ms are %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  it.each([
    ['Europe/Berlin', '2026-11-21T08:05:09+01:00'],
    ['Asia/Kolkata', '2026-11-21T12:35:09+05:30'],
    ['America/New_York', '2026-11-21T02:05:09-05:00'],
    ['UTC', '2026-11-21T07:05:09Z'],
  ])('time in %s is %s', (zone, text) => {
    expect(localTime(Date.UTC(2026, 10, 21, 7, 5, 9, 999), zone)).toBe(text);
  });

  it('are shortened, counted, moved and freed of what moves the cursor', () => {
    expect([
      shortRevision('1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d5e6f1a2b'),
      shortRevision('v1.0'),
      counted(1, 'app'),
      counted(0, 'app'),
      indented('a\n\nb\n', 2),
      printable('\u001B[2Jred\r\nnext \u202E.'),
    ]).toEqual(['1a2b3c4d', 'v1.0', '1 app', '0 apps', '  a\n\n  b\n', 'red next  .']);
  });
});
