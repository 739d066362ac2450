import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { runProgram } from '../../reconciler/commands/program.ts';
import { DriverError } from '../../reconciler/errors.ts';

// The command line as a newcomer meets it: nothing runs but a Marathon without apps. Most of it is
// called in this process, which is fast; what main.ts itself does is seen from outside.
const MAIN = fileURLToPath(new URL('../../reconciler/main.ts', import.meta.url));
const WRAPPER = fileURLToPath(new URL('../../reconciler/sluice', import.meta.url));
const BLUEPRINT = [
  'name: shop',
  'gateways: {9050: web/http}',
  'clusters:',
  '  web:',
  '    services:',
  '      - breed: {name: "web:1.0", deployable: shop/web:1.0, ports: {http: 8080/http}}',
  '        scale: {cpu: 0.1, memory: 64MB, instances: 1}',
  '',
].join('\n');

let folder: string;
let marathon: Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-usage-'));
  marathon = createServer((_request, response) => response.end('{"apps": []}'));
  marathon.listen(0, '127.0.0.1');
  await once(marathon, 'listening');
  const repository = join(folder, 'repository');
  mkdirSync(repository);
  writeFileSync(join(repository, 'shop.yml'), BLUEPRINT);
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.invalid'];
  for (const words of [
    ['init', '--quiet', '--initial-branch=main'],
    ['add', '.'],
    [...identity, 'commit', '--quiet', '-m', 'Run web 1.0'],
  ]) {
    execFileSync('git', words, { cwd: repository });
  }
  configure('sluice.yml', portOf(marathon), '');
});

afterAll(() => {
  marathon.close();
  rmSync(folder, { recursive: true, force: true });
});

