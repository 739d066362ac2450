import { chmod, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGitSource } from '../../reconciler/source/git.ts';
import type { GitSourceOptions } from '../../reconciler/source/git.ts';
import type { Source } from '../../reconciler/source/port.ts';
import { createGitRemote, GIT_ENV } from './git-remote.ts';
import type { GitRemote } from './git-remote.ts';

const { signal } = new AbortController();
let remote: GitRemote;
let commands: string[];

beforeEach(async () => {
  remote = await createGitRemote();
  commands = [];
});
afterEach(async () => {
  await remote.close();
});

function open(options: Partial<GitSourceOptions> = {}): Source {
  return createGitSource({
    url: remote.bare,
    ref: { branch: 'main' },
    mirrorDir: remote.mirrorDir,
    environment: { PATH: GIT_ENV.PATH },
    onCommand: (args) => commands.push(args[0] ?? ''),
    ...options,
  });
}

async function readHead(source: Source) {
  const view = await source.poll(signal);
  if (view.revision === undefined) throw new Error(view.message);
  return source.snapshot(view.revision, signal);
}

describe('Polling', () => {
  it('asks the remote once and fetches only when the head has moved', async () => {
    const source = open();
    await remote.commit({ 'a.yml': 'one' });
    await source.poll(signal);
    commands = [];
    await source.poll(signal);
    expect(commands).toEqual(['ls-remote']);

    await remote.commit({ 'a.yml': 'two' });
    commands = [];
    await source.poll(signal);
    expect(commands.filter((name) => name === 'ls-remote' || name === 'fetch')).toEqual([
      'ls-remote',
      'fetch',
    ]);
  });

  it('takes a restart without a fetch, and remembers the head while the remote is down', async () => {
    const revision = await remote.commit({ 'a.yml': 'one' });
    await open().poll(signal);
    commands = [];
    expect(await open().poll(signal)).toMatchObject({ state: 'fresh', revision });
    expect(commands).not.toContain('fetch');

    await rm(remote.bare, { recursive: true });
    const source = open();
    expect(await source.poll(signal)).toEqual({
      state: 'remote-down',
      code: 'remote-not-found',
      message: `${remote.bare}: '${remote.bare}' does not appear to be a git repository. What to do: check source.url, and whether the token may see this repository`,
      revision,
    });
    expect(await source.snapshot(revision, signal)).toEqual({
      revision,
      files: [{ path: 'a.yml', text: 'one' }],
    });
  });

  it('says that a repository without its branch is not an empty one', async () => {
    await remote.commit({ 'a.yml': 'one' });
    await remote.git('branch', 'release');
    await remote.git('update-ref', '-d', 'refs/heads/main');

    expect(await open().poll(signal)).toEqual({
      state: 'branch-gone',
      code: 'branch-gone',
      message: `${remote.bare} has no branch main. Push it again, or name another in source.branch or source.tag; until then the last good revision stays`,
    });
  });

  it('answers at once when it is told to stop', async () => {
    const view = await open().poll(AbortSignal.abort());

    expect(view).toMatchObject({ state: 'remote-down', code: 'remote-timeout' });
  });

  it('says what is missing when there is no git', async () => {
    const view = await open({ environment: { PATH: remote.directory } }).poll(signal);

    expect(view).toMatchObject({ state: 'remote-down', code: 'git-missing' });
  });

  it('ends a git that hangs', async () => {
    const bin = path.join(remote.directory, 'bin');
    await mkdir(bin);
    await writeFile(path.join(bin, 'git'), '#!/bin/sh\nexec sleep 100\n');
    await chmod(path.join(bin, 'git'), 0o755);
    const environment = { PATH: `${bin}:${GIT_ENV.PATH}` };

    const view = await open({ environment, limits: { timeoutMs: 300 } }).poll(signal);

    expect(view).toMatchObject({ state: 'remote-down', code: 'remote-timeout' });
  });
});

