import type { ActualApp } from '../model/actual.ts';
import type { Desired, DesiredGateway, DesiredVersion, RouteMember } from '../model/desired.ts';
import { serviceKey } from '../model/desired.ts';
import type { Json, MarathonApp } from '../model/marathon-app.ts';
import { differences } from '../model/marathon-app.ts';
import type { NodeView, Split } from '../model/split.ts';
import type { Parts, Vector } from '../model/weights.ts';
import { toPercent, vectorKey, weightOf } from '../model/weights.ts';
import { targetOf } from './target.ts';

/** One named difference between what git asks for and what is live. */
export interface Difference {
  /** Deployment, or the gateway's title. */
  readonly subject: string;
  readonly object: string;
  /** `absent`, `image`, `env`, `scale`, `weight`, `listener`, `left-git` ... */
  readonly aspect: string;
  readonly from: string;
  readonly to: string;
  /** What it takes: a new app beside the old, instances, traffic, or going away. */
  readonly effect: 'new-version' | 'scale' | 'traffic' | 'leave';
  /** The app that is to be made or to go, where there is one. */
  readonly appId?: string;
}

/** Share per instance of one version, now and once git has what it asks for. */
export interface Load {
  readonly gateway: string;
  readonly version: string;
  readonly before: string;
  readonly after: string;
}

export interface Diff {
  readonly differences: readonly Difference[];
  readonly loads: readonly Load[];
  /** What a reader should know of how the change will be made. */
  readonly notes: readonly string[];
}

export interface DiffInput {
  readonly desired: Desired;
  readonly apps: readonly ActualApp[];
  readonly nodes: readonly NodeView[];
  readonly owner: string;
}

/** What git asks for against what is live, by aspect. */
export function diff(input: DiffInput): Diff {
  const versions = input.desired.deployments.flatMap((deployment) => deployment.versions);
  const paired = versions.map((version) => ({ version, app: appOf(input.apps, version) }));
  const gateways = input.desired.gateways.map((gateway) => gatewayDiff(input, gateway, versions));
  return {
    differences: [
      ...paired.flatMap(({ version, app }) => versionDiff(input.apps, version, app)),
      ...leaving(input, versions),
      ...gateways.flatMap((one) => one.differences),
      ...closing(input),
    ],
    loads: gateways.flatMap((one) => one.loads),
    notes: notesOf(
      input,
      gateways.flatMap((one) => one.differences),
    ),
  };
}

function appOf(apps: readonly ActualApp[], version: DesiredVersion): ActualApp | undefined {
  return apps.find(
    (app) => app.digest === version.digest && serviceKey(app) === serviceKey(version),
  );
}

function versionDiff(
  apps: readonly ActualApp[],
  version: DesiredVersion,
  app: ActualApp | undefined,
): readonly Difference[] {
  const base = { subject: version.deployment, object: `${version.cluster}/${version.service}` };
  if (app) {
    if (app.instances === version.instances) return [];
    const from = String(app.instances);
    return [{ ...base, aspect: 'scale', from, to: String(version.instances), effect: 'scale' }];
  }
  const old = apps.find((one) => serviceKey(one) === serviceKey(version) && one.instances > 0);
  const created: Difference = {
    ...base,
    aspect: 'absent',
    from: '-',
    to: instancesOf(version.instances),
    effect: 'new-version',
    appId: version.appId,
  };
  if (old === undefined) return [created];
  const aspects = differences(version.definition, old.definition).flatMap((aspect) =>
    aspectRows(aspect, old.definition, version.definition),
  );
  return [...aspects.map((row) => ({ ...base, ...row, effect: 'new-version' as const })), created];
}

type Row = Pick<Difference, 'aspect' | 'from' | 'to'>;

