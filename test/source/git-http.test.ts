import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGitSource } from '../../reconciler/source/git.ts';
import type { GitSourceOptions } from '../../reconciler/source/git.ts';
import type { Source } from '../../reconciler/source/port.ts';
import { createGitRemote, GIT_ENV, listen, serveOverHttp } from './git-remote.ts';
import type { GitRemote, HttpRemote } from './git-remote.ts';

const { signal } = new AbortController();
const SECRET = 'hunter22-very-secret';
let remote: GitRemote;
let http: HttpRemote | undefined;
let commands: string[];

beforeEach(async () => {
  remote = await createGitRemote();
  commands = [];
});
afterEach(async () => {
  await http?.close();
  await remote.close();
});

async function open(
  url: string,
  token?: string,
  more: Partial<GitSourceOptions> = {},
): Promise<Source> {
  const tokenFile = path.join(remote.directory, 'token');
  if (token !== undefined) await writeFile(tokenFile, `${token}\n`);
  return createGitSource({
    url,
    ref: { branch: 'main' },
    mirrorDir: remote.mirrorDir,
    environment: { PATH: GIT_ENV.PATH },
    onCommand: (args) => commands.push(args.join(' ')),
    ...(token === undefined ? {} : { tokenFile }),
    ...more,
  });
}

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

describe('A git remote over http', () => {
  it.each([
    ['a bare token', SECRET, basic(`x-access-token:${SECRET}`)],
    ['a user with a password', `deploy:${SECRET}`, basic(`deploy:${SECRET}`)],
    ['a whole header value', `Bearer ${SECRET}`, `Bearer ${SECRET}`],
  ])('gets %s as a header, which no argument shows', async (_what, token, header) => {
    const revision = await remote.commit({ 'a.yml': 'one' });
    http = await serveOverHttp(remote, (authorization) => authorization === header);
    const source = await open(http.url, token);

    expect(await source.poll(signal)).toMatchObject({ state: 'fresh', revision });
    expect(await source.snapshot(revision, signal)).toEqual({
      revision,
      files: [{ path: 'a.yml', text: 'one' }],
    });
    expect(new Set(http.seen)).toEqual(new Set([header]));
    expect(commands.join('\n')).not.toContain(SECRET);
    expect(commands.join('\n')).not.toContain(header.split(' ')[1]);
  });

  it.each([
    ['a wrong token', 'wrong-token'],
    ['none', undefined],
  ])(
    'answers %s with what to check, and takes up a right one without a restart',
    async (_what, token) => {
      const revision = await remote.commit({ 'a.yml': 'one' });
      const header = basic(`x-access-token:${SECRET}`);
      http = await serveOverHttp(remote, (authorization) => authorization === header);
      const tokenFile = path.join(remote.directory, 'token');
      const source = await open(http.url, token, token === undefined ? {} : { tokenFile });

      const view = await source.poll(signal);
      expect(view).toMatchObject({ state: 'refused', code: 'remote-unauthorized' });
      expect(view.message).toContain('check source.token_file');
      expect(view.message).not.toContain('wrong-token');
      if (token === undefined) return;

      await writeFile(tokenFile, SECRET);
      expect(await source.poll(signal)).toMatchObject({ state: 'fresh', revision });
    },
  );

  it('says which token file it cannot read', async () => {
    const tokenFile = path.join(remote.directory, 'absent');
    const source = await open('https://127.0.0.1:1/remote.git', undefined, { tokenFile });

    expect(await source.poll(signal)).toEqual({
      state: 'refused',
      code: 'token-unreadable',
      message: `The token file ${tokenFile} cannot be read. It should hold the token in one line`,
    });
  });

  it('does not carry the token along a redirect', async () => {
    const stolen: (string | undefined)[] = [];
    const foreign = createServer((request, response) => {
      stolen.push(request.headers.authorization);
      response.end();
    });
    const port = await listen(foreign);
    http = await serveOverHttp(
      remote,
      () => true,
      (request, response) => {
        const location = `http://127.0.0.1:${String(port)}${request.url ?? ''}`;
        response.writeHead(302, { location }).end();
        return true;
      },
    );

    expect(await (await open(http.url, SECRET)).poll(signal)).toMatchObject({
      state: 'refused',
      code: 'remote-redirects',
    });
    expect(stolen).toEqual([]);
    foreign.close();
  });

  it('gives up on a remote that does not answer', async () => {
    http = await serveOverHttp(
      remote,
      () => true,
      () => true,
    );
    const source = await open(http.url, SECRET, { limits: { timeoutMs: 500 } });

    expect(await source.poll(signal)).toMatchObject({
      state: 'remote-down',
      code: 'remote-timeout',
    });
  });

  it('survives a fetch that is cut in the middle', async () => {
    const revision = await remote.commit({ 'a.yml': 'one' });
    let cuts = 1;
    http = await serveOverHttp(
      remote,
      () => true,
      (request, response) => {
        if (request.method !== 'POST' || request.headers['content-length'] === undefined)
          return false;
        if (cuts === 0 || Number(request.headers['content-length']) < 200) return false;
        cuts -= 1;
        response.socket?.destroy();
        return true;
      },
    );
    const source = await open(http.url, SECRET);
    let view = await source.poll(signal);
    if (view.state !== 'fresh') view = await source.poll(signal);

    expect(view).toMatchObject({ state: 'fresh', revision });
  });

  it('tells a remote that is down from one that refuses', async () => {
    await remote.commit({ 'a.yml': 'one' });
    http = await serveOverHttp(remote, () => true);
    const source = await open(http.url);
    await source.poll(signal);
    await http.close();

    expect(await source.poll(signal)).toMatchObject({
      state: 'remote-down',
      code: 'remote-unreachable',
    });
  });
});
