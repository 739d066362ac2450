import { shown, unexpectedType } from './fields.ts';
import { listed, suggestion } from '../model/nearest.ts';
import { isNull, textOf } from './tree.ts';
import type { Findings } from './diagnostics.ts';
import type { Reader } from './fields.ts';
import type { Node, Spot } from './tree.ts';

export interface Port {
  readonly number: number;
  readonly protocol: 'http' | 'tcp';
}

/** Any scalar, as text. */
export function readText(node: Node, what: string, findings: Findings): string | undefined {
  if (node.kind === 'scalar' && node.value !== null) return textOf(node);
  return unexpectedType(node, `${what} must be a text`, findings);
}

/** A count of 0 or more; quoted numbers are texts and refused, as Vamp did. */
export function readCount(node: Node, what: string, findings: Findings): number | undefined {
  if (node.kind !== 'scalar' || typeof node.value !== 'number' || !Number.isInteger(node.value)) {
    return unexpectedType(node, `${what} must be a whole number such as 2`, findings);
  }
  if (node.value >= 0) return node.value;
  const message = `${what} must be 0 or more, found ${String(node.value)}`;
  return findings.error(node.spot, 'unexpected-type', message);
}

export function readFlag(node: Node, what: string, findings: Findings): boolean | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
  return unexpectedType(node, `${what} must be true or false`, findings);
}

/** One word of a fixed list. */
export function wordReader<const Word extends string>(words: readonly Word[]): Reader<Word> {
  return (node, what, findings) => {
    const text = node.kind === 'scalar' ? textOf(node) : '';
    const word = words.find((candidate) => candidate === text);
    if (word !== undefined) return word;
    const expected = `${what} must be ${listed(words)}, found ${found(node)}`;
    return findings.error(node.spot, 'unexpected-type', expected + suggestion(text, words));
  };
}

/** Vamp's percentage: `20%`, whole, 0 to 100. */
export function readPercentage(node: Node, what: string, findings: Findings): number | undefined {
  const percent = parsePercentage(node, /^\s*([0-9]{1,3})\s*%\s*$/);
  return percent ?? wrongPercentage(node, `${what} must be a percentage from 0% to 100%`, findings);
}

/** As `readPercentage`, and fractions down to a hundredth: steps of a rollout may be `0.5%`. */
export function readFineShare(node: Node, what: string, findings: Findings): number | undefined {
  const percent = parsePercentage(node, /^\s*([0-9]{1,3}(?:\.[0-9]{1,2})?)\s*%\s*$/);
  return (
    percent ?? wrongPercentage(node, `${what} must be a percentage such as 5% or 0.5%`, findings)
  );
}

function parsePercentage(node: Node, form: RegExp): number | undefined {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') return undefined;
  const percent = Number(form.exec(node.value)?.[1] ?? Number.NaN);
  return percent <= 100 ? percent : undefined;
}

function wrongPercentage(node: Node, expected: string, findings: Findings): undefined {
  const hint =
    node.kind === 'scalar' && typeof node.value === 'number' && node.value <= 100
      ? `; write ${textOf(node)}%`
      : '';
  return findings.error(node.spot, 'unexpected-type', `${expected}, found ${found(node)}${hint}`);
}

const UNITS: Readonly<Record<string, number>> = {
  k: 1 / 1000,
  kb: 1 / 1000,
  ki: 1 / 1024,
  m: 1,
  mb: 1,
  mi: 1.024,
  g: 1000,
  gb: 1000,
};

/** Memory in MB; units as Vamp 1.2.1 counts them (vamp-language section 4). */
export function readMemory(node: Node, what: string, findings: Findings): number | undefined {
  const text = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : '';
  const [, amount = '', unit = ''] =
    /^\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(ki|kb?|mi|mb?|gb?)\s*$/i.exec(text) ?? [];
  if (unit !== '') return Number(amount) * (UNITS[unit.toLowerCase()] ?? 1);
  const expected = `${what} must have a unit, such as 64MB or 1GB`;
  return findings.error(node.spot, 'unexpected-type', `${expected}, found ${found(node)}`);
}

