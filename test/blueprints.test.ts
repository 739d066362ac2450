import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { compile } from '../reconciler/blueprint/compile.ts';

const DEMO = new URL('../blueprints/demo/', import.meta.url);

/** The commits of the demo: the same deployment, one file after the other. */
const commits = readdirSync(DEMO)
  .toSorted()
  .map((path) => ({ path, text: readFileSync(new URL(path, DEMO), 'utf8') }));

describe('the blueprints of the demo', () => {
  test.each(commits)('compile without a finding: $path', (file) => {
    const { diagnostics, desired } = compile({ revision: 'r', files: [file] });
    expect(diagnostics).toEqual([]);
    expect(desired.deployments.map(({ name }) => name)).toEqual(['simpleservice']);
    expect(desired.gateways.map(({ port }) => port)).toEqual([10_099]);
  });

  test('keep the versions of the commit before, so that no app is restarted', () => {
    const digests = commits.map((file) => {
      const { desired } = compile({ revision: 'r', files: [file] });
      const versions = desired.deployments.flatMap((deployment) => deployment.versions);
      return new Map(versions.map(({ service, digest }) => [service, digest]));
    });
    for (const [index, after] of digests.entries()) {
      const before = digests[index - 1] ?? new Map<string, string>();
      const shared = [...after].filter(([service]) => before.has(service));
      expect(shared).toEqual(shared.map(([service]) => [service, before.get(service)]));
    }
  });
});
