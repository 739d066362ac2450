import { resolve } from 'node:path';

import { Command, Option } from 'commander';
import type { Logger } from 'pino';

import { demo } from '../demo/demo.ts';
import type { Self } from './agent-process.ts';
import { apply } from './apply.ts';
import { validateCommand } from './check-files.ts';
import { checkStatus, renderCheck, runCheck } from './check.ts';
import { diffCommand } from './diff.ts';
import { gatewayStart, gatewayStatusCommand, gatewayStop } from './gateway.ts';
import { historyCommand } from './look-back.ts';
import { marathon } from './marathon.ts';
import type { CommonOptions } from './options.ts';
import { configured, outputOption, port, readConfig, time, whole } from './options.ts';
import type { RunContext } from './run.ts';
import { run } from './run.ts';
import { statusCommand } from './show-status.ts';
import type { ExitStatus, Terminal } from './terminal.ts';
import { wish } from './wish.ts';

/** What only the composition root knows: environment, streams, signals, where this program is. */
export interface Shell {
  readonly version: string;
  readonly self: Self;
  /** Folder with the demo's blueprints. */
  readonly demoBlueprints: string;
  readonly defaultConfig: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What children inherit: nothing that could carry a secret of ours. */
  readonly inherited: Readonly<Record<string, string>>;
  terminal(output: 'text' | 'json', signal: AbortSignal): Terminal;
  /** JSON lines on stderr; `level` where the environment names none. */
  logger(level: string): Logger;
  /** Runs one command to its exit status; SIGINT and SIGTERM abort it. */
  perform(task: (signal: AbortSignal) => Promise<ExitStatus>): Promise<void>;
}

/** The command line: every command, its options and its help. */
export function program(shell: Shell): Command {
  const sluice = new Command('sluice')
    .description('Deploys blueprints from git to Mesos Marathon and shifts traffic step by step.')
    .version(shell.version)
    .showHelpAfterError('(--help shows what it takes)')
    .addHelpText(
      'after',
      '\nExit status: 0 fine or no difference, 1 difference or not converged, 2 error.',
    );
  addReconciling(sluice, shell);
  addReview(sluice, shell);
  addLooking(sluice, shell);
  addWishes(sluice, shell);
  addGateway(sluice, shell);
  addEngine(sluice, shell);
  return sluice;
}

function contextOf(
  shell: Shell,
  options: CommonOptions,
  signal: AbortSignal,
  level = 'silent',
): RunContext {
  return {
    config: readConfig(options, shell.env),
    configFile: resolve(options.config),
    environment: shell.inherited,
    self: shell.self,
    logger: shell.logger(level),
    terminal: shell.terminal(options.output, signal),
  };
}

function addReconciling(sluice: Command, shell: Shell): void {
  configured(sluice.command('run'), shell.defaultConfig)
    .description('reconcile for ever: poll git, plan, act, look again')
    .action((options: CommonOptions) =>
      shell.perform(async (signal) => run(contextOf(shell, options, signal, 'info'))),
    );
  configured(sluice.command('apply'), shell.defaultConfig)
    .description('reconcile until converged, stalled or out of time')
    .option('--timeout <time>', 'longest time', time, 30 * 60_000)
    .action((options: CommonOptions & { timeout: number }) =>
      shell.perform(async (signal) =>
        apply(contextOf(shell, options, signal), { timeoutMs: options.timeout }),
      ),
    );
}

function addReview(sluice: Command, shell: Shell): void {
  configured(sluice.command('diff'), shell.defaultConfig)
    .description('what git asks for against what is live; status 1 if they differ')
    .option('--from <rev>', 'compare with a revision instead of with what is live')
    .option('--to <rev>', 'a revision instead of the head')
    .option('--local <dir>', 'a folder of blueprints on this disk instead of a revision')
    .action((options: CommonOptions & { from?: string; to?: string; local?: string }) =>
      shell.perform(async (signal) => {
        const { from, to, local } = options;
        return diffCommand(contextOf(shell, options, signal), { from, to, local });
      }),
    );
  sluice
    .command('validate')
    .description('check blueprints offline; status 1 on faults')
    .argument('[path...]', 'files and folders', ['.'])
    .addOption(outputOption())
    .action((paths: readonly string[], options: Pick<CommonOptions, 'output'>) =>
      shell.perform(async (signal) =>
        validateCommand(paths, shell.terminal(options.output, signal)),
      ),
    );
}

interface CheckFlags {
  readonly jsonPath?: string;
  readonly header: string;
  readonly concurrency: number;
  readonly output: 'text' | 'json';
}

