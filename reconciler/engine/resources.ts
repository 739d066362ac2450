import type { AppDefinition } from './definition.ts';

/** What the engine has to give. Left out means without limit. */
export interface Resources {
  readonly cpus?: number | undefined;
  readonly mem?: number | undefined;
}

/** Mesos' words for why an offer did not fit. */
export type RejectReason = 'InsufficientCpus' | 'InsufficientMemory' | 'InsufficientPorts';

/** Why one more task of `app` does not fit beside the tasks that are there; empty if it fits. */
export function rejections(
  limit: Resources,
  taken: readonly AppDefinition[],
  app: AppDefinition,
): readonly RejectReason[] {
  if (limit.cpus === undefined && limit.mem === undefined) return [];
  // Sums of decimal fractions: without the slack ten times 0.1 would not fit into 1.
  const slack = 1e-9;
  const cpus = taken.reduce((sum, each) => sum + each.cpus, app.cpus);
  const mem = taken.reduce((sum, each) => sum + each.mem, app.mem);
  const reasons: RejectReason[] = [];
  if (cpus > (limit.cpus ?? Infinity) + slack) reasons.push('InsufficientCpus');
  if (mem > (limit.mem ?? Infinity) + slack) reasons.push('InsufficientMemory');
  return reasons;
}
