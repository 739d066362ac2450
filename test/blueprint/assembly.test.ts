import { describe, expect, test } from 'vitest';
import { assemble, compile, compileFile } from '../../reconciler/blueprint/compile.ts';
import { formatDiagnostic } from '../../reconciler/blueprint/diagnostics.ts';
import { compiled } from './compiling.ts';
import type { CompiledFile } from '../../reconciler/blueprint/compile.ts';

function blueprint(path: string, name: string, port: number): CompiledFile {
  const check = '{port: p, initial_delay: 1s, timeout: 1s, interval: 1s, failures: 1}';
  const breed = `{name: b, deployable: i, ports: {p: 1}, health_checks: ${check}}`;
  return compiled(
    `name: ${name}\ngateways: {${String(port)}: c/p}\nclusters: {c: {breed: ${breed}}}\n`,
    path,
  );
}

function names(files: readonly CompiledFile[]): readonly string[] {
  const { desired } = assemble(files);
  return [...desired.deployments, ...desired.gateways].map(({ name }) => name);
}

describe('files together', () => {
  test('are taken up where they do not clash', () => {
    const files = [blueprint('a.yml', 'a', 9000), blueprint('b.yml', 'b', 9001)];
    expect(names(files)).toEqual(['a', 'b', '9000', '9001']);
    expect(assemble(files).faultyFiles).toEqual([]);
  });

  test('that claim one port are all faulty and all told; others go on', () => {
    const gateway = compiled('name: g\nport: 9000\nroutes: {"[h:1]": {}}', 'g.yml');
    const files = [blueprint('a.yml', 'a', 9000), gateway, blueprint('c.yml', 'c', 9002)];
    const { diagnostics, faultyFiles } = assemble(files);
    expect(diagnostics.map(formatDiagnostic)).toEqual([
      'a.yml:2:12: error duplicate-gateway-port: gateway port 9000 is claimed here and at g.yml:2:7; nothing of these files is taken up until one is left\n  see g.yml:2:7',
      'g.yml:2:7: error duplicate-gateway-port: gateway port 9000 is claimed here and at a.yml:2:12; nothing of these files is taken up until one is left\n  see a.yml:2:12',
    ]);
    expect(faultyFiles).toEqual(['a.yml', 'g.yml']);
    expect(names(files)).toEqual(['c', '9002']);
  });

  test('that define one deployment are all faulty, three as well as two', () => {
    const files = ['a.yml', 'b.yml', 'c.yml'].map((path, index) =>
      blueprint(path, 'same', 9000 + index),
    );
    const { diagnostics, faultyFiles } = assemble(files);
    expect(faultyFiles).toEqual(['a.yml', 'b.yml', 'c.yml']);
    expect(diagnostics.map(({ code, related }) => [code, related?.length])).toEqual([
      ['duplicate-deployment', 2],
      ['duplicate-deployment', 2],
      ['duplicate-deployment', 2],
    ]);
  });

  test('name the first few of many rivals, and list all for programs', () => {
    const { diagnostics } = assemble(
      Array.from({ length: 6 }, (_, index) =>
        blueprint(`${String(index)}.yml`, 'same', 9000 + index),
      ),
    );
    expect(diagnostics[5]?.message).toContain(
      'here and at 0.yml:1:7 and 1.yml:1:7 and 2.yml:1:7 and 2 more places; nothing',
    );
    expect(diagnostics[5]?.related).toHaveLength(5);
  });

  test('settle once a last good form stands in the place of each faulty file', () => {
    const good = new Map([
      ['a.yml', blueprint('a.yml', 'a', 9000)],
      ['b.yml', blueprint('b.yml', 'b', 9001)],
      ['c.yml', blueprint('c.yml', 'c', 9002)],
    ]);
    // a moved to the port of b, and c to the port that a had: putting a back makes c clash too.
    let files = [
      blueprint('a.yml', 'a', 9001),
      blueprint('b.yml', 'b', 9001),
      blueprint('c.yml', 'c', 9000),
    ];
    const replaced = new Set<string>();
    for (;;) {
      const turn = assemble(files).faultyFiles.filter((path) => !replaced.has(path));
      if (turn.length === 0) break;
      for (const path of turn) replaced.add(path);
      files = files.map((file) =>
        turn.includes(file.path) ? (good.get(file.path) ?? file) : file,
      );
    }
    expect([...replaced].toSorted()).toEqual(['a.yml', 'b.yml', 'c.yml']);
    expect(names(files)).toEqual(['a', 'b', 'c', '9000', '9001', '9002']);
  });

  test('keep their own faults apart from those between them', () => {
    const files = [
      { path: 'bad.yml', text: 'name: a\nclusters: {c: {bred: x}}' },
      { path: 'torn.yml', text: 'name: [' },
      { path: 'good.yml', text: 'name: g\nport: 80\nroutes: {"[h:1]": {}}' },
    ];
    const result = compile({ revision: 'r', files });
    expect(result.faultyFiles).toEqual(['bad.yml', 'torn.yml']);
    expect(result.files.map(({ path, kind, faulty }) => [path, kind, faulty])).toEqual([
      ['bad.yml', 'blueprint', true],
      ['torn.yml', 'unreadable', true],
      ['good.yml', 'gateway', false],
    ]);
    expect(result.desired.gateways.map(({ name }) => name)).toEqual(['80']);
    expect(result.diagnostics.map(formatDiagnostic)).toEqual([
      'bad.yml:2:16: error unexpected-element: a service has no key `bred`; did you mean `breed`?',
      'bad.yml:2:16: error missing-path-value: a service needs `breed`',
      'torn.yml:1:8: error yaml-parsing: this is not YAML: unexpected end of the stream within a flow collection',
    ]);
  });
});

