import { shown } from './fields.ts';
import { nearest } from '../model/nearest.ts';
import { textOf } from './tree.ts';
import type { Entry, MapNode, Node, Spot } from './tree.ts';

/** What one document is, before anything of it is read. */
export type Artifact =
  | { readonly kind: 'blueprint' | 'gateway'; readonly node: MapNode }
  | { readonly kind: 'foreign' }
  /** Ours in Vamp's language, and nothing that Sluice compiles yet. */
  | { readonly kind: 'unbuilt' | 'idle'; readonly name: string; readonly spot: Spot }
  | { readonly kind: 'misspelt'; readonly spot: Spot; readonly message: string };

const COMPILED = ['blueprint', 'gateway'] as const;

/** Kinds of Vamp and our `rollouts`; refused as documents until the next issue. */
const UNBUILT = [
  'breed',
  'scale',
  'route',
  'condition',
  'rewrite',
  'template',
  'deployment',
  'rollout',
];

/** Design section 7: these warn, and nothing else is read over. */
const IDLE = ['sla', 'escalation', 'workflow'];

const FOREIGN: Artifact = { kind: 'foreign' };

/** A stream is flattened: a list of artifacts counts as that many documents (vamp-language 1). */
export function flattened(root: Node): readonly Node[] {
  return root.kind === 'list' ? root.items.flatMap(flattened) : [root];
}

/**
 * Says what a document is, by `kind` or else by its shape. Files of other tools lie in the same
 * repositories and are left alone; what is nearly ours is a mistake and is told.
 */
export function artifactOf(node: Node): Artifact {
  if (node.kind !== 'map') return FOREIGN;
  const kind = entryOf(node, 'kind');
  if (kind !== undefined && kind.value.kind === 'scalar' && kind.value.value !== null) {
    return byKind(node, textOf(kind.value), kind.value.spot);
  }
  return byShape(node);
}

function byKind(node: MapNode, kind: string, spot: Spot): Artifact {
  // Kubernetes: `kind: Deployment` with an `apiVersion`. Vamp never had that key.
  if (entryOf(node, 'apiVersion') !== undefined) return FOREIGN;
  const singular = kind.endsWith('s') ? kind.slice(0, -1) : kind;
  const compiled = COMPILED.find((name) => name === singular);
  if (compiled !== undefined) return { kind: compiled, node };
  if (UNBUILT.includes(singular)) return { kind: 'unbuilt', name: kind, spot };
  if (IDLE.includes(singular)) return { kind: 'idle', name: kind, spot };
  const names = [...COMPILED, ...UNBUILT, ...IDLE].flatMap((name) => [name, `${name}s`]);
  const meant = nearest(kind, names);
  if (meant === undefined && !looksLikeOurs(node)) return FOREIGN;
  const hint = meant === undefined ? 'blueprint or gateway' : `did you mean \`${meant}\`?`;
  return { kind: 'misspelt', spot, message: `there is no kind \`${shown(kind)}\`; ${hint}` };
}

function byShape(node: MapNode): Artifact {
  if (isFeature(entryOf(node, 'clusters')) && looksLikeBlueprint(node)) {
    return { kind: 'blueprint', node };
  }
  if (looksLikeGateway(node)) {
    return { kind: 'gateway', node };
  }
  const name = entryOf(node, 'name');
  const deployable = entryOf(node, 'deployable');
  if (name !== undefined && deployable !== undefined) {
    return { kind: 'unbuilt', name: 'breeds', spot: deployable.keySpot };
  }
  if (name === undefined || entryOf(node, 'apiVersion') !== undefined) return FOREIGN;
  const near = node.entries.find(
    ({ key, value }) => isNear(key, 'clusters') && value.kind === 'map',
  );
  if (near !== undefined) return { kind: 'blueprint', node };
  const nearRoutes = node.entries.some(({ key }) => isNear(key, 'routes'));
  const port = entryOf(node, 'port');
  return nearRoutes && port !== undefined ? { kind: 'gateway', node } : FOREIGN;
}

function looksLikeOurs(node: MapNode): boolean {
  return looksLikeBlueprint(node) && entryOf(node, 'clusters') !== undefined;
}

/** Other tools have `clusters` too (kubeconfig: a list with `contexts` and `users`). */
function looksLikeBlueprint(node: MapNode): boolean {
  return ['apiVersion', 'contexts', 'static_resources'].every(
    (key) => entryOf(node, key) === undefined,
  );
}

/** `routes` beside a port or name, or both of these beside what only gateways have. */
function looksLikeGateway(node: MapNode): boolean {
  const has = (key: string): boolean => entryOf(node, key) !== undefined;
  if (has('apiVersion')) return false;
  if (has('routes')) return has('port') || has('name');
  return has('port') && has('name') && (has('sticky') || has('virtual_hosts') || has('selector'));
}

function isFeature(entry: Entry | undefined): boolean {
  return entry !== undefined && entry.value.kind !== 'list';
}

function isNear(key: string, word: string): boolean {
  return key !== word && nearest(key, [word]) !== undefined;
}

function entryOf(node: MapNode, key: string): Entry | undefined {
  return node.entries.find((entry) => entry.key === key);
}