function aspectRows(aspect: string, from: MarathonApp, to: MarathonApp): readonly Row[] {
  if (aspect === 'env' || aspect === 'labels') return entryRows(aspect, from, to);
  if (aspect === 'image') return [{ aspect, from: imageOf(from), to: imageOf(to) }];
  return [{ aspect, from: short(from[aspect]), to: short(to[aspect]) }];
}

/** Secret by name: shown as changed, never with its value (law 14). */
const SECRET = /TOKEN|PASSWORD|PASSWD|SECRET|KEY|CREDENTIAL/iu;

function entryRows(aspect: string, from: MarathonApp, to: MarathonApp): readonly Row[] {
  const before = entriesOf(from[aspect]);
  const after = entriesOf(to[aspect]);
  const names = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => (a < b ? -1 : 1));
  return names
    .filter((name) => before.get(name) !== after.get(name))
    .filter((name) => !name.startsWith('sluice.'))
    .map((name) => ({
      aspect: `${aspect} ${name}`,
      from: shown(name, before.get(name)),
      to: shown(name, after.get(name)),
    }));
}

function shown(name: string, value: string | undefined): string {
  if (value === undefined) return '-';
  return SECRET.test(name) ? '(secret)' : value;
}

function entriesOf(value: Json | undefined): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map();
  return new Map(Object.entries(value).map(([key, inner]) => [key, short(inner)]));
}

function imageOf(app: MarathonApp): string {
  const docker = entriesOf(app['container']).get('docker');
  if (docker === undefined) return '-';
  const image = /"image":"([^"]*)"/u.exec(docker);
  return image?.[1] ?? '-';
}

