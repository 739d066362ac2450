import { resolve } from 'node:path';

import { Argument, Command, CommanderError, Option } from 'commander';
import type { Logger } from 'pino';

import { demo } from '../demo/demo.ts';
import type { Self } from './agent-process.ts';
import { apply } from './apply.ts';
import { validateCommand } from './check-files.ts';
import { checkStatus, renderCheck, runCheck } from './check.ts';
import { diffCommand } from './diff.ts';
import type { GatewayContext } from './gateway.ts';
import { gatewayStart, gatewayStatusCommand, gatewayStop, namedNode } from './gateway.ts';
import { historyCommand } from './look-back.ts';
import { marathon } from './marathon.ts';
import type { CommonOptions, Touched } from './options.ts';
import { configured, outputOption, port, readConfig, time, whole, withExample } from './options.ts';
import type { RunContext } from './run.ts';
import { run } from './run.ts';
import { statusCommand } from './show-status.ts';
import type { ExitStatus, Terminal } from './terminal.ts';
import { wish } from './wish.ts';

/** What only the composition root knows: environment, streams, signals, where this program is. */
export interface Shell {
  /** The arguments. */
  readonly words: readonly string[];
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

/** Runs what the arguments ask for. Wrong usage is told, with status 2. */
export async function runProgram(shell: Shell): Promise<void> {
  try {
    await program(shell).parseAsync(shell.words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const status = error.exitCode === 0 ? 0 : 2;
    await shell.perform(() => Promise.resolve(status));
  }
}

/** The command line: every command, its options and its help. */
export function program(shell: Shell): Command {
  const terminal = shell.terminal('text', new AbortController().signal);
  const sluice = new Command('sluice')
    // Before the commands, which inherit both.
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text);
      },
      writeErr: (text) => {
        terminal.err(text);
      },
    })
    .description('Deploys blueprints from git to Mesos Marathon and shifts traffic step by step.')
    .version(shell.version)
    .showHelpAfterError('(--help shows what it takes)')
    .addHelpText(
      'after',
      '\nExit status: 0 fine or no difference, 1 difference or not converged, 2 error or wrong usage.',
    );
  addReconciling(sluice, shell);
  addReview(sluice, shell);
  addLooking(sluice, shell);
  addCheck(sluice, shell);
  addWishes(sluice, shell);
  addGateway(sluice, shell);
  addEngine(sluice, shell);
  addDemo(sluice, shell);
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
    env: shell.env,
    logger: shell.logger(level),
    terminal: shell.terminal(options.output, signal),
  };
}

const EVERYTHING = ['source', 'marathon', 'owner'] as const;

function addReconciling(sluice: Command, shell: Shell): void {
  const running = configured(sluice.command('run'), shell.defaultConfig, EVERYTHING)
    .description('reconcile for ever: poll git, plan, act, look again')
    .action((options: CommonOptions) =>
      shell.perform(async (signal) => run(contextOf(shell, options, signal, 'info'))),
    );
  withExample(running, 'run --config sluice.yml');
  const applying = configured(sluice.command('apply'), shell.defaultConfig, EVERYTHING)
    .description('reconcile until converged, stalled or out of time')
    .addOption(
      new Option('--timeout <time>', 'longest time; status 1 when out of time')
        .argParser(time)
        .default(30 * 60_000, '30m'),
    )
    .action((options: CommonOptions & { timeout: number }) =>
      shell.perform(async (signal) =>
        apply(contextOf(shell, options, signal), { timeoutMs: options.timeout }),
      ),
    );
  withExample(applying, 'apply --timeout 10m');
}

function addReview(sluice: Command, shell: Shell): void {
  const review = configured(sluice.command('diff'), shell.defaultConfig, EVERYTHING)
    .description('what git asks for against what is live; status 1 if they differ')
    .option('--from <commit>', 'compare with a commit instead of with what is live')
    .option('--to <commit>', 'a commit (7 to 40 hex digits) instead of the head')
    .option('--local <dir>', 'a folder of blueprints on this disk instead of a commit')
    .action((options: CommonOptions & { from?: string; to?: string; local?: string }) =>
      shell.perform(async (signal) => {
        const { from, to, local } = options;
        return diffCommand(contextOf(shell, options, signal), { from, to, local });
      }),
    );
  withExample(review, 'diff --local .');
  const validate = sluice
    .command('validate')
    .description('check blueprints offline; status 1 on faults')
    .addArgument(new Argument('[path...]', 'files and folders').default(['.'], 'this folder'))
    .addOption(outputOption())
    .action((paths: readonly string[], options: Pick<CommonOptions, 'output'>) =>
      shell.perform(async (signal) =>
        validateCommand(paths, shell.terminal(options.output, signal)),
      ),
    );
  withExample(validate, 'validate blueprints');
}

