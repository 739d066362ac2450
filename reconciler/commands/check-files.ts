import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { compile } from '../blueprint/compile.ts';
import { isFaulty } from '../blueprint/diagnostics.ts';
import { DriverError } from '../errors.ts';
import type { SnapshotFile } from '../model/snapshot.ts';
import { localSnapshot } from './diff.ts';
import type { ExitStatus, Terminal } from './terminal.ts';
import { counted } from './text.ts';
import { renderDiagnostics } from './validate.ts';

/** `sluice validate`: all faults of all files at once, offline. */
export function validateCommand(paths: readonly string[], terminal: Terminal): ExitStatus {
  const files = paths.flatMap(readAll);
  const { diagnostics, desired } = compile({ revision: 'local', files });
  terminal.out(renderDiagnostics(diagnostics, terminal.json ? 'json' : 'text'));
  if (!terminal.json) {
    const counts = [
      counted(files.length, 'file'),
      counted(desired.deployments.length, 'deployment'),
      counted(desired.gateways.length, 'gateway'),
    ];
    terminal.err(`${counts.join(', ')}\n`);
  }
  return isFaulty(diagnostics) ? 1 : 0;
}

function readAll(path: string): readonly SnapshotFile[] {
  try {
    if (!statSync(path).isDirectory()) return [{ path, text: readFileSync(path, 'utf8') }];
  } catch (error) {
    throw new DriverError('path-unreadable', `${path} cannot be read`, {
      retry: 'never',
      cause: error,
    });
  }
  const folder = path === '.' ? '' : path;
  const named = basename(path) === '.' ? dirname(path) : folder;
  return localSnapshot(path).files.map((file) => ({ ...file, path: join(named, file.path) }));
}
