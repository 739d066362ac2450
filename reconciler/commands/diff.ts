import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { compile } from '../blueprint/compile.ts';
import type { Compilation } from '../blueprint/compile.ts';
import { isFaulty } from '../blueprint/diagnostics.ts';
import { openDrivers } from '../drivers.ts';
import { DriverError } from '../errors.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { NodeView } from '../model/split.ts';
import { asLive } from '../plan/as-live.ts';
import type { Diff } from '../plan/diff.ts';
import { diff } from '../plan/diff.ts';
import type { RunContext } from './run.ts';
import { renderTable } from './table.ts';
import type { ExitStatus, Terminal } from './terminal.ts';
import { styled } from './terminal.ts';
import { renderDiagnostics } from './validate.ts';

export interface DiffOptions {
  /** Compared with; undefined: what is live. */
  readonly from: string | undefined;
  /** Revision; undefined: head of the source. */
  readonly to: string | undefined;
  /** A folder of blueprints on this disk, instead of a revision. */
  readonly local: string | undefined;
}

/** `sluice diff`: what git asks for against what is live, or against another revision. */
export async function diffCommand(context: RunContext, options: DiffOptions): Promise<ExitStatus> {
  const { terminal, config } = context;
  const drivers = openDrivers(config, context.environment);
  const view =
    options.local !== undefined && options.from === undefined
      ? undefined
      : await drivers.source.poll(terminal.signal);
  const read = async (revision: string | undefined): Promise<Compilation> => {
    const wanted = revision ?? view?.revision;
    if (wanted === undefined) {
      throw new DriverError(view?.code ?? 'remote-down', view?.message ?? 'no revision is known', {
        retry: 'soon',
      });
    }
    return compile(await drivers.source.snapshot(wanted, terminal.signal), drivers.compile);
  };
  const to =
    options.local === undefined
      ? await read(options.to)
      : compile(localSnapshot(options.local), drivers.compile);
  if (isFaulty(to.diagnostics)) {
    terminal.err(renderDiagnostics(to.diagnostics, 'text'));
    return 2;
  }
  const live =
    options.from === undefined
      ? {
          apps: await drivers.platform.list(terminal.signal),
          nodes: await drivers.gateways.observe(terminal.signal),
        }
      : asLive((await read(options.from)).desired, config.owner);
  const found = diff({ ...live, desired: to.desired, owner: config.owner });
  const unseen = unseenNotes(live.nodes);
  for (const note of unseen) terminal.err(`note: ${note}\n`);
  return show(terminal, terminal.json ? { ...found, notes: [...found.notes, ...unseen] } : found);
}

/** A proxy that cannot be seen is no error: the difference is shown as far as it is known. */
function unseenNotes(nodes: readonly NodeView[]): readonly string[] {
  const isSeen = nodes.some((one) => one.error === undefined);
  const how = isSeen ? 'the other proxies had the last word' : 'they had no traffic yet';
  return nodes.flatMap(({ node, error }) =>
    error === undefined
      ? []
      : [
          `proxy ${node} cannot be seen (${error.message.replace(`${node}: `, '')}): its gateways are shown as if ${how}`,
        ],
  );
}

function show(terminal: Terminal, found: Diff): ExitStatus {
  const status = found.differences.length === 0 ? 0 : 1;
  if (terminal.json) terminal.out(`${JSON.stringify(found)}\n`);
  else terminal.out(renderDiff(found, terminal));
  return status;
}

/** The differences by aspect, then the load on each instance before and after. */
export function renderDiff(found: Diff, terminal: Pick<Terminal, 'colour'>): string {
  if (found.differences.length === 0) return 'no difference: everything is as git asks\n';
  const rows = found.differences.map((one) => [
    one.subject,
    one.object,
    one.aspect,
    `${one.from} -> ${one.to}`,
    one.effect,
  ]);
  const parts = [
    renderTable(['subject', 'object', 'aspect', 'live -> git', 'effect'], rows, terminal),
  ];
  if (found.loads.length > 0) {
    const loads = found.loads.map((one) => [one.gateway, one.version, one.before, one.after]);
    parts.push(renderTable(['gateway', 'version', 'load before', 'load after'], loads, terminal));
  }
  if (found.notes.length > 0) {
    parts.push(found.notes.map((note) => `${styled(terminal, 'dim', `note: ${note}`)}\n`).join(''));
  }
  return parts.join('\n');
}

/** Every YAML file below a folder of this disk, as a snapshot. Links are not followed. */
export function localSnapshot(folder: string): Snapshot {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ya?ml|json)$/iu.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('node_modules') && !path.includes('/.git/'))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((path) => ({ path: relative(folder, path), text: readFileSync(path, 'utf8') }));
  return { revision: 'local', files };
}
