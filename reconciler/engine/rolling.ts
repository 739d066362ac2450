/** Numbers of a rolling upgrade when it begins. */
export interface UpgradeStart {
  /** Instances that are wanted. */
  readonly wanted: number;
  readonly minimumHealthCapacity: number;
  readonly maximumOverCapacity: number;
  /** Old tasks, healthy or not. */
  readonly old: number;
  /** Tasks of any version that run, are healthy and are to stay. */
  readonly healthyRunning: number;
  readonly resident: boolean;
}

export interface UpgradePlan {
  /** Never more tasks than this, old and new together. */
  readonly maxCapacity: number;
  /** Old tasks to kill before anything is started. */
  readonly killNow: number;
}

/**
 * How Marathon begins a RestartApplication (1.9+, RestartPlan): it keeps minimumHealthCapacity of
 * the new count healthy and never goes above maximumOverCapacity; where both leave no room, one
 * task more is allowed, or for apps with volumes one is killed.
 */
export function planUpgrade(start: UpgradeStart): UpgradePlan {
  const { wanted, healthyRunning } = start;
  const minHealthy = Math.ceil(wanted * start.minimumHealthCapacity);
  const maxCapacity = Math.floor(wanted * (1 + start.maximumOverCapacity));
  const killNow = Math.max(0, healthyRunning - minHealthy, start.old - wanted);
  const stuck = minHealthy === maxCapacity && maxCapacity <= healthyRunning;
  if (!stuck) return { maxCapacity, killNow };
  if (start.resident) return { maxCapacity, killNow: healthyRunning - minHealthy + 1 };
  return { maxCapacity: maxCapacity + 1, killNow };
}

/** How many new tasks may exist now. `old` counts tasks that are being killed as well. */
export function newTasksAllowed(plan: UpgradePlan, wanted: number, old: number): number {
  return Math.max(0, Math.min(wanted, plan.maxCapacity - old));
}