function short(value: Json | undefined): string {
  if (value === undefined || value === null) return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 297)}...` : text;
}

function leaving(input: DiffInput, versions: readonly DesiredVersion[]): readonly Difference[] {
  return input.apps
    .filter((app) => appIsLeaving(app, versions))
    .map((app) => ({
      subject: app.deployment,
      object: `${app.cluster}/${app.service}`,
      aspect: 'left-git',
      from: instancesOf(app.instances),
      to: '-',
      effect: 'leave',
      appId: app.id,
    }));
}

function instancesOf(count: number): string {
  return `${String(count)} ${count === 1 ? 'instance' : 'instances'}`;
}

/** Parked versions are on their way out already: nothing that git asks differs. */
function appIsLeaving(app: ActualApp, versions: readonly DesiredVersion[]): boolean {
  if (app.instances === 0) return false;
  return !versions.some(
    (version) => version.digest === app.digest && serviceKey(version) === serviceKey(app),
  );
}

function splitOf(input: DiffInput, name: string): Split | undefined {
  let newest: Split | undefined;
  for (const node of input.nodes) {
    for (const { split } of node.gateways) {
      if (split.gateway !== name || split.owner !== input.owner) continue;
      if (split.generation > (newest?.generation ?? -1)) newest = split;
    }
  }
  return newest;
}

/** Versions are compared by service and digest, since a new one has no app id yet. */
function gatewayDiff(
  input: DiffInput,
  gateway: DesiredGateway,
  versions: readonly DesiredVersion[],
): { readonly differences: readonly Difference[]; readonly loads: readonly Load[] } {
  const split = splitOf(input, gateway.name);
  const present = presentOf(split);
  const stable = keyed(split, split?.memory.stable?.vector ?? {});
  const target = targetOf(gateway, stable, keyOf);
  const base = { subject: gateway.title, effect: 'traffic' as const };
  const ids = [...new Set([...Object.keys(present), ...Object.keys(target)])];
  const rows = ids
    .filter((id) => weightOf(present, id) !== weightOf(target, id))
    .map((id) => ({
      ...base,
      object: nameOf(id),
      aspect: 'weight',
      from: split ? toPercent(weightOf(present, id)) : '-',
      to: toPercent(weightOf(target, id)),
    }));
  const opened: readonly Difference[] = split
    ? []
    : [
        {
          ...base,
          object: `port ${gateway.name}`,
          aspect: 'listener',
          from: '-',
          to: gateway.protocol,
        },
      ];
  return {
    differences: [...opened, ...rows],
    loads:
      vectorKey(present) === vectorKey(target)
        ? []
        : loadsOf(input, gateway, { present, target, versions }),
  };
}

/** `deployment/cluster/breed@digest` of a member, or its address: what both sides are compared by. */
export function keyOf(member: RouteMember): string {
  return member.kind === 'version' ? `${serviceKey(member)}@${member.digest}` : member.address;
}

function presentOf(split: Split | undefined): Vector {
  const weights = Object.fromEntries(split?.versions.map((one) => [one.id, one.weight]) ?? []);
  return keyed(split, weights);
}

function keyed(split: Split | undefined, vector: Vector): Vector {
  const result: Record<string, Parts> = {};
  for (const { id, source } of split?.versions ?? []) {
    const key = source.kind === 'app' ? `${source.service}@${source.digest}` : id;
    if (weightOf(vector, id) > 0) result[key] = weightOf(vector, id);
  }
  return result;
}

/** `web:1.0@1a2b3c4d` of `shop/web/web:1.0@1-1a2b3c4d...`, as the response header has it. */
export function nameOf(key: string): string {
  const parts = /^[^/]+\/[^/]+\/(.+)@1-([0-9a-f]{8})/u.exec(key);
  return parts ? `${parts[1] ?? ''}@${parts[2] ?? ''}` : key;
}

function loadsOf(
  input: DiffInput,
  gateway: DesiredGateway,
  of: {
    readonly present: Vector;
    readonly target: Vector;
    readonly versions: readonly DesiredVersion[];
  },
): readonly Load[] {
  const ids = [...new Set([...Object.keys(of.present), ...Object.keys(of.target)])];
  return ids
    .filter((id) => id.includes('@1-'))
    .map((id) => {
      const app = input.apps.find((one) => `${serviceKey(one)}@${one.digest}` === id);
      const version = of.versions.find((one) => `${serviceKey(one)}@${one.digest}` === id);
      return {
        gateway: gateway.title,
        version: nameOf(id),
        before: perInstance(weightOf(of.present, id), app?.instances ?? 0),
        after: perInstance(weightOf(of.target, id), version?.instances ?? 0),
      };
    });
}

function perInstance(share: Parts, instances: number): string {
  if (share === 0) return '-';
  if (instances === 0) return 'no instance';
  return `${(share / 100 / instances).toFixed(1)} % each of ${String(instances)}`;
}

function closing(input: DiffInput): readonly Difference[] {
  const wanted = new Set(input.desired.gateways.map((gateway) => gateway.name));
  const splits = input.nodes
    .flatMap((node) => node.gateways.map((view) => view.split))
    .filter((split) => split.owner === input.owner && !wanted.has(split.gateway));
  const byName = new Map(splits.map((split) => [split.gateway, split]));
  return [...byName.values()].map((split) => ({
    subject: split.title,
    object: `port ${split.gateway}`,
    aspect: 'left-git',
    from: split.protocol,
    to: '-',
    effect: 'leave',
  }));
}

function notesOf(input: DiffInput, changes: readonly Difference[]): readonly string[] {
  const notes: string[] = [];
  const rising = new Set(
    changes.filter((one) => one.aspect === 'weight').map((one) => one.subject),
  );
  for (const gateway of input.desired.gateways) {
    if (!rising.has(gateway.title)) continue;
    const steps = gateway.rollout.steps.map((step) => toPercent(step.weight)).join(', ');
    notes.push(
      `${gateway.title} walks by ${gateway.rollout.strategy} (${steps}) without checks: ` +
        'a step is left by time and readiness alone',
    );
    if (gateway.routes.some((route) => route.members.some((m) => m.kind === 'external'))) {
      notes.push(`${gateway.title} routes to hosts that are not ours: no guard on their capacity`);
    }
  }
  return notes;
}
