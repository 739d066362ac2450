import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { askAgent, stopAgent } from '../commands/agent-desk.ts';
import type { Self } from '../commands/agent-process.ts';
import { askStatus } from '../commands/live.ts';
import type { Config } from '../config.ts';
import { loadConfig } from '../config.ts';
import { LOCAL_NODE, gatewayNodes } from '../drivers.ts';
import { DriverError } from '../errors.ts';

const execute = promisify(execFile);

export interface StageOptions {
  readonly self: Self;
  /** Folder with the demo's blueprints, one file a commit. */
  readonly blueprints: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly proxy: 'auto' | 'haproxy' | 'embedded';
  readonly signal: AbortSignal;
  /** True: never the port of the blueprints, which another stage may be about to take. */
  readonly anyPort?: boolean;
}

/** Everything that the demo runs on, each part a real process of its own. */
export interface Stage {
  readonly folder: string;
  readonly clone: string;
  readonly config: Config;
  readonly configFile: string;
  readonly marathonUrl: string;
  /** Where clients go. */
  readonly gatewayPort: number;
  readonly proxy: string;
  /** Puts a file of the blueprints into the clone; nothing is committed yet. */
  write(blueprint: string): void;
  /** The same with a text of one's own. */
  writeText(text: string): void;
  /** Commits and pushes what was written; the new commit id. */
  push(message: string): Promise<string>;
  /** Runs this program once. */
  sluice(words: readonly string[]): Promise<{ status: number; output: string }>;
  /** Ends every process and removes the folder. */
  close(): Promise<void>;
  /** Lets every process outlive this one; their ids, in the order in which to end them. */
  release(): readonly number[];
  /** Ends the reconciler by a signal and waits for its end; how long that took, milliseconds. */
  endReconciler(signal: 'SIGTERM' | 'SIGKILL'): Promise<number>;
  startReconciler(): Promise<void>;
  /** Last lines of what a process wrote. */
  log(name: 'marathon' | 'gateway' | 'run'): string;
}

const START_MS = 20_000;
const LONGEST_END_MS = 6000;
const BLUEPRINT_PORT = 10_099;

/** Builds the stage: engine, agent, a bare repository with a clone, reconciler. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
  const isWanted = options.anyPort !== true && (await isFree(BLUEPRINT_PORT));
  const gatewayPort = isWanted ? BLUEPRINT_PORT : await freePort();
  const marathonUrl = `http://127.0.0.1:${String(await freePort())}`;
  const configFile = join(folder, 'sluice.yml');
  const text = configText(folder, marathonUrl, options.proxy);
  writeFileSync(configFile, text);
  const config = loadConfig({ file: configFile, text, env: {}, flags: {} });
  const cast = new Cast(options, folder, config);
  try {
    const clone = await makeRepository(folder, options.environment);
    const port = new URL(marathonUrl).port;
    cast.start('marathon', ['marathon', '--port', port, '--state-dir', join(folder, 'marathon')]);
    await until(options.signal, 'the engine', () => answers(`${marathonUrl}/ping`));
    cast.start('gateway', ['gateway', 'start', '--config', configFile, '--node', LOCAL_NODE]);
    const proxy = await proxyKind(config, options.signal);
    await cast.startReconciler(configFile);
    const writeText = (blueprint: string): void => {
      const moved = blueprint.replaceAll(String(BLUEPRINT_PORT), String(gatewayPort));
      writeFileSync(join(clone, 'simpleservice.yml'), moved);
    };
    return {
      folder,
      clone,
      config,
      configFile,
      marathonUrl,
      gatewayPort,
      proxy,
      writeText,
      write: (blueprint) => {
        writeText(readFileSync(join(options.blueprints, blueprint), 'utf8'));
      },
      push: (message) => push(clone, message, options.environment),
      sluice: (words) => once(options, words),
      close: () => cast.close(),
      release: () => cast.release(),
      endReconciler: (signal) => cast.end('run', signal),
      startReconciler: () => cast.startReconciler(configFile),
      log: (name) => cast.log(name),
    };
  } catch (error) {
    await cast.close();
    throw error;
  }
}

/** The processes of a stage. */
class Cast {
  readonly #options: StageOptions;
  readonly #folder: string;
  readonly #config: Config;
  readonly #children = new Map<string, ChildProcess>();

  constructor(options: StageOptions, folder: string, config: Config) {
    this.#options = options;
    this.#folder = folder;
    this.#config = config;
  }

  start(name: string, words: readonly string[]): void {
    this.#children.set(name, spawnLogged(this.#options, this.#logFile(name), words));
  }