function addLooking(sluice: Command, shell: Shell): void {
  const status = configured(sluice.command('status'), shell.defaultConfig, EVERYTHING)
    .description('deployments, versions, weights asked and seen, steps and reasons')
    .option('-w, --watch', 'redraw until interrupted')
    .action((options: CommonOptions & { watch?: boolean }) =>
      shell.perform(async (signal) =>
        statusCommand(contextOf(shell, options, signal), { watch: options.watch === true }),
      ),
    );
  withExample(status, 'status --watch');
  const history = configured(sluice.command('history'), shell.defaultConfig)
    .description('what was done, when and why')
    .argument('[subject]', 'a deployment')
    .option('-n, --limit <count>', 'newest entries', whole, 50)
    .action((subject: string | undefined, options: CommonOptions & { limit: number }) =>
      shell.perform(async (signal) => {
        const context = contextOf(shell, options, signal);
        return historyCommand(context.config, context.terminal, { subject, limit: options.limit });
      }),
    );
  withExample(history, 'history shop --limit 20');
}

interface CheckFlags {
  readonly jsonPath?: string;
  readonly header: string;
  readonly concurrency: number;
  readonly output: 'text' | 'json';
}

function addCheck(sluice: Command, shell: Shell): void {
  const check = sluice
    .command('check')
    .description('the split that clients of a url see')
    .argument('<url>', 'what clients ask for: http:// or https://')
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
  withExample(check, 'check http://127.0.0.1:9050/ 1000');
}

interface WishWords {
  readonly verb: 'approve' | 'retry' | 'forget';
  readonly argument: string;
  readonly which: string;
  readonly what: string;
  readonly example: string;
}

function addWishes(sluice: Command, shell: Shell): void {
  addWish(sluice.command('approve'), shell, {
    verb: 'approve',
    argument: '<id>',
    which: 'as sluice status shows it',
    what: 'agree to exactly what a hold lists',
    example: 'approve 1a2b3c4d',
  });
  addWish(sluice.command('retry'), shell, {
    verb: 'retry',
    argument: '<object>',
    which: 'a deployment, deployment/cluster/breed, or a port',
    what: 'try a rejected version again, or take the present weights as stable',
    example: 'retry shop/web/web:1.1',
  });
}

function addWish(command: Command, shell: Shell, words: WishWords): void {
  configured(command, shell.defaultConfig)
    .description(words.what)
    .argument(words.argument, words.which)
    .action((object: string, options: CommonOptions) =>
      shell.perform(async (signal) => {
        const { config, terminal } = contextOf(shell, options, signal);
        if (words.verb === 'forget') namedNode(config, object);
        return wish(config, terminal, words.verb, object);
      }),
    );
  withExample(command, words.example);
}

function addGateway(sluice: Command, shell: Shell): void {
  const gateway = sluice
    .command('gateway')
    .description('the agent beside a proxy: keeps endpoints and weights true');
  addAgent(gateway.command('start'), shell, {
    what: 'serve until it is stopped',
    task: gatewayStart,
    level: 'info',
    touched: ['marathon'],
  });
  addAgent(gateway.command('stop'), shell, {
    what: 'end the agent and its proxy',
    task: gatewayStop,
  });
  addAgent(gateway.command('status'), shell, {
    what: 'what every agent holds and how it is',
    task: gatewayStatusCommand,
  });
  addWish(gateway.command('forget'), shell, {
    verb: 'forget',
    argument: '<node>',
    which: 'node of the configuration',
    what: 'a proxy is gone for good: stop waiting for it',
    example: 'gateway forget edge-2',
  });
}

function addAgent(
  command: Command,
  shell: Shell,
  of: {
    readonly what: string;
    readonly task: (context: GatewayContext) => Promise<ExitStatus>;
    readonly level?: string;
    readonly touched?: readonly Touched[];
  },
): void {
  configured(command, shell.defaultConfig, of.touched)
    .description(of.what)
    .option('--node <name>', 'node of the configuration')
    .action((options: CommonOptions & { node?: string }) =>
      shell.perform(async (signal) =>
        of.task({ ...contextOf(shell, options, signal, of.level), node: options.node }),
      ),
    );
  withExample(command, `gateway ${command.name()} --node edge-1`);
}

interface EngineFlags {
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  readonly image?: readonly string[];
}

function addEngine(sluice: Command, shell: Shell): void {
  const engine = sluice
    .command('marathon')
    .description('the embedded engine: a Marathon API that runs tasks as local processes')
    .option('--host <address>', 'whoever reaches it can run commands here', '127.0.0.1')
    .option('--port <port>', 'port of the API', port, 8080)
    .option('--state-dir <dir>', 'apps and sandboxes', '.sluice/marathon')
    .option('--image <pattern=command...>', 'what to run for a docker image')
    .action((flags: EngineFlags) =>
      shell.perform(async (signal) => {
        const { image: images = [], ...where } = flags;
        const stateDir = resolve(where.stateDir);
        const options = { ...where, stateDir, images, environment: shell.inherited };
        return marathon(options, shell.terminal('text', signal), shell.logger('warn'));
      }),
    );
  withExample(engine, "marathon --port 8080 --image 'nginx:*=python3 -m http.server $PORT0'");
}

interface DemoFlags {
  readonly keep?: boolean;
  readonly proxy: 'auto' | 'haproxy' | 'embedded';
}

function addDemo(sluice: Command, shell: Shell): void {
  const play = sluice
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
  withExample(play, 'demo --keep');
}
