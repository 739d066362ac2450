import { artifactOf, flattened } from './artifact.ts';
import { assemble, conflicts } from './assembly.ts';
import { compileBlueprint, warnNotActedOn } from './blueprint.ts';
import { Findings, inOrder, isFaulty } from './diagnostics.ts';
import { readGateway } from './gateway.ts';
import { DEFAULT_ROLLOUT } from './rollout.ts';
import { notBuiltYet } from './unbuilt.ts';
import { parseYaml } from './yaml.ts';
import type { Desired, DesiredDeployment, DesiredGateway } from '../model/desired.ts';
import type { Diagnostic } from '../model/position.ts';
import type { Rollout } from '../model/rollout.ts';
import type { Snapshot, SnapshotFile } from '../model/snapshot.ts';
import type { Artifact } from './artifact.ts';
import type { YamlDocument } from './yaml-tree.ts';

export { assemble } from './assembly.ts';
export type { Assembly } from './assembly.ts';

export interface CompileOptions {
  /** First segment or segments of app ids; `sluice` by default. */
  readonly prefix?: string;
  /** In force where no block of the file is nearer: the source's default of `sluice.yml`. */
  readonly rollout?: Rollout;
  /** What the gateways can do; without it, everything that is built. */
  readonly abilities?: { readonly protocols: readonly ('http' | 'tcp')[] };
}

export interface CompiledFile {
  readonly path: string;
  /** `foreign`: nothing in it is ours. `unreadable`: not YAML, so nobody can tell. */
  readonly kind: 'blueprint' | 'gateway' | 'several' | 'foreign' | 'unreadable';
  /** Empty while the file is faulty: half a file is never acted on. */
  readonly deployments: readonly DesiredDeployment[];
  readonly gateways: readonly DesiredGateway[];
  readonly diagnostics: readonly Diagnostic[];
  readonly faulty: boolean;
}

export interface Compilation {
  readonly desired: Desired;
  /** Of all files and between them, by file and line. */
  readonly diagnostics: readonly Diagnostic[];
  readonly faultyFiles: readonly string[];
  readonly files: readonly CompiledFile[];
}

/** Compiles all files of one commit. Pure: the same snapshot, the same answer. */
export function compile(snapshot: Snapshot, options: CompileOptions = {}): Compilation {
  const files = snapshot.files.map((file) => compileFile(file, snapshot.revision, options));
  const assembly = assemble(files);
  const own = files.flatMap((file) => file.diagnostics);
  return { ...assembly, diagnostics: inOrder([...own, ...assembly.diagnostics]), files };
}

/**
 * Compiles one file; never throws, whatever is in it. A file that does not end in `.yml`, `.yaml`
 * or `.json` is foreign, and so is JSON that is none: other tools allow comments there.
 */
export function compileFile(
  file: SnapshotFile,
  revision: string,
  options: CompileOptions = {},
): CompiledFile {
  const { path, text } = file;
  const nothing = { path, deployments: [], gateways: [], diagnostics: [], faulty: false } as const;
  const ending = /\.(?:ya?ml|json)$/i.exec(path)?.[0].toLowerCase();
  if (ending === undefined) return { ...nothing, kind: 'foreign' };
  const yaml = parseYaml(text);
  if ('documents' in yaml) return compileDocuments(yaml.documents, { path, revision, options });
  if (ending === '.json') return { ...nothing, kind: 'foreign' };
  const findings = new Findings(path);
  findings.error(yaml.fault.spot, 'yaml-parsing', `this is not YAML: ${yaml.fault.message}`);
  return { ...nothing, kind: 'unreadable', diagnostics: findings.all, faulty: true };
}

interface Task {
  readonly path: string;
  readonly revision: string;
  readonly options: CompileOptions;
}

interface Output {
  readonly deployments: DesiredDeployment[];
  readonly gateways: DesiredGateway[];
}

function compileDocuments(documents: readonly YamlDocument[], task: Task): CompiledFile {
  const found: Diagnostic[] = [];
  const output: Output = { deployments: [], gateways: [] };
  const kinds: Artifact['kind'][] = [];
  for (const document of documents) {
    const artifacts = flattened(document.root).map(artifactOf);
    const ours = artifacts.filter(({ kind }) => kind !== 'foreign');
    kinds.push(...ours.map(({ kind }) => kind));
    if (ours.length > 0) found.push(...notesOf(document, task.path));
    for (const artifact of ours) {
      const findings = new Findings(task.path);
      compileArtifact(artifact, { task, findings, output });
      found.push(...findings.all);
    }
  }
  const between = conflicts([output]).diagnostics;
  const diagnostics = inOrder([...found, ...between]);
  const faulty = isFaulty(diagnostics);
  const { deployments, gateways } = faulty ? { deployments: [], gateways: [] } : output;
  return { path: task.path, kind: kindOf(kinds), deployments, gateways, diagnostics, faulty };
}

function kindOf(kinds: readonly Artifact['kind'][]): CompiledFile['kind'] {
  const [first, ...more] = new Set(kinds);
  if (first === undefined) return 'foreign';
  return (first === 'blueprint' || first === 'gateway') && more.length === 0 ? first : 'several';
}

function notesOf(document: YamlDocument, path: string): readonly Diagnostic[] {
  const findings = new Findings(path);
  for (const { severity, spot, code, message, related } of document.notes) {
    findings[severity](spot, code, message, related);
  }
  return findings.all;
}

function compileArtifact(
  artifact: Artifact,
  into: { readonly task: Task; readonly findings: Findings; readonly output: Output },
): void {
  const { task, findings, output } = into;
  const { prefix = 'sluice', rollout = DEFAULT_ROLLOUT } = task.options;
  switch (artifact.kind) {
    case 'blueprint': {
      const context = { revision: task.revision, prefix, rollout };
      const compiled = compileBlueprint(artifact.node, context, findings);
      if (compiled === undefined) return;
      output.deployments.push(compiled.deployment);
      for (const gateway of compiled.gateways) addGateway(gateway, into);
      return;
    }
    case 'gateway': {
      const gateway = readGateway(artifact.node, rollout, findings);
      if (gateway !== undefined) addGateway(gateway, into);
      return;
    }
    case 'unbuilt': {
      const what = `documents of kind \`${artifact.name}\` are`;
      notBuiltYet(artifact.spot, what, 'write it inside a blueprint', findings);
      return;
    }
    case 'idle':
      warnNotActedOn(artifact.name, artifact.spot, findings);
      return;
    case 'misspelt':
      findings.error(artifact.spot, 'inconsistent-artifact-kind', artifact.message);
      return;
    case 'foreign':
      return;
  }
}

function addGateway(
  gateway: DesiredGateway,
  into: { readonly task: Task; readonly findings: Findings; readonly output: Output },
): void {
  const { protocols } = into.task.options.abilities ?? {};
  if (protocols !== undefined && !protocols.includes(gateway.protocol)) {
    const what = `${gateway.protocol} gateways are, for the gateways that are configured,`;
    notBuiltYet(gateway.origin, what, `they route ${protocols.join(' and ')}`, into.findings);
  }
  into.output.gateways.push(gateway);
}