describe('What is followed', () => {
  it('peels an annotated tag to its commit', async () => {
    const revision = await remote.commit({ 'a.yml': 'one' });
    await remote.git('tag', '--annotate', 'v1', '--message', 'First');
    await remote.commit({ 'a.yml': 'two' });

    expect(await readHead(open({ ref: { tag: 'v1' } }))).toEqual({
      revision,
      files: [{ path: 'a.yml', text: 'one' }],
    });
    expect(await open({ ref: { tag: 'v2' } }).poll(signal)).toMatchObject({
      state: 'branch-gone',
      code: 'tag-gone',
    });
  });

  it('fetches a fixed revision once and asks no more', async () => {
    const first = await remote.commit({ 'a.yml': 'one' });
    await remote.commit({ 'a.yml': 'two' });
    const source = open({ ref: { revision: first } });
    expect(await readHead(source)).toEqual({
      revision: first,
      files: [{ path: 'a.yml', text: 'one' }],
    });
    commands = [];

    expect(await source.poll(signal)).toMatchObject({ state: 'fresh', revision: first });
    expect(commands).toEqual([]);
  });

  it('says so when a fixed revision does not exist', async () => {
    await remote.commit({ 'a.yml': 'one' });
    const view = await open({ ref: { revision: 'e'.repeat(40) } }).poll(signal);

    expect(view).toMatchObject({ state: 'branch-gone', code: 'revision-gone' });
  });

  it('refuses a tag that names no commit', async () => {
    await remote.commit({ 'a.yml': 'one' });
    await remote.git('tag', 'tree', 'HEAD^{tree}');

    expect(await open({ ref: { tag: 'tree' } }).poll(signal)).toMatchObject({
      state: 'refused',
      code: 'not-a-commit',
    });
  });

  it('reads one directory, with paths relative to it', async () => {
    const revision = await remote.commit({ 'a.yml': 'outside', 'deploy/eu/b.yml': 'inside' });
    const source = open({ path: '/deploy/' });

    expect(await readHead(source)).toEqual({
      revision,
      files: [{ path: 'eu/b.yml', text: 'inside' }],
    });
    expect(await source.revisionsOf('eu/b.yml', revision, signal)).toEqual([revision]);
    expect(source.fingerprint).toBe(`${remote.bare} branch main path /deploy`);
  });

  it('does not take a missing directory for an empty one', async () => {
    await remote.commit({ 'a.yml': 'outside' });

    await expect(readHead(open({ path: 'deploy' }))).rejects.toMatchObject({
      code: 'path-missing',
    });
  });
});

describe('Reading', () => {
  it('takes names and bytes as they are', async () => {
    const odd = 'deploy "ä"\n\t:(top)*.yml';
    const revision = await remote.commit({
      [odd]: 'odd',
      'empty.yml': '',
      'binary.yml': Uint8Array.from([0xff, 0xfe, 0x00, 0x0a, 0x41]),
      'README.md': 'not a blueprint',
      '.github/workflows/ci.yml': 'not a blueprint either',
    });

    expect(await readHead(open())).toEqual({
      revision,
      files: [
        { path: 'binary.yml', text: '\uFFFD\uFFFD\0\nA' },
        { path: odd, text: 'odd' },
        { path: 'empty.yml', text: '' },
      ],
    });
    expect(await open().revisionsOf(odd, revision, signal)).toEqual([revision]);
  });

  it('chooses files by patterns of names and of paths', async () => {
    await remote.commit({ 'a.yml': '1', 'b/c.yml': '2', 'b/d/e.yaml': '3', 'f.json': '4' });
    async function paths(include: readonly string[]): Promise<readonly string[]> {
      return (await readHead(open({ include }))).files.map((file) => file.path);
    }

    expect(await paths(['*.yml'])).toEqual(['a.yml', 'b/c.yml']);
    expect(await paths(['b/*'])).toEqual(['b/c.yml']);
    expect(await paths(['b/**', '?.json'])).toEqual(['b/c.yml', 'b/d/e.yaml', 'f.json']);
  });

  it('follows neither links nor submodules, and leaves LFS pointers as text', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n';
    const first = await remote.commit({ 'big.yml': pointer });
    await remote.link('passwords.yml', '/etc/passwd');
    await remote.git('update-index', '--add', '--cacheinfo', `160000,${first},module.yml`);
    const revision = await remote.commit({});

    expect(await readHead(open())).toEqual({
      revision,
      unread: ['passwords.yml'],
      files: [{ path: 'big.yml', text: pointer }],
    });
  });

  it.each([
    ['too-many-files', { files: 1 }],
    ['file-too-large', { fileBytes: 5 }],
    ['snapshot-too-large', { totalBytes: 9 }],
  ])('stops at %s', async (code, limits) => {
    await remote.commit({ 'a.yml': '123456', 'b.yml': '1234' });

    await expect(readHead(open({ limits }))).rejects.toMatchObject({
      name: 'DriverError',
      code,
      retry: 'never',
    });
  });

  it('accepts what just fits', async () => {
    await remote.commit({ 'a.yml': '123456', 'b.yml': '1234' });
    const limits = { files: 2, fileBytes: 6, totalBytes: 10 };

    expect((await readHead(open({ limits }))).files).toHaveLength(2);
  });
});

