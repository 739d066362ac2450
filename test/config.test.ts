import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadConfig, redactConfig, writeSecretFiles } from '../reconciler/config.ts';
import type { Config, ConfigInput } from '../reconciler/config.ts';
import { CONFIG_KEYS } from '../reconciler/config/schema.ts';
import { DriverError } from '../reconciler/errors.ts';

const MINIMAL = 'source:\n  url: https://git.example.com/shop.git\n';

function load(text: string | undefined, more: Partial<ConfigInput> = {}): Config {
  const file = '/etc/sluice/sluice.yml';
  return loadConfig({ file, env: {}, flags: {}, ...(text !== undefined && { text }), ...more });
}

/** What is wrong, one fault a line, without the heading. */
function faultsOf(text: string | undefined, more: Partial<ConfigInput> = {}): string {
  try {
    load(text, more);
  } catch (error) {
    if (error instanceof DriverError && error.code === 'config-invalid') {
      return error.message.split('\n').slice(1).join('\n').replaceAll(/^ {2}/gm, '');
    }
    throw error;
  }
  return 'nothing';
}

describe('what is left out', () => {
  it('has a default for everything but the url of the source', () => {
    expect(load(MINIMAL)).toEqual({
      owner: 'sluice',
      prefix: 'sluice',
      stateDir: '/etc/sluice/.sluice',
      source: {
        url: 'https://git.example.com/shop.git',
        ref: { branch: 'main' },
        path: '',
        limits: { files: 2000, fileBytes: 1048576, totalBytes: 33554432, timeoutMs: 60000 },
      },
      marathon: { urls: ['http://127.0.0.1:8080'], timeoutMs: 30000 },
      gateways: { nodes: [], startLocal: true, proxy: 'auto', bind: '127.0.0.1' },
      schedule: { everyMs: 5000 },
      rollout: {},
      budgets: { pruneCount: 2, pruneShare: 20, concurrency: 4 },
      journal: { file: '/etc/sluice/.sluice/journal.sqlite' },
      server: { listen: { host: '127.0.0.1', port: 7400 } },
      secretFiles: [],
    });
    expect(faultsOf(undefined)).toMatchInlineSnapshot(
      `"/etc/sluice/sluice.yml: \`source.url\` is missing: the git repository with the blueprints, as \`https://...\` or a path"`,
    );
    expect(faultsOf('# nothing yet\n\n')).toBe(faultsOf(undefined));
    expect(faultsOf('source:\nowner:\n')).toContain('`source.url` is missing');
  });
});

