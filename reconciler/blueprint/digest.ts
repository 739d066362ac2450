import { createHash } from 'node:crypto';
import { stableText } from '../model/json.ts';
import type { Json } from '../model/marathon-app.ts';
import type { VersionSpec } from './app.ts';

/** Number of the rule below. Whoever changes the rule counts it up, and redeploys every fleet. */
const FORMAT = 1;

/**
 * The identity of a version (design section 6): `1-` and 16 hex digits of the SHA-256 over what the
 * author wrote, after references are resolved: deployment, cluster and breed name, deployable,
 * ports, env, arguments, checks, cpu, memory, network, dialect. Not: instances, weights, rollout,
 * metadata, revision, nor any default, so that no upgrade redeploys anything. The order of maps
 * does not matter, but that of ports does: it is the order of the task's ports.
 */
export function digestOf(spec: VersionSpec): string {
  const written: Json = {
    deployment: spec.deployment,
    cluster: spec.cluster,
    breed: spec.breed,
    deployable: { type: spec.deployable.type, definition: spec.deployable.definition },
    ports: spec.ports.map(({ name, number, protocol }) => [name, number, protocol]),
    env: Object.fromEntries(spec.environment),
    arguments: spec.arguments.map(({ key, value }) => [key, value]),
    checks: spec.checks
      .map((check) => [
        check.port,
        check.protocol,
        check.path,
        check.initialDelayMs,
        check.timeoutMs,
        check.intervalMs,
        check.failures,
      ])
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    cpu: spec.cpu ?? null,
    memory: spec.memory ?? null,
    network: spec.network ?? null,
    dialect: spec.dialect ?? null,
  };
  const hex = createHash('sha256').update(stableText(written)).digest('hex');
  return `${String(FORMAT)}-${hex.slice(0, 16)}`;
}