/** Cpu: a number, or thousandths as `100m`. */
export function readCpu(node: Node, what: string, findings: Findings): number | undefined {
  const value = node.kind === 'scalar' ? node.value : null;
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value;
  const text = typeof value === 'string' ? value : '';
  const [, amount, milli] = /^\s*([0-9]+\.?[0-9]*|\.[0-9]+)(m?)\s*$/i.exec(text) ?? [];
  if (amount !== undefined) return milli === '' ? Number(amount) : Number(amount) / 1000;
  const expected = `${what} must be a number of cores such as 0.5, or 500m`;
  return findings.error(node.spot, 'unexpected-type', `${expected}, found ${found(node)}`);
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** A time in milliseconds: `30s`, `10m`, `1h` and Vamp's longer names of those units. */
export function readTime(node: Node, what: string, findings: Findings): number | undefined {
  const text = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : '';
  const form = /^([0-9]{1,9})(s|sec|seconds?|m|min|minutes?|h|hrs|hours?)$/;
  const [, amount = '', unit = ''] = form.exec(text) ?? [];
  if (unit !== '') return Number(amount) * (SECONDS[unit.charAt(0)] ?? 1) * 1000;
  const expected = `${what} must be a time such as 30s, 10m or 1h`;
  return findings.error(node.spot, 'unexpected-type', `${expected}, found ${found(node)}`);
}

/**
 * A port value of a breed: `8080`, `8080/http`, `8080/tcp`. Vamp took whatever else for number 0
 * in silence; here that is an error.
 */
export function readPort(node: Node, what: string, findings: Findings): Port | undefined {
  const text = node.kind === 'scalar' && !isNull(node) ? textOf(node) : '';
  const port = parsePort(text);
  if (port !== undefined) return port;
  const expected = `${what} must be a port such as 8080, 8080/http or 8080/tcp`;
  return findings.error(node.spot, 'unexpected-type', `${expected}, found ${found(node)}`);
}

/** The port that a gateway listens on: a fixed number is its identity, so 0 is refused. */
export function readGatewayPort(text: string, spot: Spot, findings: Findings): Port | undefined {
  const port = parsePort(text);
  if (port !== undefined && port.number > 0) return port;
  const zero = port === undefined ? '' : '; a port that is chosen by Sluice is not built yet';
  const expected = 'a gateway port is a number from 1 to 65535, or as 8080/tcp';
  const message = `${expected}, found \`${shown(text)}\`${zero}`;
  return findings.error(spot, 'invalid-gateway-port', message);
}

function parsePort(text: string): Port | undefined {
  const [, digits, type = 'http'] = /^\s*([0-9]{1,5})(?:\/(http|tcp))?\s*$/i.exec(text) ?? [];
  const number = Number(digits ?? Number.NaN);
  if (!(number <= 65_535)) return undefined;
  return { number, protocol: type.toLowerCase() === 'tcp' ? 'tcp' : 'http' };
}

/** A value of a field that never holds a secret. */
function found(node: Node): string {
  if (node.kind !== 'scalar') return `a ${node.kind}`;
  return node.value === null ? 'nothing' : `\`${shown(node.source)}\``;
}

/** Artifact, cluster and breed names: no white space, no `/ [ ]` (vamp-language section 2). */
export function isName(text: string): boolean {
  return /^[^\s/[\]]+$/.test(text);
}

export function checkName(text: string, spot: Spot, findings: Findings): void {
  if (isName(text)) return;
  const message = `\`${shown(text)}\` is not a name; names have no blanks and none of / [ ]`;
  findings.error(spot, 'illegal-name', message);
}

/** Port and constant names have no dot either. */
export function checkStrictName(text: string, spot: Spot, findings: Findings): void {
  if (isName(text) && !text.includes('.')) return;
  const message = `\`${shown(text)}\` is not a name; such names have no blanks and none of / [ ] .`;
  findings.error(spot, 'illegal-strict-name', message);
}
