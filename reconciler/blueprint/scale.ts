import { readFields, referenceSpot } from './fields.ts';
import { notBuiltYet } from './unbuilt.ts';
import { readCount, readCpu, readMemory } from './values.ts';
import type { Findings } from './diagnostics.ts';
import type { Shape } from './fields.ts';
import type { Node, Spot } from './tree.ts';

export interface Scale {
  readonly cpu: number;
  /** In MB. */
  readonly memory: number;
  readonly instances: number;
  readonly instancesSpot: Spot;
}

/** What a service without a scale gets; Vamp's own defaults. */
export const DEFAULT_SCALE = { cpu: 1, memory: 1000, instances: 1 } as const;

export const SCALE_SHAPE: Shape = {
  what: 'a scale',
  keys: ['cpu', 'memory', 'instances'],
  tolerated: ['kind', 'metadata'],
};

export function readScale(node: Node, findings: Findings): Scale | undefined {
  const reference = referenceSpot(node);
  if (reference !== undefined) {
    const instead = 'write cpu, memory and instances here';
    return notBuiltYet(reference, 'references to stored scales are', instead, findings);
  }
  const fields = readFields(node, SCALE_SHAPE, findings);
  if (fields === undefined) return undefined;
  return {
    cpu: fields.need('cpu', readCpu) ?? DEFAULT_SCALE.cpu,
    memory: fields.need('memory', readMemory) ?? DEFAULT_SCALE.memory,
    instances: fields.read('instances', readCount) ?? DEFAULT_SCALE.instances,
    instancesSpot: fields.spotOf('instances'),
  };
}
