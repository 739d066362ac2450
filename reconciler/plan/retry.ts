import type { AppRecord, GatewayRecord, RecordPatch, UnitRecord } from '../model/record.ts';

/**
 * `object` is a deployment, a `deployment/cluster/breed`, or a gateway's name. Rejections that it
 * names are dropped and its versions' clocks start anew; a gateway whose stable weights nobody
 * knows any more takes its heaviest version as stable.
 */
export function retryPatch(
  record: UnitRecord,
  object: string,
  gatewayNames: readonly string[] = [],
): RecordPatch | undefined {
  const gateways: Record<string, GatewayRecord> = {};
  const deployments = new Set<string>();
  for (const [name, gateway] of Object.entries(record.gateways)) {
    const { memory } = gateway;
    const kept = memory.rejected.filter(
      (one) => name !== object && !`${one.service}/`.startsWith(`${object}/`),
    );
    const isMeant = name === object || gatewayNames.includes(name);
    const isLost = isMeant && memory.stable === undefined && memory.first !== true;
    if (kept.length === memory.rejected.length && !isLost) continue;
    for (const one of memory.rejected) deployments.add(one.service.split('/')[0] ?? '');
    gateways[name] = {
      ...gateway,
      memory: { ...memory, rejected: kept },
      ...(isLost && { assumeStable: true as const }),
    };
  }
  if (Object.keys(gateways).length === 0) return undefined;
  return { gateways, apps: restarted(record, deployments) };
}

function restarted(
  record: UnitRecord,
  deployments: ReadonlySet<string>,
): Readonly<Record<string, AppRecord>> {
  const apps: Record<string, AppRecord> = {};
  for (const [id, app] of Object.entries(record.apps)) {
    if (!deployments.has(id.split('/').at(-3) ?? '')) continue;
    const { progress: _progress, failures: _failures, outSince: _outSince, ...rest } = app;
    apps[id] = rest;
  }
  return apps;
}
