import type { Diagnostic } from '../model/position.ts';
import type { Rollout } from '../model/rollout.ts';
import { Findings } from './diagnostics.ts';
import { readRollout } from './rollout.ts';
import { parseYaml } from './yaml.ts';

/**
 * Reads the default rollout of a source out of the controller's configuration, by the same rules as
 * a block of a blueprint. Undefined where it says nothing.
 */
export function readRolloutDefaults(block: Readonly<Record<string, unknown>>): {
  readonly rollout?: Rollout;
  readonly diagnostics: readonly Diagnostic[];
} {
  if (Object.keys(block).length === 0) return { diagnostics: [] };
  // JSON is YAML, so that one reader serves both.
  const yaml = parseYaml(JSON.stringify(block));
  const root = 'documents' in yaml ? yaml.documents[0]?.root : undefined;
  if (root === undefined) return { diagnostics: [] };
  const findings = new Findings('rollout');
  const read = readRollout(root, findings);
  const diagnostics = findings.all.filter((one) => one.severity === 'error');
  return { ...(read && { rollout: read.rollout }), diagnostics };
}