describe('the file', () => {
  it('says everything, with paths relative to itself', () => {
    const text = `
owner: shop-team
prefix: shop
state_dir: state
source:
  url: /srv/git/shop.git
  tag: live
  path: blueprints
  token_file: secrets/git
  ca_file: ca.pem
  limits: {files: 10, file_bytes: 2048, total_bytes: 4096, timeout: 2min}
marathon:
  urls: [https://m1.example.com:8443/marathon, https://m2.example.com:8443/marathon]
  user: sluice
  password_file: /run/secrets/marathon
  ca_file: ca.pem
  timeout: 5s
gateways:
  nodes:
    - {name: edge-1, url: https://edge-1.example.com:7401, token_file: secrets/edge}
    - {name: edge-2, socket: run/edge.sock}
  start_local: false
  proxy: haproxy
  bind: 0.0.0.0
schedule:
  cron: '*/5 * * * *'
rollout:
  bake: 2m
  checks: [{webhook: {url: files/are/not/touched}}]
budgets: {prune_count: 0, prune_share: 50, concurrency: 8}
journal: {file: journal.db}
server: {listen: run/status.sock}
`;
    expect(load(text)).toEqual({
      owner: 'shop-team',
      prefix: 'shop',
      stateDir: '/etc/sluice/state',
      source: {
        url: '/srv/git/shop.git',
        ref: { tag: 'live' },
        path: 'blueprints',
        tokenFile: '/etc/sluice/secrets/git',
        caFile: '/etc/sluice/ca.pem',
        limits: { files: 10, fileBytes: 2048, totalBytes: 4096, timeoutMs: 120000 },
      },
      marathon: {
        urls: ['https://m1.example.com:8443/marathon', 'https://m2.example.com:8443/marathon'],
        auth: { user: 'sluice', passwordFile: '/run/secrets/marathon' },
        caFile: '/etc/sluice/ca.pem',
        timeoutMs: 5000,
      },
      gateways: {
        nodes: [
          {
            name: 'edge-1',
            url: 'https://edge-1.example.com:7401',
            tokenFile: '/etc/sluice/secrets/edge',
          },
          { name: 'edge-2', socket: '/etc/sluice/run/edge.sock' },
        ],
        startLocal: false,
        proxy: 'haproxy',
        bind: '0.0.0.0',
      },
      schedule: { cron: '*/5 * * * *' },
      rollout: { bake: '2m', checks: [{ webhook: { url: 'files/are/not/touched' } }] },
      budgets: { pruneCount: 0, pruneShare: 50, concurrency: 8 },
      journal: { file: '/etc/sluice/journal.db' },
      server: { listen: { socket: '/etc/sluice/run/status.sock' } },
      secretFiles: [],
    });
  });

  it('is told all of its faults at once, each with its place', () => {
    const text = `
ownr: me
prefix: Not A Word
branch: main
source:
  url: https://git.example.com/shop.git
  brnach: main
  token: abc
  limits: {files: 0, timeout: 60}
marathon:
  urls: [ftp://m, https://user:secret@m]
  password: hunter2
  timeout: 5 minutes
gateways:
  nodes:
    - {name: a, url: http://a:1, socket: s, token: x}
    - {name: a}
  proxy: nginx
  bind: everywhere
schedule: {every: 5s, cron: 'whenever'}
budgets: {prune_share: 120%}
server: {listen: 0.0.0.0:7400}
`;
    expect(faultsOf(text)).toMatchInlineSnapshot(`
      "/etc/sluice/sluice.yml:2:1: there is no key \`ownr\`; did you mean \`owner\`?
      /etc/sluice/sluice.yml:3:1: \`prefix\` must be a word of small letters, digits and dashes, such as \`sluice\`
      /etc/sluice/sluice.yml:4:1: there is no key \`branch\`; did you mean \`source.branch\`?
      /etc/sluice/sluice.yml:7:3: \`source\` has no key \`brnach\`; did you mean \`branch\`?
      /etc/sluice/sluice.yml:8:3: \`token\` is a secret and is never written here; put it into a file and name that in \`token_file\`, or set SLUICE_SOURCE_TOKEN
      /etc/sluice/sluice.yml:9:12: \`source.limits.files\` must be a whole a number from 1 to 100000
      /etc/sluice/sluice.yml:9:22: \`source.limits.timeout\` must be a time such as \`10s\`, \`5m\` or \`1h\`
      /etc/sluice/sluice.yml:11:10: \`marathon.urls.0\` must be a url that starts with http:// or https://
      /etc/sluice/sluice.yml:11:19: \`marathon.urls.1\` must not hold credentials or a query; name a file with the secret instead
      /etc/sluice/sluice.yml:12:3: \`password\` is a secret and is never written here; put it into a file and name that in \`password_file\`, or set SLUICE_MARATHON_PASSWORD
      /etc/sluice/sluice.yml:13:3: \`marathon.timeout\` must be a time such as \`10s\`, \`5m\` or \`1h\`
      /etc/sluice/sluice.yml:16:7: a node needs \`url\` or \`socket\`, and not both
      /etc/sluice/sluice.yml:16:45: \`token\` is a secret and is never written here; put it into a file and name that in \`token_file\`
      /etc/sluice/sluice.yml:17:7: a node needs \`url\` or \`socket\`, and not both
      /etc/sluice/sluice.yml:17:7: another node has the same name
      /etc/sluice/sluice.yml:18:3: \`gateways.proxy\` must be one of \`auto\`|\`haproxy\`|\`embedded\`
      /etc/sluice/sluice.yml:19:3: \`gateways.bind\` must be an IP address
      /etc/sluice/sluice.yml:20:23: \`schedule.cron\` and \`schedule.every\` are two answers to one question; write one
      /etc/sluice/sluice.yml:20:23: \`schedule.cron\` must be a cron expression such as \`*/5 * * * *\`
      /etc/sluice/sluice.yml:21:11: \`budgets.prune_share\` must be a whole a number from 0 to 100
      /etc/sluice/sluice.yml:22:10: an address that others can reach needs \`server.token_file\`"
    `);
  });

  it('names kinds in words, never values', () => {
    expect(
      faultsOf(
        'source: {url: [planted], limits: [planted]}\nserver: planted\ngateways: {nodes: [planted]}\nmarathon: {user: {a: 1}, password_file: b}\n',
      ),
    ).toMatchInlineSnapshot(`
      "/etc/sluice/sluice.yml:1:10: \`source.url\` must be a text: the git repository with the blueprints, as \`https://...\` or a path
      /etc/sluice/sluice.yml:1:26: \`source.limits\` must be a map, found a list
      /etc/sluice/sluice.yml:2:1: \`server\` must be a map, found a text
      /etc/sluice/sluice.yml:3:20: \`gateways.nodes.0\` must be a map, found a text
      /etc/sluice/sluice.yml:4:12: \`marathon.user\` must be a text, found a map"
    `);
  });

  it.each([
    ['a: [', '1:5: cannot be read: unexpected end of the stream within a flow collection'],
    ['- a\n- b\n', '1:1: cannot be read: it is not a map'],
    ['owner: a\nowner: b\n', '2:1: cannot be read: duplicated mapping key'],
    [
      'owner: &x [*x]\n',
      '1:13: cannot be read: aliases (*name) are not taken here; quote values that start with *',
    ],
    [
      'owner: *secret\n',
      '1:9: cannot be read: aliases (*name) are not taken here; quote values that start with *',
    ],
    [`owner: ${'a'.repeat(1_000_001)}`, '1:1: cannot be read: it has more than 1000000 characters'],
  ])('is refused as a whole: %#', (text, fault) => {
    expect(faultsOf(text)).toBe(`/etc/sluice/sluice.yml:${fault}`);
  });
});

