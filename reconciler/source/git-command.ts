import { spawn } from 'node:child_process';
import { GitPluginError, simpleGit } from 'simple-git';
import type { Remote } from './remote-url.ts';

/** Called once per git child, with its arguments; they never hold a secret. */
export type OnCommand = (args: readonly string[]) => void;

export interface GitOptions {
  /** The bare mirror; every command works in it and looks no further. */
  readonly mirrorDir: string;
  readonly remote: Remote;
  readonly timeoutMs: number;
  /** Variables for git, of which only PATH, proxies and certificate places are passed on. */
  readonly environment: Readonly<Record<string, string>>;
  /** PEM file with the authorities of a private https remote. */
  readonly caFile?: string;
  readonly onCommand?: OnCommand;
}

/** A git child that failed. `text` is what git said, not yet fit for people. */
export class GitFault extends Error {
  readonly kind: 'exit' | 'timeout' | 'aborted' | 'unstarted' | 'too-much';
  readonly text: string;

  constructor(kind: GitFault['kind'], text: string) {
    super(`git: ${kind}`);
    this.name = 'GitFault';
    this.kind = kind;
    this.text = text;
  }
}

export interface Git {
  /** Runs a command that speaks with the remote. `header` is an Authorization value for it. */
  talk(args: readonly string[], signal: AbortSignal, header?: string): Promise<string>;
  /** Runs a command in the mirror alone. */
  run(args: readonly string[], signal: AbortSignal): Promise<string>;
  /** Runs a command with input and a bound on its output, in bytes. */
  pipe(args: readonly string[], pipe: PipeOptions, signal: AbortSignal): Promise<Buffer>;
}

export interface PipeOptions {
  readonly input?: string;
  readonly maxBytes: number;
}

/** How long a killed child may take to end before its caller goes on without it. */
const KILL_GRACE_MS = 2_000;

/** Room for a million lines of `git log --format=%H`. */
const ANSWER_BYTES = 64 * 1_024 * 1_024;

/** Guarded keys that simple-git strips unless they are named. */
const ALLOWED_KEYS = [
  'GIT_CONFIG_COUNT',
  'GIT_CONFIG_GLOBAL',
  'GIT_CONFIG_NOSYSTEM',
  'GIT_DIR',
  'GIT_LFS_SKIP_SMUDGE',
  'GIT_LITERAL_PATHSPECS',
  'GIT_NO_REPLACE_OBJECTS',
  'GIT_OPTIONAL_LOCKS',
  'GIT_PROTOCOL_FROM_USER',
  'GIT_TERMINAL_PROMPT',
];

export function createGit(options: GitOptions): Git {
  async function talk(args: readonly string[], signal: AbortSignal, header?: string) {
    const both = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
    if (both.aborted) throw new GitFault('aborted', '');
    options.onCommand?.(args);
    const env = environmentOf(options, header);
    const git = simpleGit({
      baseDir: options.mirrorDir,
      abort: both,
      errors: exitError,
      allowEnvironment: [...ALLOWED_KEYS, ...Object.keys(env).filter(isConfigPair)],
      unsafe: {
        allowUnsafeConfigEnvCount: true,
        allowUnsafeConfigPaths: true,
        allowUnsafeAskPass: true,
        allowUnsafeCredentialHelper: true,
        allowUnsafeFsMonitor: true,
        allowUnsafeHooksPath: true,
        allowUnsafeProtocolOverride: true,
        allowUnsafeTemplateDir: true,
      },
    }).env(env);
    try {
      return await Promise.race([git.raw([...args]), lateAbort(both)]);
    } catch (error) {
      throw faultOf(error, signal, both);
    }
  }

  async function pipe(args: readonly string[], pipeOptions: PipeOptions, signal: AbortSignal) {
    const both = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
    if (both.aborted) throw new GitFault('aborted', '');
    options.onCommand?.(args);
    const child = { args, env: environmentOf(options), cwd: options.mirrorDir };
    try {
      return await collect(child, pipeOptions, both);
    } catch (error) {
      throw faultOf(error, signal, both);
    }
  }

  /** simple-git waits 50 ms for words of a silent command, so local ones go without it. */
  async function run(args: readonly string[], signal: AbortSignal) {
    return (await pipe(args, { maxBytes: ANSWER_BYTES }, signal)).toString('utf8');
  }

  return { talk, run, pipe };
}

/** simple-git takes a failure without a word on stderr for success. */
function exitError(
  error: Buffer | Error | undefined,
  result: { exitCode: number; stdErr: Buffer[] },
) {
  if (error !== undefined || result.exitCode === 0) return error;
  return new Error(Buffer.concat(result.stdErr).toString() || `exit status ${result.exitCode}`);
}

