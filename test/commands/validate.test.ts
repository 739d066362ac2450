import { describe, expect, it } from 'vitest';
import { renderDiagnostics } from '../../reconciler/commands/validate.ts';
import type { Diagnostic } from '../../reconciler/model/position.ts';

const FOUND: readonly Diagnostic[] = [
  {
    file: 'shop.yml',
    line: 7,
    column: 3,
    severity: 'error',
    code: 'unexpected-element',
    message: 'a breed has no key `deployble`; did you mean `deployable`?',
  },
  {
    file: 'cart.yml',
    line: 2,
    column: 1,
    severity: 'warning',
    code: 'port-claimed',
    message: 'port 80\nis claimed twice',
    related: [{ file: 'shop.yml', line: 1, column: 1 }],
  },
];

describe('diagnostics', () => {
  it('are lines that editors can jump from', () => {
    expect(renderDiagnostics(FOUND, 'text')).toBe(
      `shop.yml:7:3: error unexpected-element: a breed has no key \`deployble\`; did you mean \`deployable\`?
cart.yml:2:1: warning port-claimed: port 80 is claimed twice
  see shop.yml:1:1
`,
    );
  });

  it('are a list of what is documented in JSON', () => {
    const more = FOUND.map((one) => ({ ...one, internal: true }));
    expect(JSON.parse(renderDiagnostics(more, 'json'))).toEqual(FOUND);
    expect(Object.keys(JSON.parse(renderDiagnostics(FOUND, 'json'))[0])).toEqual([
      'file',
      'line',
      'column',
      'severity',
      'code',
      'message',
    ]);
  });

  it('do not list places that the message names', () => {
    const [finding] = FOUND.slice(1);
    const message = 'gateway port 80 is claimed here and at shop.yml:1:1 and 7 more places';
    expect(renderDiagnostics([{ ...finding!, message }], 'text')).toBe(
      `cart.yml:2:1: warning port-claimed: ${message}\n`,
    );
  });

  it('say nothing where nothing was found', () => {
    expect([renderDiagnostics([], 'text'), renderDiagnostics([], 'json')]).toEqual(['', '[]\n']);
  });
});
