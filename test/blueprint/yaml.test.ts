import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../reconciler/blueprint/yaml.ts';
import type { Node } from '../../reconciler/blueprint/tree.ts';

/** Every key and value of a tree with its place, one line each. */
function places(node: Node, path = ''): readonly string[] {
  const at = `${path || '/'} ${String(node.spot.line)}:${String(node.spot.column)}`;
  if (node.kind === 'scalar') return [`${at} ${JSON.stringify(node.value)}`];
  if (node.kind === 'list') {
    return [at, ...node.items.flatMap((item, index) => places(item, `${path}/${String(index)}`))];
  }
  return [
    at,
    ...node.entries.flatMap(({ key, keySpot, value }) => [
      `${path}/${key} key ${String(keySpot.line)}:${String(keySpot.column)}`,
      ...places(value, `${path}/${key}`),
    ]),
  ];
}

function tree(text: string): readonly string[] {
  const file = parseYaml(text);
  if ('fault' in file) {
    const { spot, message } = file.fault;
    return [`fault ${String(spot.line)}:${String(spot.column)} ${message}`];
  }
  return file.documents.flatMap(({ root }) => places(root));
}

function values(text: string): unknown {
  return tree(text).filter(
    (line) => line.includes('"') || / (?:true|false|null|[-0-9.]+)$/.test(line),
  );
}

describe('positions', () => {
  test('are those of every key and value, whatever the style', () => {
    expect(tree(`a: 'x'\nb:\n  - 1\n  - "y"\n  - {c: ~, d: [e]}\nf:\n`)).toEqual([
      '/ 1:1',
      '/a key 1:1',
      '/a 1:4 "x"',
      '/b key 2:1',
      '/b 3:3',
      '/b/0 3:5 1',
      '/b/1 4:5 "y"',
      '/b/2 5:5',
      '/b/2/c key 5:6',
      '/b/2/c 5:9 null',
      '/b/2/d key 5:12',
      '/b/2/d 5:15',
      '/b/2/d/0 5:16 "e"',
      '/f key 6:1',
      '/f 6:2 null',
    ]);
  });

  test.each(['\n', '\r\n', '\r'])('count lines that end in %j', (end) => {
    expect(tree(['a: 1', 'b: 2'].join(end))).toEqual([
      '/ 1:1',
      '/a key 1:1',
      '/a 1:4 1',
      '/b key 2:1',
      '/b 2:4 2',
    ]);
  });

  test('do not count a byte order mark', () => {
    expect(tree('\uFEFFa: 1')).toEqual(['/ 1:1', '/a key 1:1', '/a 1:4 1']);
  });

  test('go on through several documents; an alias stands where its anchor does', () => {
    expect(tree('a: &x [1]\n---\n---\nb: &y 2\nc: *y\n')).toEqual([
      '/ 1:1',
      '/a key 1:1',
      '/a 1:7',
      '/a/0 1:8 1',
      '/ 1:1 null',
      '/ 4:1',
      '/b key 4:1',
      '/b 4:7 2',
      '/c key 5:1',
      '/c 4:7 2',
    ]);
  });

  test('survive a bracket that closes at the indent of its key', () => {
    expect(tree('a:\n  b: [\n    1,\n  2\n  ]\nc: {\n  d: x }\n')).toEqual([
      '/ 1:1',
      '/a key 1:1',
      '/a 2:3',
      '/a/b key 2:3',
      '/a/b 2:6',
      '/a/b/0 3:5 1',
      '/a/b/1 4:3 2',
      '/c key 6:1',
      '/c 6:4',
      '/c/d key 7:3',
      '/c/d 7:6 "x"',
    ]);
  });
});

