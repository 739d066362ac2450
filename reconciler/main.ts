#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';

import { apply } from './commands/apply.ts';
import { checkStatus, renderCheck, runCheck } from './commands/check.ts';
import { diffCommand } from './commands/diff.ts';
import { gatewayStart, gatewayStatusCommand, gatewayStop } from './commands/gateway.ts';
import { historyCommand } from './commands/look-back.ts';
import { marathon } from './commands/marathon.ts';
import { run } from './commands/run.ts';
import type { RunContext } from './commands/run.ts';
import { statusCommand } from './commands/show-status.ts';
import type { ExitStatus, Terminal } from './commands/terminal.ts';
import { validateCommand } from './commands/check-files.ts';
import { wish } from './commands/wish.ts';
import type { Config } from './config.ts';
import { loadConfig } from './config.ts';
import { demo } from './demo/demo.ts';
import { DriverError } from './errors.ts';

const MAIN = fileURLToPath(import.meta.url);
const HOME = resolve(MAIN, '../..');
const DEFAULT_CONFIG = 'sluice.yml';

interface GlobalOptions {
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

function configured(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration', process.env['SLUICE_CONFIG'] ?? DEFAULT_CONFIG)
    .option('--source-url <url>', 'git repository with the blueprints')
    .option('--branch <name>', 'branch to follow')
    .option('--tag <name>', 'tag to follow')
    .option('--revision <sha>', 'fixed revision')
    .option('--path <dir>', 'sub-path in the repository')
    .option('--marathon-url <url...>', 'Marathon, several for one that has standbys')
    .option('--owner <name>', 'owner label')
    .option('--state-dir <dir>', 'where journal, mirror and sockets live')
    .addOption(outputOption());
}

function outputOption(): Option {
  return new Option('-o, --output <format>', 'text for people, json for programs')
    .choices(['text', 'json'])
    .default('text');
}

function readConfig(options: GlobalOptions): Config {
  const flags: Record<string, string | readonly string[] | undefined> = {};
  for (const [flag, key] of Object.entries(OVERRIDES)) {
    const value = options[flag];
    if (typeof value === 'string' || Array.isArray(value)) flags[key] = value;
  }
  const text = textOf(options.config);
  return loadConfig({
    file: resolve(options.config),
    env: process.env,
    flags,
    ...(text !== undefined && { text }),
  });
}

/** A configuration may come from flags and environment alone; a file that is named must be there. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (file === DEFAULT_CONFIG && isMissing(error)) return undefined;
    throw new DriverError(
      'config-missing',
      `${file} cannot be read: write it, or name another with --config`,
      {
        retry: 'never',
        cause: error,
      },
    );
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** What children inherit: nothing that could carry a secret of ours. */
function inherited(): Readonly<Record<string, string>> {
  const names = [
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
  const kept = names.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { HOME: homedir(), ...Object.fromEntries(kept) };
}

function terminalFor(output: 'text' | 'json', signal: AbortSignal): Terminal {
  return {
    out: (text) => {
      process.stdout.write(text);
    },
    err: (text) => {
      process.stderr.write(text);
    },
    colour: process.stdout.isTTY && output === 'text' && process.env['NO_COLOR'] === undefined,
    json: output === 'json',
    signal,
  };
}

function contextOf(options: GlobalOptions, signal: AbortSignal): RunContext {
  return {
    config: readConfig(options),
    configFile: resolve(options.config),
    environment: inherited(),
    self: [process.execPath, MAIN],
    logger: logger(),
    terminal: terminalFor(options.output, signal),
  };
}

/** Logs are JSON lines on stderr; results alone go to stdout. */
function logger(level = process.env['SLUICE_LOG_LEVEL'] ?? 'info'): RunContext['logger'] {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}

function quiet(context: RunContext): RunContext {
  return { ...context, logger: logger(process.env['SLUICE_LOG_LEVEL'] ?? 'silent') };
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('must be a whole number above 0');
}

function milliseconds(text: string): number {
  const parts = /^(\d{1,6})(ms|s|m|h)$/u.exec(text);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[parts?.[2] ?? ''];
  if (parts && unit !== undefined) return Number(parts[1]) * unit;
  throw new InvalidArgumentError('must be a time such as 30s or 10m');
}

type Task = (signal: AbortSignal) => Promise<ExitStatus>;

/** Runs one command; SIGINT and SIGTERM abort it. Faults of the world are told, bugs surface. */
async function perform(task: Task): Promise<void> {
  const stopping = new AbortController();
  const stop = (): void => {
    stopping.abort();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    process.exitCode = await task(stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted && isAbort(error)) return;
    if (!(error instanceof DriverError)) throw error;
    process.stderr.write(`sluice: ${error.code}: ${error.message}\n`);
    process.exitCode = 2;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function program(): Command {
  const sluice = new Command('sluice')
    .description('Deploys blueprints from git to Mesos Marathon and shifts traffic step by step.')
    .version(versionOfSluice())
    .showHelpAfterError('(--help shows what it takes)')
    .configureHelp({ sortSubcommands: false });
  addReconciling(sluice);
  addLooking(sluice);
  addWishes(sluice);
  addPrograms(sluice);
  return sluice;
}

function versionOfSluice(): string {
  const text = readFileSync(resolve(HOME, 'package.json'), 'utf8');
  const found: unknown = JSON.parse(text);
  if (typeof found === 'object' && found !== null && 'version' in found)
    return String(found.version);
  return 'unknown';
}

function addReconciling(sluice: Command): void {
  configured(sluice.command('run'))
    .description('reconcile for ever: poll git, plan, act, look again')
    .action((options: GlobalOptions) => perform((signal) => run(contextOf(options, signal))));
  configured(sluice.command('apply'))
    .description('reconcile until converged, stalled or out of time')
    .option('--timeout <time>', 'longest time', milliseconds, 30 * 60_000)
    .action((options: GlobalOptions & { timeout: number }) =>
      perform((signal) => apply(quiet(contextOf(options, signal)), { timeoutMs: options.timeout })),
    );
  configured(sluice.command('diff'))
    .description('what git asks for against what is live; status 1 if they differ')
    .option('--from <rev>', 'compare with a revision instead of with what is live')
    .option('--to <rev>', 'a revision instead of the head')
    .option('--local <dir>', 'a folder of blueprints on this disk instead of a revision')
    .action((options: GlobalOptions & { from?: string; to?: string; local?: string }) =>
      perform((signal) => {
        const { from, to, local } = options;
        return diffCommand(quiet(contextOf(options, signal)), { from, to, local });
      }),
    );
  sluice
    .command('validate')
    .description('check blueprints offline; status 1 on faults')
    .argument('[path...]', 'files and folders', ['.'])
    .addOption(outputOption())
    .action((paths: readonly string[], options: Pick<GlobalOptions, 'output'>) =>
      perform(async (signal) => validateCommand(paths, terminalFor(options.output, signal))),
    );
}

function addLooking(sluice: Command): void {
  configured(sluice.command('status'))
    .description('deployments, versions, weights asked and seen, steps and reasons')
    .option('-w, --watch', 'redraw until interrupted')
    .action((options: GlobalOptions & { watch?: boolean }) =>
      perform((signal) =>
        statusCommand(quiet(contextOf(options, signal)), { watch: options.watch === true }),
      ),
    );
  configured(sluice.command('history'))
    .description('what was done, when and why')
    .argument('[subject]', 'a deployment')
    .option('-n, --limit <count>', 'newest entries', whole, 50)
    .action((subject: string | undefined, options: GlobalOptions & { limit: number }) =>
      perform(async (signal) => {
        const context = contextOf(options, signal);
        return historyCommand(context.config, context.terminal, { subject, limit: options.limit });
      }),
    );
  sluice
    .command('check')
    .description('the split that clients of a url see')
    .argument('<url>')
    .argument('[count]', 'requests', whole, 100)
    .option('--json-path <path>', 'read the version from the JSON answer instead of the header')
    .option('--header <name>', 'response header with the version', 'x-sluice-version')
    .option('--concurrency <count>', 'requests at the same time', whole, 8)
    .addOption(outputOption())
    .action((url: string, count: number, options: CheckOptions) =>
      perform(async (signal) => check(url, count, options, signal)),
    );
}

interface CheckOptions {
  readonly jsonPath?: string;
  readonly header: string;
  readonly concurrency: number;
  readonly output: 'text' | 'json';
}

async function check(
  url: string,
  count: number,
  options: CheckOptions,
  signal: AbortSignal,
): Promise<ExitStatus> {
  const terminal = terminalFor(options.output, signal);
  const { header, concurrency, jsonPath } = options;
  const result = await runCheck(
    { url, count, header, concurrency, ...(jsonPath !== undefined && { jsonPath }) },
    signal,
  );
  terminal.out(terminal.json ? `${JSON.stringify(result)}\n` : renderCheck(result, terminal));
  return checkStatus(result);
}

function addWishes(sluice: Command): void {
  configured(sluice.command('approve'))
    .description('agree to exactly what a hold lists')
    .argument('<id>', 'as sluice status shows it')
    .action((id: string, options: GlobalOptions) =>
      perform(async (signal) => {
        const context = contextOf(options, signal);
        return wish(context.config, context.terminal, 'approve', id);
      }),
    );
  configured(sluice.command('retry'))
    .description('try a rejected version again')
    .argument('<object>', 'a deployment, deployment/cluster/breed, or a port')
    .action((object: string, options: GlobalOptions) =>
      perform(async (signal) => {
        const context = contextOf(options, signal);
        return wish(context.config, context.terminal, 'retry', object);
      }),
    );
}

function addPrograms(sluice: Command): void {
  addGateway(sluice);
  sluice
    .command('marathon')
    .description('the embedded engine: a Marathon API that runs tasks as local processes')
    .option('--host <address>', 'whoever reaches it can run commands here', '127.0.0.1')
    .option('--port <port>', 'port of the API', Number, 8080)
    .option('--state-dir <dir>', 'apps and sandboxes', '.sluice/marathon')
    .option('--image <pattern=command...>', 'what to run for a docker image', [])
    .action((options: { host: string; port: number; stateDir: string; image: readonly string[] }) =>
      perform((signal) =>
        marathon(
          {
            ...options,
            stateDir: resolve(options.stateDir),
            images: options.image,
            environment: inherited(),
          },
          terminalFor('text', signal),
          logger(process.env['SLUICE_LOG_LEVEL'] ?? 'warn'),
        ),
      ),
    );
  sluice
    .command('demo')
    .description('the main job, live: engine, gateway, git repository and traffic on this machine')
    .option('--keep', 'leave everything running and say how to play on')
    .addOption(
      new Option('--proxy <kind>', 'proxy of the gateway')
        .choices(['auto', 'haproxy', 'embedded'])
        .default('auto'),
    )
    .action((options: { keep?: boolean; proxy: 'auto' | 'haproxy' | 'embedded' }) =>
      perform((signal) =>
        demo({
          self: [process.execPath, MAIN],
          blueprints: resolve(HOME, 'blueprints/demo'),
          environment: inherited(),
          terminal: terminalFor('text', signal),
          keep: options.keep === true,
          proxy: options.proxy,
        }),
      ),
    );
}

function addGateway(sluice: Command): void {
  const gateway = sluice
    .command('gateway')
    .description('the agent beside a proxy: keeps endpoints and weights true');
  const verbs = {
    start: gatewayStart,
    stop: gatewayStop,
    status: gatewayStatusCommand,
  } as const;
  for (const [verb, task] of Object.entries(verbs)) {
    configured(gateway.command(verb))
      .option('--node <name>', 'node of the configuration')
      .action((options: GlobalOptions & { node?: string }) =>
        perform((signal) => {
          const context = contextOf(options, signal);
          return task({ ...context, node: options.node });
        }),
      );
  }
  configured(gateway.command('forget'))
    .description('a proxy is gone for good: stop waiting for it')
    .argument('<node>')
    .action((node: string, options: GlobalOptions) =>
      perform(async (signal) => {
        const context = contextOf(options, signal);
        return wish(context.config, context.terminal, 'forget', node);
      }),
    );
}

await program().parseAsync();