function isConfigPair(key: string): boolean {
  return key.startsWith('GIT_CONFIG_KEY_') || key.startsWith('GIT_CONFIG_VALUE_');
}

/**
 * Settings travel in the environment: they win over every file, and a token in them is seen
 * neither in the process list nor on the disk.
 */
function environmentOf(options: GitOptions, header?: string): Record<string, string> {
  const settings = settingsOf(options);
  if (header !== undefined && options.remote.origin !== undefined) {
    settings.push([`http.${options.remote.origin}/.extraHeader`, `Authorization: ${header}`]);
  }
  const env: Record<string, string> = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    ...Object.fromEntries(Object.entries(options.environment).filter(([key]) => isInherited(key))),
    LC_ALL: 'C',
    GIT_DIR: options.mirrorDir,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_CONFIG_COUNT: String(settings.length),
  };
  for (const [index, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${String(index)}`] = key;
    env[`GIT_CONFIG_VALUE_${String(index)}`] = value;
  }
  return env;
}

/** Everything else could redirect git, or start programs. */
function isInherited(key: string): boolean {
  return /^(?:PATH|TMPDIR|SSL_CERT_FILE|SSL_CERT_DIR|(?:https?|all|no)_proxy)$/iu.test(key);
}

function settingsOf(options: GitOptions): [string, string][] {
  const settings: [string, string][] = [
    ['protocol.allow', 'never'],
    [`protocol.${options.remote.protocol}.allow`, 'always'],
    ['core.hooksPath', '/dev/null'],
    ['core.fsmonitor', 'false'],
    ['core.symlinks', 'false'],
    ['core.askPass', ''],
    ['credential.helper', ''],
    // A redirect would carry the token to whoever it names.
    ['http.followRedirects', 'false'],
    ['http.lowSpeedLimit', '1'],
    ['http.lowSpeedTime', String(Math.max(1, Math.ceil(options.timeoutMs / 1_000)))],
    ['transfer.fsckObjects', 'true'],
    ['fetch.recurseSubmodules', 'false'],
    // Old heads must stay readable after a force-push, so nothing is ever pruned.
    ['gc.pruneExpire', 'never'],
    ['gc.autoDetach', 'false'],
    ['gc.autoPackLimit', '50'],
    ['maintenance.auto', 'false'],
  ];
  if (options.caFile !== undefined) settings.push(['http.sslCAInfo', options.caFile]);
  return settings;
}

/** Rejects a little after the abort, for a child that does not die of its signal. */
async function lateAbort(signal: AbortSignal): Promise<never> {
  return new Promise<never>((_resolve, reject) => {
    signal.addEventListener(
      'abort',
      () => {
        setTimeout(() => {
          reject(new GitFault('aborted', ''));
        }, KILL_GRACE_MS).unref();
      },
      { once: true },
    );
  });
}

interface Child {
  readonly args: readonly string[];
  readonly env: Record<string, string>;
  readonly cwd: string;
}

/** simple-git never closes the input of `cat-file --batch`, so this one is spawned by hand. */
async function collect(child: Child, options: PipeOptions, signal: AbortSignal): Promise<Buffer> {
  return new Promise<Buffer>((resolve, reject) => {
    const git = spawn('git', [...child.args], { cwd: child.cwd, env: child.env, signal });
    const chunks: Buffer[] = [];
    let size = 0;
    let errors = '';
    git.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > options.maxBytes) {
        git.kill('SIGKILL');
        reject(new GitFault('too-much', ''));
        return;
      }
      chunks.push(chunk);
    });
    git.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(0, 8_000);
    });
    git.on('error', reject);
    // A child that ends early breaks the pipe; its exit status tells the story.
    git.stdin.on('error', () => undefined);
    git.on('close', (status) => {
      if (status === 0) resolve(Buffer.concat(chunks));
      else reject(new GitFault('exit', errors));
    });
    git.stdin.end(options.input ?? '');
  });
}

function faultOf(error: unknown, asked: AbortSignal, both: AbortSignal): unknown {
  if (error instanceof GitFault && error.kind !== 'aborted') return error;
  if (asked.aborted) return new GitFault('aborted', '');
  if (both.aborted) return new GitFault('timeout', '');
  // simple-git refuses a command before it runs: that is a bug of ours, not a fault of git.
  if (error instanceof GitPluginError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new GitFault(/^(?:Error: )?spawn /u.test(text) ? 'unstarted' : 'exit', text);
}
