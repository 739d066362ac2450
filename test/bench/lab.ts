import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

import { askAgent } from '../../reconciler/commands/agent-desk.ts';
import type { AgentReport } from '../../reconciler/commands/agent-desk.ts';
import { askStatus } from '../../reconciler/commands/live.ts';
import type { Stage } from '../../reconciler/demo/stage.ts';
import { setStage } from '../../reconciler/demo/stage.ts';
import { gatewayNodes } from '../../reconciler/drivers.ts';
import type { UnitStatus } from '../../reconciler/model/status.ts';

const MAIN = fileURLToPath(new URL('../../reconciler/main.ts', import.meta.url));
const BLUEPRINTS = fileURLToPath(new URL('../../blueprints/demo', import.meta.url));

/** One version of a bench's blueprint. */
export interface BenchVersion {
  readonly version: string;
  readonly weight: number;
  readonly instances: number;
}

/** A blueprint in the form of the zero-downtime lab's, with health checks unless told otherwise. */
export function blueprint(
  versions: readonly BenchVersion[],
  rollout: string,
  options: { readonly checks: boolean } = { checks: true },
): string {
  const checks = [
    '          health_checks:',
    '            port: port',
    '            path: /health',
    '            initial_delay: 30s',
    '            timeout: 2s',
    '            interval: 1s',
    '            failures: 3',
  ];
  return [
    'name: simpleservice',
    'gateways:',
    '  10099: simpleservice/port',
    'clusters:',
    '  simpleservice:',
    '    gateways:',
    '      routes:',
    ...versions.flatMap((one) => [
      `        simpleservice:${one.version}:`,
      `          weight: ${String(one.weight)}%`,
    ]),
    '    services:',
    ...versions.flatMap((one) => [
      '      - breed:',
      `          name: simpleservice:${one.version}`,
      '          deployable: mhausenblas/simpleservice:0.4.0',
      '          ports:',
      '            port: 0/http',
      '          env:',
      `            SIMPLE_SERVICE_VERSION: "${one.version}"`,
      ...(options.checks ? checks : []),
      '        scale:',
      '          cpu: 0.1',
      '          memory: 32MB',
      `          instances: ${String(one.instances)}`,
    ]),
    '    rollout:',
    ...rollout.split('\n').map((line) => `      ${line}`),
    '',
  ].join('\n');
}

export async function openStage(proxy: 'haproxy' | 'embedded'): Promise<Stage> {
  return setStage({
    self: [process.execPath, MAIN],
    blueprints: BLUEPRINTS,
    environment: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/' },
    proxy,
    signal: AbortSignal.timeout(20 * 60_000),
    anyPort: true,
  });
}

/** Waits until the only unit satisfies `holds`; throws with what was seen last. */
export async function unitWhere(
  stage: Stage,
  holds: (unit: UnitStatus) => boolean,
  what: string,
  longestMs = 120_000,
): Promise<UnitStatus> {
  const started = performance.now();
  let last = 'nothing';
  while (performance.now() - started < longestMs) {
    const unit = (await askStatus(stage.config))?.units[0];
    if (unit) {
      if (holds(unit)) return unit;
      last = `${unit.phase}: ${unit.message}`;
    }
    await sleep(100);
  }
  throw new Error(`in vain for ${what}; last seen: ${last}\n${stage.log('run')}`);
}

/** Commits a blueprint and waits until it has converged. */
export async function converge(stage: Stage, text: string, message: string): Promise<UnitStatus> {
  stage.writeText(text);
  const revision = await stage.push(message);
  return unitWhere(
    stage,
    (unit) => unit.revision === revision && unit.phase === 'converged',
    message,
  );
}

/** What the proxies show of a version's weight, in per cent. */
export function seenOf(unit: UnitStatus, version: string): number {
  const route = unit.gateways[0]?.routes.find((one) =>
    one.name.startsWith(`simpleservice:${version}@`),
  );
  return (route?.seen ?? 0) / 100;
}

export async function agentOf(stage: Stage): Promise<AgentReport> {
  const [node] = gatewayNodes(stage.config);
  if (node === undefined) throw new Error('no node');
  return askAgent(node, AbortSignal.timeout(5000));
}

export function urlOf(stage: Stage): string {
  return `http://127.0.0.1:${String(stage.gatewayPort)}/endpoint0`;
}

/** One measured line with its mark. */
export interface Mark {
  readonly what: string;
  readonly measured: string;
  readonly mark: string;
  readonly holds: boolean;
}

export function mark(
  what: string,
  measured: string | number,
  wanted: string,
  holds: boolean,
): Mark {
  return { what, measured: String(measured), mark: wanted, holds };
}