function addLooking(sluice: Command, shell: Shell): void {
  configured(sluice.command('status'), shell.defaultConfig)
    .description('deployments, versions, weights asked and seen, steps and reasons')
    .option('-w, --watch', 'redraw until interrupted')
    .action((options: CommonOptions & { watch?: boolean }) =>
      shell.perform(async (signal) =>
        statusCommand(contextOf(shell, options, signal), { watch: options.watch === true }),
      ),
    );
  configured(sluice.command('history'), shell.defaultConfig)
    .description('what was done, when and why')
    .argument('[subject]', 'a deployment')
    .option('-n, --limit <count>', 'newest entries', whole, 50)
    .action((subject: string | undefined, options: CommonOptions & { limit: number }) =>
      shell.perform(async (signal) => {
        const context = contextOf(shell, options, signal);
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
    .action((url: string, count: number, flags: CheckFlags) =>
      shell.perform(async (signal) => {
        const { header, concurrency, jsonPath } = flags;
        const terminal = shell.terminal(flags.output, signal);
        const path = jsonPath === undefined ? {} : { jsonPath };
        const result = await runCheck({ url, count, header, concurrency, ...path }, signal);
        const text = renderCheck(result, terminal);
        terminal.out(terminal.json ? `${JSON.stringify(result)}\n` : text);
        return checkStatus(result);
      }),
    );
}

function addWishes(sluice: Command, shell: Shell): void {
  const wishes = {
    approve: ['<id>', 'agree to exactly what a hold lists', 'as sluice status shows it'],
    retry: [
      '<object>',
      'try a rejected version again, or take the present weights as stable',
      'a deployment, deployment/cluster/breed, or a port',
    ],
  } as const;
  for (const [verb, [name, what, which]] of Object.entries(wishes)) {
    addWish(sluice, shell, { verb: verb === 'retry' ? 'retry' : 'approve', name, what, which });
  }
}

function addWish(
  parent: Command,
  shell: Shell,
  of: {
    readonly verb: 'approve' | 'retry' | 'forget';
    readonly name: string;
    readonly what: string;
    readonly which: string;
  },
): void {
  configured(parent.command(of.verb), shell.defaultConfig)
    .description(of.what)
    .argument(of.name, of.which)
    .action((object: string, options: CommonOptions) =>
      shell.perform(async (signal) => {
        const context = contextOf(shell, options, signal);
        return wish(context.config, context.terminal, of.verb, object);
      }),
    );
}

function addGateway(sluice: Command, shell: Shell): void {
  const gateway = sluice
    .command('gateway')
    .description('the agent beside a proxy: keeps endpoints and weights true');
  const verbs = [
    ['start', 'serve until it is stopped', gatewayStart, 'info'],
    ['stop', 'end the agent and its proxy', gatewayStop, 'silent'],
    ['status', 'what every agent holds and how it is', gatewayStatusCommand, 'silent'],
  ] as const;
  for (const [verb, what, task, level] of verbs) {
    configured(gateway.command(verb), shell.defaultConfig)
      .description(what)
      .option('--node <name>', 'node of the configuration')
      .action((options: CommonOptions & { node?: string }) =>
        shell.perform(async (signal) =>
          task({ ...contextOf(shell, options, signal, level), node: options.node }),
        ),
      );
  }
  addWish(gateway, shell, {
    verb: 'forget',
    name: '<node>',
    what: 'a proxy is gone for good: stop waiting for it',
    which: 'node of the configuration',
  });
}

interface EngineFlags {
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  readonly image: readonly string[];
}

interface DemoFlags {
  readonly keep?: boolean;
  readonly proxy: 'auto' | 'haproxy' | 'embedded';
}

function addEngine(sluice: Command, shell: Shell): void {
  sluice
    .command('marathon')
    .description('the embedded engine: a Marathon API that runs tasks as local processes')
    .option('--host <address>', 'whoever reaches it can run commands here', '127.0.0.1')
    .option('--port <port>', 'port of the API', port, 8080)
    .option('--state-dir <dir>', 'apps and sandboxes', '.sluice/marathon')
    .option('--image <pattern=command...>', 'what to run for a docker image', [])
    .action((flags: EngineFlags) =>
      shell.perform(async (signal) => {
        const stateDir = resolve(flags.stateDir);
        const options = { ...flags, stateDir, images: flags.image, environment: shell.inherited };
        return marathon(options, shell.terminal('text', signal), shell.logger('warn'));
      }),
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
    .action((flags: DemoFlags) =>
      shell.perform(async (signal) =>
        demo({
          self: shell.self,
          blueprints: shell.demoBlueprints,
          environment: shell.inherited,
          terminal: shell.terminal('text', signal),
          keep: flags.keep === true,
          proxy: flags.proxy,
        }),
      ),
    );
}
