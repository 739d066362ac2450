#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { pino } from 'pino';

import { DEFAULT_CONFIG } from './commands/options.ts';
import type { Shell } from './commands/program.ts';
import { runProgram } from './commands/program.ts';
import type { ExitStatus, Terminal } from './commands/terminal.ts';
import { DriverError } from './errors.ts';

// The composition root: the only place that reads environment, arguments and signals.
const MAIN = fileURLToPath(import.meta.url);
const HOME = resolve(MAIN, '../..');
const { env } = process;

/** What children inherit, by name: nothing that could carry a secret of ours. */
const INHERITED = [
  'PATH',
  'LANG',
  'TMPDIR',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'https_proxy',
  'http_proxy',
  'no_proxy',
];

function inherited(): Readonly<Record<string, string>> {
  const kept = INHERITED.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { HOME: homedir(), ...Object.fromEntries(kept) };
}

function terminal(output: 'text' | 'json', signal: AbortSignal): Terminal {
  return {
    out: (text) => {
      process.stdout.write(text);
    },
    err: (text) => {
      process.stderr.write(text);
    },
    colour: process.stdout.isTTY && output === 'text' && env['NO_COLOR'] === undefined,
    json: output === 'json',
    signal,
  };
}

/** Runs one command; SIGINT and SIGTERM abort it. Faults of the world are told, bugs surface. */
async function perform(task: (signal: AbortSignal) => Promise<ExitStatus>): Promise<void> {
  const stopping = new AbortController();
  const stop = (): void => {
    stopping.abort();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    process.exitCode = await task(stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted && error instanceof Error && error.name === 'AbortError') return;
    if (!(error instanceof DriverError)) throw error;
    process.stderr.write(`sluice: ${error.code}: ${error.message}\n`);
    process.exitCode = 2;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function versionOfSluice(): string {
  const found: unknown = JSON.parse(readFileSync(resolve(HOME, 'package.json'), 'utf8'));
  const isPackage = typeof found === 'object' && found !== null && 'version' in found;
  return isPackage ? String(found.version) : 'unknown';
}

const shell: Shell = {
  words: process.argv.slice(2),
  version: versionOfSluice(),
  self: [process.execPath, MAIN],
  demoBlueprints: resolve(HOME, 'blueprints/demo'),
  defaultConfig: env['SLUICE_CONFIG'] ?? DEFAULT_CONFIG,
  env,
  inherited: inherited(),
  terminal,
  logger: (level) =>
    pino(
      {
        level: env['SLUICE_LOG_LEVEL'] ?? level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
      },
      pino.destination(2),
    ),
  perform,
};

await runProgram(shell);
