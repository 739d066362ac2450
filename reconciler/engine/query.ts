import { Refusal } from './refusal.ts';

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

export function one(query: Query, name: string): string | undefined {
  const value = query[name];
  return typeof value === 'object' ? value[0] : value;
}

/** Every value of a parameter that may be repeated. */
export function many(query: Query, name: string): readonly string[] {
  const value = query[name];
  if (value === undefined) return [];
  return typeof value === 'object' ? value : [value];
}

export function flag(query: Query, name: string, fallback: boolean): boolean {
  const value = one(query, name);
  return value === undefined ? fallback : value !== 'false';
}

type Labels = Readonly<Record<string, string>>;
type Claim = (labels: Labels) => boolean;

const KEY = String.raw`((?:[\w.\-/]|\\.)+)`;
const EXISTS = new RegExp(`^${KEY}$`);
const EQUALS = new RegExp(`^${KEY}\\s*(==|!=)\\s*${KEY}$`);
const AMONG = new RegExp(`^${KEY}\\s+(in|notin)\\s*\\(([^)]*)\\)$`);

/** Splits at commas that are neither escaped nor within parentheses. */
function split(text: string): readonly string[] {
  return text.split(/(?<!\\),(?![^(]*\))/).map((part) => part.trim());
}

function plain(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1');
}

function claimOf(text: string): Claim {
  const exists = EXISTS.exec(text);
  if (exists !== null) return (labels) => Object.hasOwn(labels, plain(text));
  const equals = EQUALS.exec(text);
  if (equals !== null) {
    const [, key = '', sign, value = ''] = equals;
    return (labels) => (labels[plain(key)] === plain(value)) === (sign === '==');
  }
  const among = AMONG.exec(text);
  if (among === null) throw new Refusal(422, `Parsing error of label selector: '${text}'`);
  const [, key = '', word, list = ''] = among;
  const values = split(list).map(plain);
  return (labels) => {
    const value = labels[plain(key)];
    return (value !== undefined && values.includes(value)) === (word === 'in');
  };
}

/** Marathon's label selector: `k`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`; comma means and. */
export function labelSelector(text: string): Claim {
  const claims = split(text).map(claimOf);
  return (labels) => claims.every((claim) => claim(labels));
}