describe('the environment and flags', () => {
  it('win over the file, flags over the environment', () => {
    const config = load(`${MINIMAL}  branch: main\nowner: a\nprefix: a\n`, {
      env: {
        SLUICE_OWNER: 'b',
        SLUICE_PREFIX: 'b',
        SLUICE_SOURCE_TAG: 'live',
        SLUICE_MARATHON_URLS: 'http://m1:8080, http://m2:8080',
        SLUICE_GATEWAYS_START_LOCAL: 'false',
        SLUICE_GATEWAYS_NODES: '[{name: n, url: "http://n:1"}]',
        SLUICE_BUDGETS_CONCURRENCY: '2',
        SLUICE_CONFIG: 'elsewhere.yml',
        SLUICE_TASK: 'given by the embedded engine',
        SLUICE_SCHEDULE_EVERY: undefined,
        HOME: '/root',
      },
      flags: {
        prefix: 'c',
        'source.path': 'blueprints',
        'budgets.prune_count': 7,
        owner: undefined,
      },
    });
    expect({
      owner: config.owner,
      prefix: config.prefix,
      ref: config.source.ref,
      path: config.source.path,
      urls: config.marathon.urls,
      gateways: config.gateways,
      budgets: config.budgets,
    }).toEqual({
      owner: 'b',
      prefix: 'c',
      ref: { tag: 'live' },
      path: 'blueprints',
      urls: ['http://m1:8080', 'http://m2:8080'],
      gateways: {
        nodes: [{ name: 'n', url: 'http://n:1' }],
        startLocal: false,
        proxy: 'auto',
        bind: '127.0.0.1',
      },
      budgets: { pruneCount: 7, pruneShare: 20, concurrency: 2 },
    });
  });

  it('replace what the file chose among alternatives', () => {
    const text = `${MINIMAL}marathon: {user: me, password_file: pass}\nschedule: {every: 5s}\n`;
    const { marathon, schedule, budgets } = load(text, {
      env: { SLUICE_MARATHON_TOKEN: 'abc', SLUICE_BUDGETS_PRUNE_SHARE: '30%' },
      flags: { 'schedule.cron': '0 6 * * *' },
    });
    expect([marathon.auth, schedule, budgets.pruneShare]).toEqual([
      { tokenFile: '/etc/sluice/.sluice/secrets/marathon.token' },
      { cron: '0 6 * * *' },
      30,
    ]);
  });

  it('are named in faults', () => {
    expect(
      faultsOf(MINIMAL, {
        env: {
          SLUICE_OWNERS: 'x',
          SLUICE_MARATHON_TIMEOUT: '5',
          SLUICE_BUDGETS_CONCURRENCY: 'many',
          SLUICE_ROLLOUT: '{',
          SLUICE_SOURCE_TOKEN: '',
          SLUICE_SOURCE_TAG: 'a',
          SLUICE_SOURCE_BRANCH: 'b',
        },
        flags: { 'state.dir': 'x', 'schedule.every': '1' },
      }),
    ).toMatchInlineSnapshot(`
      "SLUICE_OWNERS: is no variable of Sluice; did you mean SLUICE_OWNER?
      SLUICE_ROLLOUT: is no YAML that can be read
      SLUICE_SOURCE_TOKEN: is empty
      --state-dir: sets no key of the configuration
      SLUICE_SOURCE_TAG: \`source.tag\` and \`source.branch\` are two answers to one question; write one
      SLUICE_MARATHON_TIMEOUT: \`marathon.timeout\` must be a time such as \`10s\`, \`5m\` or \`1h\`
      --schedule-every: \`schedule.every\` must be a time such as \`10s\`, \`5m\` or \`1h\`
      SLUICE_BUDGETS_CONCURRENCY: \`budgets.concurrency\` must be a whole a number from 1 to 64"
    `);
  });
});