  async startReconciler(configFile: string): Promise<void> {
    this.start('run', ['run', '--config', configFile]);
    await until(
      this.#options.signal,
      'the reconciler',
      async () => (await askStatus(this.#config)) !== undefined,
    );
  }

  /** Milliseconds until it had ended; a process that does not end in time is killed. */
  async end(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
    const child = this.#children.get(name);
    const started = performance.now();
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return 0;
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => {
        resolve();
      });
    });
    child.kill(signal);
    await Promise.race([ended, sleep(LONGEST_END_MS, undefined, { ref: false })]);
    child.kill('SIGKILL');
    return performance.now() - started;
  }

  /** Newest first, so that nobody acts on a world that is being taken apart. */
  async close(): Promise<void> {
    for (const name of [...this.#children.keys()].reverse()) await this.end(name, 'SIGTERM');
    const [node] = gatewayNodes(this.#config);
    if (node) await stopAgent(node, AbortSignal.timeout(1000)).catch(() => undefined);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  release(): readonly number[] {
    const children = [...this.#children.values()].reverse();
    for (const child of children) child.unref();
    return children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  log(name: string): string {
    return readFileSync(this.#logFile(name), 'utf8').split('\n').slice(-12).join('\n');
  }

  #logFile(name: string): string {
    return join(this.#folder, `${name}.log`);
  }
}

function spawnLogged(
  options: StageOptions,
  logFile: string,
  words: readonly string[],
): ChildProcess {
  const log = openSync(logFile, 'a', 0o600);
  return spawn(options.self[0], [options.self[1], ...words], {
    // A group of its own: an interrupt at the terminal reaches the demo, which ends them in order.
    detached: true,
    stdio: ['ignore', log, log],
    env: options.environment,
  });
}

function configText(folder: string, marathonUrl: string, proxy: string): string {
  return [
    '# Made by sluice demo.',
    'owner: demo',
    `state_dir: ${join(folder, 'state')}`,
    'source:',
    `  url: ${join(folder, 'blueprints.git')}`,
    '  branch: main',
    'marathon:',
    `  urls: [${marathonUrl}]`,
    'gateways:',
    `  proxy: ${proxy}`,
    'schedule:',
    '  every: 1s',
    'server:',
    `  listen: ${join(folder, 'run.sock')}`,
    '',
  ].join('\n');
}

async function proxyKind(config: Config, signal: AbortSignal): Promise<string> {
  const [node] = gatewayNodes(config);
  let kind: string | undefined;
  await until(signal, 'the gateway agent', async () => {
    if (node) kind = (await askAgent(node, signal)).proxy;
    return kind !== undefined;
  });
  return kind ?? 'unknown';
}

async function makeRepository(
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const bare = join(folder, 'blueprints.git');
  const clone = join(folder, 'clone');
  mkdirSync(bare);
  await git(folder, ['init', '--quiet', '--bare', '--initial-branch=main', bare], environment);
  await git(folder, ['clone', '--quiet', bare, clone], environment);
  await git(clone, ['checkout', '--quiet', '-B', 'main'], environment);
  writeFileSync(join(clone, 'README.md'), 'The blueprints of the demo.\n');
  await push(clone, 'Begin', environment);
  return clone;
}

async function push(
  clone: string,
  message: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  await git(clone, ['add', '--all'], environment);
  await git(clone, ['commit', '--quiet', '--message', message], environment);
  await git(clone, ['push', '--quiet', 'origin', 'main'], environment);
  return (await git(clone, ['rev-parse', 'HEAD'], environment)).trim();
}

async function git(
  cwd: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const identity = {
    GIT_AUTHOR_NAME: 'Sluice demo',
    GIT_AUTHOR_EMAIL: 'demo@example.invalid',
    GIT_COMMITTER_NAME: 'Sluice demo',
    GIT_COMMITTER_EMAIL: 'demo@example.invalid',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
  };
  try {
    const { stdout } = await execute('git', [...words], {
      cwd,
      env: { ...environment, ...identity },
    });
    return stdout;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DriverError('git-failed', `git ${words[0] ?? ''}: ${why}`, {
      retry: 'never',
      cause: error,
    });
  }
}

async function once(
  options: StageOptions,
  words: readonly string[],
): Promise<{ status: number; output: string }> {
  const child = spawn(options.self[0], [options.self[1], ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: options.environment,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const status = await new Promise<number>((resolve) => {
    child.on('close', (code) => {
      resolve(code ?? 2);
    });
  });
  return { status, output };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

async function until(
  signal: AbortSignal,
  what: string,
  holds: () => Promise<boolean>,
): Promise<void> {
  const started = Date.now();
  while (!(await holds())) {
    if (Date.now() - started > START_MS) {
      throw new DriverError('demo-not-started', `${what} does not answer`, { retry: 'never' });
    }
    await sleep(100, undefined, { signal });
  }
}

async function isFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined;
}

async function freePort(): Promise<number> {
  const port = await tryListen(0);
  if (port !== undefined) return port;
  throw new DriverError('no-free-port', 'no port of 127.0.0.1 is free', { retry: 'never' });
}

async function tryListen(port: number): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : undefined);
      });
    });
  });
}

/** A copy of the blueprints as they are, for people who play on. */
export function copyBlueprints(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
}
