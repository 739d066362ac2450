import { execFileSync } from 'node:child_process';

import { describe } from 'vitest';

function isInstalled(): boolean {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs what needs a real HAProxy; without one it is skipped by name, but on CI it fails: there a
 * missing program is a fault of the build.
 */
export function withHaproxy(name: string, suite: () => void): void {
  const run = isInstalled() || process.env['CI'] === 'true';
  const why = run ? '' : ' (skipped: there is no haproxy on this host)';
  describe.runIf(run)(`${name}${why}`, () => {
    suite();
  });
}