describe('secrets', () => {
  it('come from the environment into files of mode 600, and show nowhere else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
    try {
      const file = join(folder, 'sluice.yml');
      const env = {
        SLUICE_SOURCE_TOKEN: 'planted-1',
        SLUICE_MARATHON_USER: 'sluice',
        SLUICE_MARATHON_PASSWORD: 'planted-2',
        SLUICE_SERVER_TOKEN: 'planted-3',
        SLUICE_SERVER_LISTEN: '0.0.0.0:7400',
      };
      const config = loadConfig({ file, text: MINIMAL, env, flags: {} });
      const secrets = join(folder, '.sluice', 'secrets');
      expect([config.source.tokenFile, config.marathon.auth, config.server.tokenFile]).toEqual([
        join(secrets, 'source.token'),
        { user: 'sluice', passwordFile: join(secrets, 'marathon.password') },
        join(secrets, 'server.token'),
      ]);
      for (const shown of [JSON.stringify(config), inspect(config, { depth: 9 })]) {
        expect(shown).not.toContain('planted');
      }
      writeSecretFiles(config.secretFiles);
      writeSecretFiles(config.secretFiles);
      const written = join(secrets, 'marathon.password');
      expect([readFileSync(written, 'utf8'), statSync(written).mode & 0o777]).toEqual([
        'planted-2',
        0o600,
      ]);
      rmSync(secrets, { recursive: true });
      writeFileSync(secrets, '');
      expect(() => {
        writeSecretFiles(config.secretFiles);
      }).toThrow(expect.objectContaining({ code: 'state-dir-unwritable' }));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('do not show in what logs print of the configuration', () => {
    const config = load(
      `${MINIMAL}rollout:
  checks:
    - webhook: {url: 'https://me:planted-1@hooks.example.com/x?key=planted-2', token: planted-3}
`,
      { env: { SLUICE_SOURCE_TOKEN: 'planted-4' } },
    );
    const shown = JSON.stringify(redactConfig(config));
    expect(shown).not.toContain('planted');
    expect(redactConfig(config)).toMatchObject({
      owner: 'sluice',
      source: { tokenFile: '/etc/sluice/.sluice/secrets/source.token' },
      rollout: {
        checks: [{ webhook: { url: 'https://***@hooks.example.com/x?***', token: '***' } }],
      },
      secretFiles: ['/etc/sluice/.sluice/secrets/source.token'],
    });
  });
});

describe('docs/configuration.md', () => {
  const page = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');

  it('has a row for every key, and no other', () => {
    const rows = [...page.matchAll(/^\| `([a-z_.[\]]+)` \|/gm)].map(([, key]) => key);
    expect(rows).toEqual([...CONFIG_KEYS.keys()]);
  });

  it('shows an example that loads', () => {
    const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
    expect(load(example).owner).toBe('sluice');
  });
});
