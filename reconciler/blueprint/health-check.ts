import { readFields, shown } from './fields.ts';
import { listed, suggestion } from '../model/nearest.ts';
import { readCount, readText, readTime } from './values.ts';
import type { Findings } from './diagnostics.ts';
import type { Shape } from './fields.ts';
import type { Node, Spot } from './tree.ts';

export interface HealthCheck {
  /** Name of the breed's port. */
  readonly port: string;
  readonly portSpot: Spot;
  readonly path: string;
  readonly protocol: string;
  readonly initialDelayMs: number;
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly failures: number;
}

export const HEALTH_CHECK_SHAPE: Shape = {
  what: 'a health check',
  keys: ['port', 'path', 'protocol', 'initial_delay', 'timeout', 'interval', 'failures'],
};

/** Marathon's protocols but COMMAND, which has no port and comes by the dialect. */
const PROTOCOLS = ['HTTP', 'HTTPS', 'TCP', 'MESOS_HTTP', 'MESOS_HTTPS', 'MESOS_TCP'];

/** What Marathon cannot see within 10 s keeps a broken instance in rotation for that long. */
const LONG_INTERVAL_MS = 10_000;

/** `health_checks`: one check or a list of them. */
export function readHealthChecks(node: Node, findings: Findings): readonly HealthCheck[] {
  const nodes = node.kind === 'list' ? node.items : [node];
  return nodes
    .map((item) => readHealthCheck(item, findings))
    .filter((check): check is HealthCheck => check !== undefined);
}

function readHealthCheck(node: Node, findings: Findings): HealthCheck | undefined {
  const fields = readFields(node, HEALTH_CHECK_SHAPE, findings);
  if (fields === undefined) return undefined;
  const check: HealthCheck = {
    port: fields.need('port', readText) ?? '',
    portSpot: fields.spotOf('port'),
    path: fields.read('path', readText) ?? '/',
    protocol: fields.read('protocol', readProtocol) ?? 'HTTP',
    initialDelayMs: fields.need('initial_delay', readTime) ?? 0,
    timeoutMs: fields.need('timeout', readTime) ?? 0,
    intervalMs: fields.need('interval', readTime) ?? 0,
    failures: fields.need('failures', readFailures) ?? 0,
  };
  if (check.intervalMs > LONG_INTERVAL_MS) {
    const seconds = String(check.intervalMs / 1000);
    const message = `with an interval of ${seconds} s a broken instance is noticed late; write 10s or less`;
    findings.warning(fields.spotOf('interval'), 'health-interval-long', message);
  }
  return check;
}

function readProtocol(node: Node, what: string, findings: Findings): string | undefined {
  const text = readText(node, what, findings);
  if (text === undefined || PROTOCOLS.includes(text.toUpperCase())) return text?.toUpperCase();
  const message = `Marathon has no health check protocol \`${shown(text)}\`; it has ${listed(PROTOCOLS)}`;
  const hint = suggestion(text, PROTOCOLS);
  return findings.error(node.spot, 'unsupported-health-protocol', message + hint);
}

function readFailures(node: Node, what: string, findings: Findings): number | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'number' && node.value < 0) {
    const message = `${what} must be 0 or more, found ${String(node.value)}`;
    return findings.error(node.spot, 'negative-failures-number', message);
  }
  return readCount(node, what, findings);
}

/** Reports checks of ports that are not there. */
export function checkHealthPorts(
  checks: readonly HealthCheck[],
  ports: readonly string[],
  findings: Findings,
): void {
  for (const check of checks) {
    if (check.port === '' || ports.includes(check.port)) continue;
    const have = ports.length === 0 ? 'there are no ports' : `there are ${listed(ports)}`;
    const message = `the health check names port \`${check.port}\`; ${have}`;
    findings.error(
      check.portSpot,
      'unresolved-port-reference',
      message + suggestion(check.port, ports),
    );
  }
}

/**
 * Vamp's precedence (vamp-language section 3.4): a service's own list replaces the breed's; the
 * cluster's serves those without one, and otherwise adds checks of other paths.
 */
export function effectiveChecks(from: {
  readonly breed: readonly HealthCheck[] | undefined;
  readonly service: readonly HealthCheck[] | undefined;
  readonly cluster: readonly HealthCheck[] | undefined;
  readonly ports: readonly string[];
}): readonly HealthCheck[] {
  const shared = (from.cluster ?? []).filter((check) => from.ports.includes(check.port));
  const own = from.service;
  if (own === undefined) return shared.length > 0 ? shared : (from.breed ?? []);
  return [...own, ...shared.filter((check) => own.some((mine) => mine.path !== check.path))];
}
