import { execFile, spawn } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

const AUTHOR = { name: 'Sluice tests', email: 'tests@example.invalid' };

export const GIT_ENV = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: AUTHOR.name,
  GIT_AUTHOR_EMAIL: AUTHOR.email,
  GIT_COMMITTER_NAME: AUTHOR.name,
  GIT_COMMITTER_EMAIL: AUTHOR.email,
};

/** A bare repository, and a work tree whose commits go straight into it. */
export interface GitRemote {
  readonly directory: string;
  /** The bare repository. */
  readonly bare: string;
  readonly work: string;
  readonly mirrorDir: string;
  git(...args: readonly string[]): Promise<string>;
  /** Writes (undefined: removes) files, commits to main; resolves to the commit. */
  commit(files: Readonly<Record<string, string | Uint8Array | undefined>>): Promise<string>;
  /** Puts a new history of one commit in the place of main. */
  rewrite(files: Readonly<Record<string, string>>): Promise<string>;
  link(name: string, target: string): Promise<void>;
  close(): Promise<void>;
}

export async function createGitRemote(): Promise<GitRemote> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'sluice-source-'));
  const bare = path.join(directory, 'remote.git');
  const work = path.join(directory, 'work');

  async function git(...args: readonly string[]): Promise<string> {
    const env = { ...GIT_ENV, GIT_DIR: bare, GIT_WORK_TREE: work };
    const { stdout } = await exec('git', [...args], { cwd: work, env });
    return stdout.trim();
  }
  async function stage(files: Readonly<Record<string, string | Uint8Array | undefined>>) {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(work, name);
      await mkdir(path.dirname(file), { recursive: true });
      if (content === undefined) await rm(file, { force: true });
      else await writeFile(file, content);
    }
    await git('add', '--all');
  }

  await mkdir(work);
  const setup = ['init', '--quiet', '--bare', '--initial-branch', 'main', bare];
  await exec('git', setup, { env: GIT_ENV });
  await appendFile(path.join(bare, 'config'), '[maintenance]\n\tauto = false\n');
  return {
    directory,
    bare,
    work,
    mirrorDir: path.join(directory, 'mirror'),
    git,
    async commit(files) {
      await stage(files);
      await git('commit', '--quiet', '--allow-empty', '--message', 'Change blueprints');
      return git('rev-parse', 'HEAD');
    },
    async rewrite(files) {
      await git('rm', '--quiet', '-r', '--force', '.');
      await stage(files);
      const tree = await git('write-tree');
      const revision = await git('commit-tree', '-m', 'Begin anew', tree);
      await git('update-ref', 'refs/heads/main', revision);
      return revision;
    },
    async link(name, target) {
      await symlink(target, path.join(work, name));
    },
    async close() {
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** git-http-backend behind a small server that wants one of the Authorization headers. */
export interface HttpRemote {
  readonly url: string;
  readonly server: Server;
  /** Authorization headers as they came, one per request. */
  readonly seen: (string | undefined)[];
  close(): Promise<void>;
}

export async function serveOverHttp(
  remote: GitRemote,
  allowed: (authorization: string | undefined) => boolean,
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<HttpRemote> {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    if (intercept?.(request, response) === true) return;
    if (allowed(request.headers.authorization)) {
      runBackend(remote, request, response);
      return;
    }
    response.writeHead(401, { 'www-authenticate': 'Basic realm="tests"' }).end('no');
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${String(port)}/remote.git`,
    server,
    seen,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** Listens on a free port of loopback and names it. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function runBackend(remote: GitRemote, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...GIT_ENV,
      GIT_PROJECT_ROOT: remote.directory,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
    },
  });
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf('\r\n\r\n');
    for (const line of answer.toString('latin1', 0, end).split('\r\n')) {
      const colon = line.indexOf(':');
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
      if (name === 'Status') response.statusCode = Number(value.slice(0, 3));
      else response.setHeader(name, value);
    }
    response.end(answer.subarray(end + 4));
  });
}