describe('values', () => {
  test('are typed as YAML 1.1 has them, but for y and n', () => {
    const text = '[on, No, 0777, 12:30, 1_000, 1.10, y, ~, "1", 2020-01-01, 0x1F, null]';
    expect(values(text)).toEqual([
      '/0 1:2 true',
      '/1 1:6 false',
      '/2 1:10 511',
      '/3 1:16 750',
      '/4 1:23 1000',
      '/5 1:30 1.1',
      '/6 1:36 "y"',
      '/7 1:39 null',
      '/8 1:42 "1"',
      '/9 1:47 "2020-01-01"',
      '/10 1:59 31',
      '/11 1:65 null',
    ]);
  });

  test('have keys of text, flow lists as Java prints them', () => {
    const file = parseYaml('8080: a\ntrue: b\n[h:1]: c\n[a,b]: d\n~: e\n');
    const root = 'documents' in file ? file.documents[0]?.root : undefined;
    expect(root?.kind === 'map' && root.entries.map(({ key }) => key)).toEqual([
      '8080',
      'true',
      '[h:1]',
      '[a, b]',
      'null',
    ]);
  });

  test('are merged by <<: what is written wins, then the earlier map', () => {
    expect(values('x: {<<: [{a: 1, b: 2}, {b: 3, c: 4}], a: 5}')).toEqual([
      '/x/a 1:42 5',
      '/x/b 1:20 2',
      '/x/c 1:34 4',
    ]);
  });

  test('of a key that stands twice are the last, with a note', () => {
    const file = parseYaml('a: 1\nb: 2\na: 3\n');
    expect('documents' in file && file.documents[0]?.notes).toEqual([
      {
        severity: 'warning',
        code: 'duplicate-key',
        spot: { line: 3, column: 1 },
        related: [{ line: 1, column: 1 }],
        message: 'the key `a` stands here a second time; the last one counts',
      },
    ]);
    expect(values('a: 1\nb: 2\na: 3\n')).toEqual(['/a 3:4 3', '/b 2:4 2']);
  });

  test('may be called __proto__ and constructor without touching prototypes', () => {
    expect(values('__proto__: {polluted: 1}\nconstructor: 2')).toEqual([
      '/__proto__/polluted 1:23 1',
      '/constructor 2:14 2',
    ]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('what is no YAML', () => {
  test.each([
    [
      'an open bracket',
      'a: [1',
      ['fault 1:6 unexpected end of the stream within a flow collection'],
    ],
    ['a tab as indent', 'a:\n\tb: 1', ['fault 2:1 tab characters must not be used in indentation']],
    ['a NUL', 'a: \0', ['fault 1:4 null byte is not allowed in input']],
    ['a tag of its own', 'a: !env SECRET', ['fault 1:4 unknown scalar tag']],
    [
      'a secret that looks like an alias',
      'password: *hunter2',
      ['fault 1:11 an alias names an anchor that does not exist; quote values that start with *'],
    ],
    [
      'an anchor that holds itself',
      'a: &a [*a]',
      ['fault 1:8 an alias names an anchor that does not exist; quote values that start with *'],
    ],
    ['a map as a key', '? {a: 1}\n: 2', ['fault 1:1 a map cannot be a key']],
  ])('is told by its place and without its content: %s', (_name, text, expected) => {
    expect(tree(text)).toEqual(expected);
  });

  test.each([
    ['nothing', ''],
    ['a comment', '# nothing\n'],
  ])('is not %s: that has no documents', (_name, text) => {
    expect(parseYaml(text)).toEqual({ documents: [] });
  });
});

describe('bounds', () => {
  test('hold for depth', () => {
    expect(tree('['.repeat(60))).toEqual(['fault 1:50 nesting exceeded maxDepth (50)']);
  });

  test('hold for aliases that multiply', () => {
    const bomb = Array.from({ length: 40 }, (_, i) =>
      i === 0
        ? 'a0: &a0 [1, 2]'
        : `a${String(i)}: &a${String(i)} [*a${String(i - 1)}, *a${String(i - 1)}]`,
    ).join('\n');
    expect(tree(bomb)).toEqual(['fault 16:11 more than 100000 values']);
  });

  test('hold for the number of aliases and for length', () => {
    expect(tree(`a: &a 1\nb: [${'*a, '.repeat(300)}]`)).toEqual([
      'fault 2:805 more than 200 aliases',
    ]);
    expect(tree(`a: ${'x'.repeat(1_000_000)}`)).toEqual([
      'fault 1:1 the file has 1000003 characters; at most 1000000 are read',
    ]);
  });
});
