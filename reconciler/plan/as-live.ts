import type { ActualApp } from '../model/actual.ts';
import type { Desired, DesiredGateway, DesiredVersion } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import type { NodeView, Split } from '../model/split.ts';
import type { Vector } from '../model/weights.ts';
import { weightOf } from '../model/weights.ts';
import type { DiffInput } from './diff.ts';
import { keyOf, nameOf } from './diff.ts';
import { targetOf } from './target.ts';

/**
 * What would be live if a revision had converged: so that two revisions are compared by the same
 * rules as git and Marathon are.
 */
export function asLive(desired: Desired, owner: string): Pick<DiffInput, 'apps' | 'nodes'> {
  const versions = desired.deployments.flatMap((deployment) => deployment.versions);
  const ids = new Map(versions.map((one) => [`${serviceKey(one)}@${one.digest}`, one.appId]));
  const gateways = desired.gateways.map((gateway) => {
    const target = targetOf(gateway, {}, keyOf);
    return settledView(splitAt(gateway, target, { owner, ids }));
  });
  return { apps: versions.map(convergedApp), nodes: [{ node: 'git', gateways }] };
}

function convergedApp(version: DesiredVersion): ActualApp {
  return {
    id: version.appId,
    deployment: version.deployment,
    cluster: version.cluster,
    service: version.service,
    digest: version.digest,
    revision: '',
    instances: version.instances,
    tasksStaged: 0,
    tasksRunning: version.instances,
    tasksHealthy: version.instances,
    tasksUnhealthy: 0,
    configAt: '',
    platformChanges: [],
    definition: version.definition,
  };
}

function splitAt(
  gateway: DesiredGateway,
  target: Vector,
  of: { readonly owner: string; readonly ids: ReadonlyMap<string, string> },
): Split {
  const members = gateway.routes.flatMap((route) => route.members);
  return {
    gateway: gateway.name,
    title: gateway.title,
    owner: of.owner,
    generation: 1,
    port: gateway.port,
    protocol: gateway.protocol,
    fallback: [],
    memory: { rejected: [], stable: { vector: byId(target, of.ids), since: 0 } },
    versions: members.map((member) => ({
      id: of.ids.get(keyOf(member)) ?? keyOf(member),
      name: nameOf(keyOf(member)),
      weight: weightOf(target, keyOf(member)),
      draining: [],
      source:
        member.kind === 'external'
          ? { kind: 'external' as const, host: member.address, port: 0 }
          : {
              kind: 'app' as const,
              appId: of.ids.get(keyOf(member)) ?? '',
              service: serviceKey(member),
              digest: member.digest,
              portIndex: 0,
            },
    })),
  };
}

function byId(vector: Vector, ids: ReadonlyMap<string, string>): Vector {
  return Object.fromEntries(
    Object.entries(vector).map(([key, parts]) => [ids.get(key) ?? key, parts]),
  );
}

function settledView(split: Split): NodeView['gateways'][number] {
  const weights = Object.fromEntries(split.versions.map((one) => [one.id, one.weight]));
  return { split, applied: true, weights, versions: [] };
}