describe('A hostile or broken world', () => {
  it.each([
    ['ext::sh -c "touch pwned"', 'remote-refused'],
    ['fd::17', 'remote-refused'],
    ['git://example.invalid/repository', 'remote-refused'],
    ['ssh://git@example.invalid/repository', 'secret-in-url'],
    ['ssh://example.invalid/repository', 'remote-refused'],
    ['git@example.invalid:repository', 'remote-refused'],
    ['http://example.invalid/repository', 'remote-refused'],
    ['--upload-pack=touch pwned', 'remote-refused'],
    ['../relative', 'remote-refused'],
    ['https://user:hunter22@example.invalid/repository', 'secret-in-url'],
    ['https://example.invalid/repository?private_token=hunter22', 'secret-in-url'],
  ])('refuses the url %s', async (url, code) => {
    const source = open({ url });
    const view = await source.poll(signal);

    expect(view).toMatchObject({ state: 'refused', code });
    expect(`${view.message} ${source.fingerprint}`).not.toContain('hunter22');
    expect(commands).toEqual([]);
    await expect(source.snapshot('e'.repeat(40), signal)).rejects.toMatchObject({ code });
  });

  it.each(['-evil', 'a..b', 'a b', 'x.lock', 'main^{}', 'a//b', ''])(
    'refuses the branch "%s"',
    async (branch) => {
      expect(await open({ ref: { branch } }).poll(signal)).toMatchObject({
        state: 'refused',
        code: 'ref-invalid',
      });
    },
  );

  it('runs nothing that the remote brings along', async () => {
    const trap = path.join(remote.directory, 'sprung');
    const script = `#!/bin/sh\ntouch '${trap}'\n`;
    const hooks = path.join(remote.bare, 'hooks');
    await mkdir(hooks, { recursive: true });
    for (const hook of ['post-checkout', 'post-merge', 'reference-transaction', 'post-update']) {
      await writeFile(path.join(hooks, hook), script);
      await chmod(path.join(hooks, hook), 0o755);
    }
    const revision = await remote.commit({
      'a.yml': 'one',
      '.gitattributes': '*.yml filter=evil\n',
      '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = https://example.invalid/x\n',
    });
    await rm(trap, { force: true });
    await remote.git('config', 'uploadpack.packObjectsHook', `touch '${trap}' #`);

    expect(await readHead(open())).toEqual({ revision, files: [{ path: 'a.yml', text: 'one' }] });
    expect(await readdir(remote.directory)).not.toContain('sprung');
  });

  it('says that it cannot write its mirror', async () => {
    await writeFile(path.join(remote.directory, 'file'), '');
    const mirrorDir = path.join(remote.directory, 'file', 'mirror');

    expect(await open({ mirrorDir }).poll(signal)).toEqual({
      state: 'remote-down',
      code: 'mirror-unwritable',
      message: `The directory of the mirror, ${mirrorDir}, cannot be read and written. Give Sluice access to it, and room`,
    });
  });

  it('does not leave the repository by its path', async () => {
    expect(await open({ path: './a/../../b' }).poll(signal)).toMatchObject({
      state: 'refused',
      code: 'path-invalid',
    });
  });

  it('never touches a directory that is not its mirror', async () => {
    const mirrorDir = path.join(remote.directory, 'photos');
    await mkdir(mirrorDir);
    await writeFile(path.join(mirrorDir, 'cat.jpg'), 'cat');

    expect(await open({ mirrorDir }).poll(signal)).toMatchObject({
      state: 'refused',
      code: 'mirror-not-ours',
    });
    expect(await readFile(path.join(mirrorDir, 'cat.jpg'), 'utf8')).toBe('cat');
  });

  it.each([
    ['half made', async (mirror: string) => rm(path.join(mirror, 'HEAD'))],
    [
      'of a broken configuration',
      async (mirror: string) => writeFile(path.join(mirror, 'config'), '[['),
    ],
    ['of an empty ref', async (mirror: string) => breakRefs(mirror)],
  ])('makes a mirror anew that is %s', async (_what, damage) => {
    await remote.commit({ 'a.yml': 'one' });
    await open().poll(signal);
    const revision = await remote.commit({ 'a.yml': 'two' });
    await damage(remote.mirrorDir);
    const source = open();

    let view = await source.poll(signal);
    if (view.state !== 'fresh') view = await source.poll(signal);

    expect(view).toMatchObject({ state: 'fresh', revision });
    expect(await source.snapshot(revision, signal)).toEqual({
      revision,
      files: [{ path: 'a.yml', text: 'two' }],
    });
  });

  it('makes a mirror anew that lost its objects, as soon as a read notices', async () => {
    const revision = await remote.commit({ 'a.yml': 'one' });
    const source = open();
    await source.poll(signal);
    const objects = path.join(remote.mirrorDir, 'objects');
    await rm(objects, { recursive: true });
    await mkdir(objects);

    await expect(source.snapshot(revision, signal)).rejects.toMatchObject({
      code: 'mirror-corrupt',
      retry: 'soon',
    });
    expect(await source.poll(signal)).toMatchObject({ state: 'fresh', revision });
    expect((await source.snapshot(revision, signal)).files).toEqual([
      { path: 'a.yml', text: 'one' },
    ]);
  });

  it('makes a mirror anew that was deleted under it', async () => {
    const revision = await remote.commit({ 'a.yml': 'one' });
    const source = open();
    await source.poll(signal);
    await rm(remote.mirrorDir, { recursive: true });

    await expect(source.snapshot(revision, signal)).rejects.toMatchObject({
      code: 'revision-unknown',
    });
    await rm(remote.mirrorDir, { recursive: true });
    expect(await source.poll(signal)).toMatchObject({ state: 'fresh', revision });
    expect((await source.snapshot(revision, signal)).files).toHaveLength(1);
  });

  it('keeps its mirror when it is the remote that is broken', async () => {
    const first = await remote.commit({ 'a.yml': 'one' });
    const source = open();
    await source.poll(signal);
    await remote.commit({ 'a.yml': 'two' });
    const blob = await remote.git('rev-parse', 'HEAD:a.yml');
    await rm(path.join(remote.bare, 'objects', blob.slice(0, 2), blob.slice(2)));

    for (let round = 0; round < 2; round += 1) {
      expect(await source.poll(signal)).toMatchObject({ revision: first });
      expect(await source.poll(signal)).not.toMatchObject({ state: 'fresh' });
    }
    expect(await source.snapshot(first, signal)).toEqual({
      revision: first,
      files: [{ path: 'a.yml', text: 'one' }],
    });
  });

  it('removes locks that a killed git left long ago, and names fresh ones', async () => {
    await remote.commit({ 'a.yml': 'one' });
    await open().poll(signal);
    const revision = await remote.commit({ 'a.yml': 'two' });
    const [head] = await readdir(path.join(remote.mirrorDir, 'refs', 'sluice', 'head'));
    const lock = path.join(remote.mirrorDir, 'refs', 'sluice', 'head', `${head ?? ''}.lock`);
    await writeFile(lock, '');
    const source = open();
    expect(await source.poll(signal)).toMatchObject({
      state: 'remote-down',
      code: 'mirror-locked',
    });

    await utimes(lock, new Date(0), new Date(0));
    expect(await source.poll(signal)).toMatchObject({ state: 'fresh', revision });
  });
});

async function breakRefs(mirror: string): Promise<void> {
  for (const kind of ['head', 'seen']) {
    const directory = path.join(mirror, 'refs', 'sluice', kind);
    for (const name of await readdir(directory)) await writeFile(path.join(directory, name), '');
  }
}
