import { entriesOf, shown } from './fields.ts';
import { scanReferences } from './reference.ts';
import { isNull, textOf } from './tree.ts';
import { notBuiltYet } from './unbuilt.ts';
import { isName } from './values.ts';
import type { Findings } from './diagnostics.ts';
import type { Entry, ScalarNode, Spot } from './tree.ts';

export interface Variable {
  readonly name: string;
  /** What the container sees: the `ALIAS` of `NAME[ALIAS]`, else the name. */
  readonly alias: string;
  /** Undefined: the placeholder `~`, to be filled by the service or the blueprint. */
  readonly value: string | undefined;
  readonly spot: Spot;
}

/** An `environment_variables` map. `what` is for messages: `environment variables of a breed`. */
export function readEnvironment(entry: Entry, what: string, findings: Findings): Variable[] {
  return entriesOf(entry.value, what, findings)
    .map((item) => readVariable(item, findings))
    .filter((variable): variable is Variable => variable !== undefined);
}

function readVariable({ key, keySpot, value }: Entry, findings: Findings): Variable | undefined {
  const [, name = '', alias] = /^([^[\]]*)(?:\[([^[\]]+)\])?$/.exec(key) ?? [];
  if (!isName(name)) {
    const message = `\`${shown(key)}\` is not a name; names have no blanks and none of / [ ]`;
    return findings.error(keySpot, 'illegal-name', message);
  }
  const seen = { name, alias: alias ?? name, spot: keySpot };
  if (isNull(value)) return { ...seen, value: undefined };
  const text = readTraitText(`variable \`${name}\``, value, findings);
  return text === undefined ? undefined : { ...seen, value: text };
}

/**
 * The text of a variable or constant. Values are never shown: any of them may be a secret.
 */
export function readTraitText(
  what: string,
  node: Entry['value'],
  findings: Findings,
): string | undefined {
  if (node.kind !== 'scalar') {
    const message = `${what} must be one value, found a ${node.kind}`;
    const code = node.kind === 'list' ? 'malformed-trait' : 'unexpected-element';
    return findings.error(node.spot, code, message);
  }
  const text = textOf(node);
  warnAboutTyping(what, node, text, findings);
  const scanned = scanReferences(text);
  if (scanned.kind === 'text') return scanned.text;
  if (scanned.kind === 'reference') {
    const instead = 'write the value itself, or $$ for a literal $';
    return notBuiltYet(node.spot, `$ references, as in ${what}, are`, instead, findings);
  }
  const message = `${what} has a $ that is no reference; write $$ for a literal $`;
  return findings.error(node.spot, 'parser', message);
}

/** Vamp passed `1.10` on as `1.1` and `on` as `true`; so do we, but not in silence. */
function warnAboutTyping(what: string, node: ScalarNode, text: string, findings: Findings): void {
  if (text === node.source) return;
  const kind = typeof node.value === 'boolean' ? 'a boolean' : 'a number';
  const message = `YAML reads ${what} as ${kind}, so the text that arrives is not the one written here; put it in quotes`;
  findings.warning(node.spot, 'retyped-text', message);
}
