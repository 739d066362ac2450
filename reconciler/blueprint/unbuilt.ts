import type { Findings } from './diagnostics.ts';
import type { Spot } from './tree.ts';

/**
 * Refuses what the language has and Sluice has not yet. Refused, never ignored: nothing may run
 * with less care than its author asked for (design section 7).
 */
export function notBuiltYet(
  spot: Spot,
  what: string,
  instead: string,
  findings: Findings,
): undefined {
  return findings.error(spot, 'not-built-yet', `${what} not built yet; ${instead}`);
}

/** The three things of Vamp that Sluice reads and leaves alone. */
export function notActedOn(spot: Spot, what: string, findings: Findings): undefined {
  return findings.warning(spot, 'not-acted-on', `${what} read and not acted on`);
}
