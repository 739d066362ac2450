/** The few things that a simulated commit may change, and their text as a blueprint. */
export interface Plot {
  readonly name: string;
  readonly cluster: string;
  readonly ports: readonly number[];
  readonly services: readonly Service[];
  readonly strategy: 'canary' | 'all-at-once';
  readonly onFailure: 'rollback' | 'hold';
  readonly minReady: number;
  /** Instances of a cluster without a gateway; 0: none. */
  readonly workers: number;
  readonly workerImage: string;
  /** The file is there but cannot be understood. */
  readonly faulty: boolean;
}

export interface Service {
  readonly breed: string;
  readonly image: string;
  readonly instances: number;
  /** Whole per cent; all of a cluster's are given or sum to 100. */
  readonly weight: number;
}

export const BAKE_MS = 5000;

export function textOf(plot: Plot): string {
  if (plot.faulty)
    return `name: ${plot.name}\nclusters: {${plot.cluster}: {services: [{breed: 1, nonsense: 2}]}}\n`;
  const steps =
    plot.strategy === 'canary'
      ? 'steps: [{weight: 10%, bake: 5s}, {weight: 50%, bake: 8s}, 100%], bake: 5s, '
      : '';
  const lines = [
    `name: ${plot.name}`,
    `rollout: {strategy: ${plot.strategy}, ${steps}deadline: 40s, drain: 6s, warm: 10s, ` +
      `keep: 20s, on_failure: ${plot.onFailure}, min_ready: ${String(plot.minReady)}%}`,
    ...(plot.ports.length > 0 ? ['gateways:'] : []),
    ...plot.ports.map((port) => `  ${String(port)}: ${plot.cluster}/http`),
    'clusters:',
    `  ${plot.cluster}:`,
    '    gateways:',
    '      http:',
    '        routes:',
    ...plot.services.map((one) => `          ${one.breed}: {weight: ${String(one.weight)}%}`),
    '    services:',
    ...plot.services.flatMap(serviceText),
  ];
  if (plot.workers > 0) {
    lines.push('  worker:', '    services:');
    const worker = { breed: 'worker', image: plot.workerImage, instances: plot.workers, weight: 0 };
    lines.push(...serviceText(worker));
  }
  return `${lines.join('\n')}\n`;
}

function serviceText(service: Service): readonly string[] {
  return [
    `      - breed:`,
    `          name: ${service.breed}`,
    `          deployable: ${service.image}`,
    '          ports: {http: 8080/http}',
    '          health_checks: {path: /health, port: http, initial_delay: 5s, timeout: 2s, interval: 2s, failures: 3}',
    `        scale: {cpu: 0.1, memory: 64MB, instances: ${String(service.instances)}}`,
  ];
}

/** A blueprint with one service that serves all, unless said otherwise. */
export function plotOf(name: string, port: number, change: Partial<Plot> = {}): Plot {
  return {
    name,
    cluster: 'web',
    ports: [port],
    services: [{ breed: 'app', image: 'good-1', instances: 2, weight: 100 }],
    strategy: 'canary',
    onFailure: 'rollback',
    minReady: 100,
    workers: 0,
    workerImage: 'good-1',
    faulty: false,
    ...change,
  };
}