describe('files of other tools', () => {
  test.each([
    ['docker-compose', 'c.yml', 'version: "3"\nservices: {web: {image: nginx, ports: ["80:80"]}}'],
    ['Kubernetes', 'k.yml', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}'],
    ['Kubernetes gateways', 'g.yml', 'apiVersion: x/v1\nkind: Gateway\nmetadata: {name: a}'],
    ['kubeconfig', 'kc.yml', 'clusters: [{name: a}]\ncontexts: []\nusers: []'],
    ['Marathon', 'app.json', '{"id": "/a", "cmd": "sleep 1", "instances": 1}'],
    ['Envoy', 'e.yml', 'static_resources: {clusters: []}'],
    ['Ansible', 'p.yml', '- name: play\n  hosts: all\n  tasks: []'],
    ['a CI', 'ci.yml', 'name: CI\non: push\njobs: {build: {steps: []}}'],
    ['JSON with comments', 'tsconfig.json', '// comment\n{'],
    ['Markdown', 'README.md', 'name: [\n- *no yaml'],
    ['nobody: an empty one', 'e.yaml', '# nothing here\n'],
    ['nobody: one word', 'w.yaml', 'hello'],
  ])('are left alone: %s', (_name, path, text) => {
    expect(compiled(text, path)).toEqual({
      path,
      kind: 'foreign',
      deployments: [],
      gateways: [],
      diagnostics: [],
      faulty: false,
    });
  });

  test('stand beside ours in one file, and lists are flattened', () => {
    const text =
      '- - {kind: gateway, name: g, port: 80, routes: {"[h:1]": {}}}\n  - {hosts: all}\n---\nkind: gateways\nname: h\nport: 81\nroutes: "[h:1]"\n---\n';
    const file = compiled(text);
    expect(file.diagnostics).toEqual([]);
    expect([file.kind, file.gateways.map(({ title }) => title)]).toEqual(['gateway', ['g', 'h']]);
  });

  test('warn of a key that stands twice only where the file is ours', () => {
    expect(compiled('a: 1\na: 2').diagnostics).toEqual([]);
    const ours = compiled('name: g\nport: 80\nroutes: {"[h:1]": {}}\nname: h');
    expect(ours.diagnostics.map(formatDiagnostic)).toEqual([
      'a.yml:4:1: warning duplicate-key: the key `name` stands here a second time; the last one counts\n  see a.yml:1:1',
    ]);
    expect(ours.gateways.map(({ title }) => title)).toEqual(['h']);
  });
});

describe('a document with a fault on every line', () => {
  test('is told of up to a bound, and that there is more', () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `k${String(index)}: 1`);
    const { diagnostics } = compiled(['name: a', 'clusters: {}', ...lines].join('\n'));
    expect(diagnostics).toHaveLength(502);
    expect(diagnostics.at(-1)?.code).toBe('too-many-findings');
  });
});

describe('abilities', () => {
  test('refuse what no gateway can route', () => {
    const file = { path: 'g.yml', text: 'name: g\nport: 80/tcp\nroutes: {"[h:1]": {}}' };
    const { diagnostics } = compileFile(file, 'r', { abilities: { protocols: ['http'] } });
    expect(diagnostics.map(formatDiagnostic)).toEqual([
      'g.yml:2:7: error not-built-yet: tcp gateways are, for the gateways that are configured, not built yet; they route http',
    ]);
  });
});