function configure(name: string, port: number, more: string): void {
  writeFileSync(
    join(folder, name),
    [
      `source: {url: ${join(folder, 'repository')}}`,
      `marathon: {urls: ["http://127.0.0.1:${String(port)}"], timeout: 2s}`,
      `state_dir: ${join(folder, 'state')}`,
      more,
      '',
    ].join('\n'),
  );
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function call(program: string, words: readonly string[], path?: string): Promise<Outcome> {
  const env = { ...process.env, ...(path !== undefined && { PATH: path }) };
  return new Promise((resolve) => {
    execFile(program, [...words], { cwd: folder, env }, (error, out, err) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

/** As main.ts does it, without its signals and its streams. */
async function sluice(...words: readonly string[]): Promise<Outcome> {
  const told = { status: 0, out: '', err: '' };
  await runProgram({
    words,
    version: '1.2.3',
    self: [process.execPath, MAIN],
    demoBlueprints: folder,
    defaultConfig: join(folder, 'sluice.yml'),
    env: {},
    inherited: { PATH: process.env['PATH'] ?? '' },
    terminal: (output, signal) => ({
      out: (text) => {
        told.out += text;
      },
      err: (text) => {
        told.err += text;
      },
      colour: false,
      json: output === 'json',
      signal,
    }),
    logger: () => pino({ level: 'silent' }),
    perform: async (task) => {
      try {
        told.status = await task(new AbortController().signal);
      } catch (error) {
        if (!(error instanceof DriverError)) throw error;
        told.err += `sluice: ${error.code}: ${error.message}\n`;
        told.status = 2;
      }
    },
  });
  return told;
}

describe('usage', () => {
  test.each([
    [[], 'Usage: sluice'],
    [['--nope'], "unknown option '--nope'"],
    [['aply'], "unknown command 'aply'"],
    [['gateway'], 'Usage: sluice gateway'],
    [['gateway', 'strt'], "unknown command 'strt'"],
    [['check'], "missing required argument 'url'"],
    [['check', 'http://127.0.0.1:1/', 'many'], 'must be a whole number above 0'],
    [['apply', '--timeout', 'soon'], 'must be a time such as 30s or 10m'],
    [['status', 'extra'], 'too many arguments'],
    [['approve', 'x', '--marathon-url', 'http://127.0.0.1:1'], 'unknown option'],
  ])('that is wrong has status 2: %j', async (words, said) => {
    const found = await sluice(...words);
    expect({ status: found.status, out: found.out }).toEqual({ status: 2, out: '' });
    expect(found.err).toContain(said);
  });

  test.each([[['--version']], [['--help']], [['apply', '--help']], [['help']], [['help', 'diff']]])(
    'that was asked for has status 0: %j',
    async (words) => {
      const found = await sluice(...words);
      expect({ status: found.status, err: found.err }).toEqual({ status: 0, err: '' });
      expect(found.out).not.toBe('');
    },
  );

  test('is shown by every command with an example, and with defaults for people', async () => {
    const commands = ['run', 'apply', 'diff', 'validate', 'status', 'history', 'check', 'approve'];
    const more = ['retry', 'marathon', 'demo', 'gateway start', 'gateway stop', 'gateway status'];
    const pages = await Promise.all(
      [...commands, ...more, 'gateway forget'].map(async (name) => {
        const { out } = await sluice(...name.split(' '), '--help');
        return { name, out, hasExample: out.includes(`\nExample:\n  $ sluice ${name} `) };
      }),
    );
    const without = pages.filter(({ hasExample }) => !hasExample).map(({ name }) => name);
    expect(without).toEqual([]);
    expect(pages.filter(({ out }) => /default: (?:\[|\d{5})/u.test(out))).toEqual([]);
    expect(pages.find(({ name }) => name === 'apply')?.out).toMatch(/default:\s+30m/u);
  });
});

test('the process ends with the status of its command', async () => {
  const [wrong, asked, failed] = await Promise.all(
    [['status', '--nope'], ['--version'], ['status', '-c', '/nowhere/sluice.yml']].map(
      async (words) => call(process.execPath, [MAIN, ...words]),
    ),
  );
  expect(wrong).toMatchObject({ status: 2, out: '' });
  expect(asked).toEqual({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/u), err: '' });
  expect(failed?.err).toMatch(/^sluice: config-missing: /u);
});

describe('the wrapper', () => {
  test('is the program of the package, and finds its Node through links and from anywhere', async () => {
    const links = join(folder, 'links');
    mkdirSync(join(links, 'deep'), { recursive: true });
    symlinkSync(WRAPPER, join(links, 'first'));
    symlinkSync('../first', join(links, 'deep', 'sluice'));
    // An older Node on the PATH, or none, must not matter where npm has put one.
    const path = `${join(links, 'deep')}:/usr/bin:/bin:${dirname(process.execPath)}`;
    const said = expect.stringMatching(/^\d+\.\d+\.\d+\n$/u);
    const found = await Promise.all([
      call(WRAPPER, ['--version'], path),
      call('sluice', ['--version'], path),
      call('sluice', ['validate', 'a b'], path),
    ]);
    expect(found).toEqual([
      { status: 0, out: said, err: '' },
      { status: 0, out: said, err: '' },
      { status: 2, out: '', err: 'sluice: path-unreadable: a b cannot be read\n' },
    ]);
    expect(statSync(WRAPPER).mode & 0o777).toBe(0o755);
  });
});

describe('without any agent', () => {
  test('gateway stop says that there is nothing to stop', async () => {
    for (const output of ['text', 'json']) {
      const found = await sluice('gateway', 'stop', '--output', output);
      expect({ status: found.status, out: found.out }).toEqual({ status: 2, out: '' });
      expect(found.err).toMatch(
        /^sluice: node-unreachable: local: no agent .* nothing to stop\n$/u,
      );
    }
  });

  test('gateway status and forget say what to do', async () => {
    const status = await sluice('gateway', 'status');
    expect(status.status).toBe(2);
    expect(status.out).toContain('sluice gateway start starts one');
    const forget = await sluice('gateway', 'forget', 'edge-9');
    expect({ status: forget.status, err: forget.err }).toEqual({
      status: 2,
      err: 'sluice: unknown-node: there is no node edge-9: name one of the configuration, local\n',
    });
  });

  test('diff shows what is known, and says which proxy it cannot see', async () => {
    const text = await sluice('diff');
    const note =
      'proxy local cannot be seen (ENOENT): its gateways are shown as if they had no traffic yet';
    expect({ status: text.status, err: text.err }).toEqual({ status: 1, err: `note: ${note}\n` });
    expect(text.out).toMatch(/^shop +web\/web:1\.0 +absent +- -> 1 instance +new-version$/mu);
    const json = JSON.parse((await sluice('diff', '-o', 'json')).out);
    expect(json.notes).toContain(note);
    expect(json.differences[0]).toMatchObject({
      to: '1 instance',
      appId: expect.stringMatching(/^\/sluice\/shop\/web\/web-1\.0-[0-9a-f]{8}$/u),
    });
  });

  test('diff takes commit ids alone', async () => {
    for (const words of [
      ['--from', 'HEAD~1'],
      ['--to', 'main'],
    ]) {
      const found = await sluice('diff', ...words);
      expect(found.status).toBe(2);
      expect(found.err).toMatch(
        /^sluice: revision-unknown: .* Give 7 to 40 hex digits of a commit/u,
      );
    }
  });

  test('diff is an error where Marathon cannot be read', async () => {
    configure('no-marathon.yml', 1, '');
    const found = await sluice('diff', '--config', join(folder, 'no-marathon.yml'));
    expect({ status: found.status, out: found.out }).toEqual({ status: 2, out: '' });
    expect(found.err).toContain('marathon-unreachable');
  });
});

test('validate counts as people do', async () => {
  const file = join(folder, 'repository', 'shop.yml');
  const found = await sluice('validate', file);
  expect(found).toMatchObject({ status: 0, err: '1 file, 1 deployment, 1 gateway\n' });
});
