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
  const skip = !isInstalled() && process.env['CI'] !== 'true';
  if (skip) describe.skip(`${name} (skipped: there is no haproxy on this host)`, suite);
  else describe(name, suite);
}
