import { shown } from './fields.ts';
import { isNull, textOf } from './tree.ts';
import type { Findings } from './diagnostics.ts';
import type { Entry, Node, Spot } from './tree.ts';

/** A docker parameter, or the word `privileged`. */
export interface Argument {
  readonly key: string;
  readonly value: string;
  readonly spot: Spot;
}

const FORM = 'arguments are a map, or a list of maps with one key each, such as {hostname: web}';

/** `arguments` of a breed or a service, in the order of the text. */
export function readArguments(node: Node, findings: Findings): readonly Argument[] {
  const entries = node.kind === 'map' ? node.entries : entriesOfList(node, findings);
  return entries
    .map((entry) => readArgument(entry, findings))
    .filter((argument): argument is Argument => argument !== undefined);
}

function entriesOfList(node: Node, findings: Findings): readonly Entry[] {
  if (node.kind !== 'list') {
    findings.error(node.spot, 'invalid-argument', FORM);
    return [];
  }
  return node.items.flatMap((item) => {
    if (item.kind === 'map' && item.entries.length === 1) return item.entries;
    findings.error(item.spot, 'invalid-argument', FORM);
    return [];
  });
}

function readArgument({ key, keySpot, value }: Entry, findings: Findings): Argument | undefined {
  if (value.kind !== 'scalar' || isNull(value)) {
    const message = `argument \`${shown(key)}\` must have one value`;
    return findings.error(value.spot, 'invalid-argument', message);
  }
  if (key === 'privileged' && typeof value.value !== 'boolean' && !isTruth(textOf(value))) {
    const message = 'argument `privileged` must be true or false';
    return findings.error(value.spot, 'invalid-argument-value', message);
  }
  return { key, value: textOf(value), spot: keySpot };
}

function isTruth(text: string): boolean {
  return text === 'true' || text === 'false';
}
