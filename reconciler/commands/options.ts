import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';

import type { Config } from '../config.ts';
import { loadConfig } from '../config.ts';
import { DriverError } from '../errors.ts';

export const DEFAULT_CONFIG = 'sluice.yml';

/** What every command that works on a configuration takes. */
export interface CommonOptions {
  readonly config: string;
  readonly output: 'text' | 'json';
  readonly [flag: string]: unknown;
}

/** Flags that override `sluice.yml`, and the keys that they stand for. */
const OVERRIDES = {
  sourceUrl: 'source.url',
  branch: 'source.branch',
  tag: 'source.tag',
  revision: 'source.revision',
  path: 'source.path',
  marathonUrl: 'marathon.urls',
  owner: 'owner',
  stateDir: 'state_dir',
} as const;

/** What a command touches: it takes overrides of that alone. */
export type Touched = 'source' | 'marathon' | 'owner';

const OPTIONS: Readonly<Record<Touched, readonly (readonly [flags: string, what: string])[]>> = {
  source: [
    ['--source-url <url>', 'git repository with the blueprints'],
    ['--branch <name>', 'branch to follow'],
    ['--tag <name>', 'tag to follow'],
    ['--revision <id>', 'full id of one commit that never changes'],
    ['--path <dir>', 'folder of the repository that holds the blueprints'],
  ],
  marathon: [['--marathon-url <url...>', 'Marathon, several for one that has standbys']],
  owner: [['--owner <name>', 'owner label']],
};

/** Adds the options that say which configuration, and those that override it. */
export function configured(
  command: Command,
  defaultConfig: string,
  touched: readonly Touched[] = [],
): Command {
  command.option('-c, --config <file>', 'configuration', defaultConfig);
  for (const [flags, what] of touched.flatMap((one) => OPTIONS[one])) command.option(flags, what);
  // Who lives by flags alone can stop an agent or ask for a retry without naming the source again.
  if (!touched.includes('source')) command.setOptionValue('sourceUrl', 'not read by this command');
  return command
    .option('--state-dir <dir>', 'where journal, mirror and sockets live')
    .addOption(outputOption());
}

/** Adds one call as it may be typed to the help of a command. */
export function withExample(command: Command, call: string): Command {
  return command.addHelpText('after', `\nExample:\n  $ sluice ${call}`);
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'text for people, json for programs')
    .choices(['text', 'json'])
    .default('text');
}

/** @throws DriverError `config-invalid`, `config-missing`. */
export function readConfig(
  options: CommonOptions,
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const flags: Record<string, string | readonly string[] | undefined> = {};
  for (const [flag, key] of Object.entries(OVERRIDES)) {
    const value = options[flag];
    if (typeof value === 'string' || Array.isArray(value)) flags[key] = value;
  }
  const text = textOf(options.config);
  return loadConfig({
    file: resolve(options.config),
    env,
    flags,
    ...(text !== undefined && { text }),
  });
}

/** Flags and environment may be all there is; a file that is named must be there. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (file === DEFAULT_CONFIG && isMissing(error)) return undefined;
    throw new DriverError(
      'config-missing',
      `${file} cannot be read: write it, or name another with --config`,
      { retry: 'never', cause: error },
    );
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** For commander: a whole number above 0. */
export function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('must be a whole number above 0');
}

/** For commander: a port, 0 for any free one. */
export function port(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new InvalidArgumentError('must be a port, 0 to 65535');
}

/** For commander: a time in milliseconds. */
export function time(text: string): number {
  const parts = /^(\d{1,6})(ms|s|m|h)$/u.exec(text);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[parts?.[2] ?? ''];
  if (parts && unit !== undefined) return Number(parts[1]) * unit;
  throw new InvalidArgumentError('must be a time such as 30s or 10m');
}
