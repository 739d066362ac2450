import type { AppContext, AppPlan } from './app-plan.ts';
import { paceOf } from './app-plan.ts';
import { isUsable } from '../model/split.ts';
import { hasSeat, viewsOf } from './world.ts';

/** Only a commit shrinks, and never before the last bake (laws 5, 9; design section 6). */
export function shrinks(of: AppContext): boolean {
  const { version, calm } = of;
  return calm && version.record.wanted !== undefined && version.record.wanted !== version.wanted;
}

/**
 * Instances of `version` that should leave now: marked at the proxies first, killed by id later.
 * Those that serve nobody go first; of the others only as many as leave `wanted` usable ones.
 */
export function victimsOf(of: AppContext): readonly string[] {
  const { version } = of;
  if (version.app === undefined || of.rejected || !shrinks(of)) return [];
  const surplus = version.app.instances - version.wanted;
  if (surplus <= 0) return [];
  const { marked, idle, usable } = seatedInstances(of);
  const spare = usable.length - version.wanted;
  const kept = marked.slice(0, Math.max(0, marked.length + Math.min(0, spare)));
  const chosen = [...kept, ...idle, ...usable.slice(0, Math.max(0, spare))];
  return chosen.slice(0, surplus).sort();
}

interface Seated {
  /** Draining already, at one proxy at least. */
  readonly marked: readonly string[];
  /** Not usable somewhere. */
  readonly idle: readonly string[];
  readonly usable: readonly string[];
}

function seatedInstances({ world, version }: AppContext): Seated {
  const servers = world.gateways
    .flatMap((gateway) => viewsOf(gateway, version.id))
    .flatMap((view) => view.servers);
  const marked = new Set<string>();
  const idle = new Set<string>();
  for (const server of servers) {
    if (server.state === 'draining') marked.add(server.id);
    else if (!isUsable(server)) idle.add(server.id);
  }
  const ids = [...new Set(servers.map((server) => server.id))].sort().reverse();
  return {
    marked: ids.filter((id) => marked.has(id)),
    idle: ids.filter((id) => !marked.has(id) && idle.has(id)),
    usable: ids.filter((id) => !marked.has(id) && !idle.has(id)),
  };
}

export function shrink(
  of: AppContext,
  goal: number,
): Pick<AppPlan, 'actions' | 'lookAgainAt' | 'note'> {
  const { version, world } = of;
  const surplus = (version.app?.instances ?? 0) - goal;
  if (!world.gateways.some((gateway) => hasSeat(gateway, version.id))) return killIdle(of, goal);
  const victims = victimsOf(of);
  const since = Object.entries(drainingSince(of) ?? {}).filter(([id]) => victims.includes(id));
  const gone = since.filter(([id, at]) => isDrained(of, id, at)).map(([id]) => id);
  const waits = since.length - gone.length;
  const note = `${String(surplus)} instances leave, ${String(waits)} still drain`;
  if (gone.length === 0 || world.unseen.length > 0) {
    const ends = Math.min(...since.map(([, at]) => at)) + drainOf(of);
    return { actions: [], note, ...(waits > 0 && { lookAgainAt: ends }) };
  }
  const why = `${version.id} shrinks to ${String(goal)}: these are drained`;
  const taskIds = gone.slice(0, surplus).sort();
  return { actions: [{ kind: 'kill-tasks', appId: version.id, taskIds, why }], note };
}

/** Out at every proxy: draining there with no session left, or past the drain deadline. */
function isDrained(of: AppContext, taskId: string, since: number): boolean {
  const { world, version } = of;
  const servers = world.gateways
    .flatMap((gateway) => viewsOf(gateway, version.id))
    .flatMap((view) => view.servers.filter((server) => server.id === taskId));
  if (servers.some((server) => server.state !== 'draining' && server.state !== 'down'))
    return false;
  return servers.every((server) => server.sessions === 0) || world.now >= since + drainOf(of);
}

function drainOf({ world, version }: AppContext): number {
  return paceOf(world, version).drainMs;
}

/** Kills instances that no proxy gives requests, youngest first, until `goal` are left. */
export function killIdle(of: AppContext, goal: number): Pick<AppPlan, 'actions' | 'note'> {
  const { version, world } = of;
  const tasks = [...(world.input.details[version.id]?.tasks ?? [])]
    .filter((task) => task.state === 'TASK_RUNNING' || task.state === 'TASK_STAGING')
    .sort((a, b) => ((a.startedAt ?? '~') < (b.startedAt ?? '~') ? 1 : -1));
  // The list may be older than the tasks: never more than what is really there.
  const surplus = Math.min(tasks.length, version.app?.instances ?? 0) - goal;
  const taskIds = tasks.slice(0, Math.max(0, surplus)).map((task) => task.id);
  if (taskIds.length === 0 || world.unseen.length > 0) {
    return { actions: [], note: 'waiting to see its tasks' };
  }
  const why = `${version.id} shrinks by ${String(surplus)}: no proxy routes to it`;
  return { actions: [{ kind: 'kill-tasks', appId: version.id, taskIds, why }], note: why };
}

/** Since when every proxy has been told that an instance is leaving. */
export function drainingSince(of: AppContext): Readonly<Record<string, number>> | undefined {
  const { world, version } = of;
  const known = version.record.drainingSince ?? {};
  const since: Record<string, number> = {};
  for (const gateway of world.gateways) {
    const seat = gateway.inForce?.versions.find((one) => one.id === version.id);
    for (const id of seat?.draining ?? []) {
      const at = known[id] ?? (gateway.settled ? world.now : undefined);
      if (at !== undefined) since[id] = at;
    }
  }
  return Object.keys(since).length > 0 ? since : undefined;
}
