import type { Fault } from './refusal.ts';
import { invalidObject } from './refusal.ts';
import type { AppInput } from './schema.ts';

interface Rule {
  readonly path: string;
  readonly error: string;
  readonly isBroken: (input: AppInput) => boolean;
}

function hasTwice(ports: readonly number[]): boolean {
  const given = ports.filter((port) => port !== 0);
  return new Set(given).size !== given.length;
}

function disagree(input: AppInput): boolean {
  if (input.ports === undefined || input.portDefinitions === undefined) return false;
  return input.ports.join() !== input.portDefinitions.map((each) => each.port).join();
}

function expungesEarly(input: AppInput): boolean {
  const strategy = input.unreachableStrategy;
  if (typeof strategy !== 'object') return false;
  return (
    Number(strategy['inactiveAfterSeconds'] ?? 0) > Number(strategy['expungeAfterSeconds'] ?? 0)
  );
}

/** Rules about what was written, which normalising would cover up. */
const RULES: readonly Rule[] = [
  {
    path: '/ports',
    error: 'Ports must be unique.',
    isBroken: (input) => hasTwice(input.ports ?? []),
  },
  {
    path: '/portDefinitions',
    error: 'Ports must be unique.',
    isBroken: (input) => hasTwice((input.portDefinitions ?? []).map((each) => each.port)),
  },
  {
    path: '/portDefinitions',
    error: 'ports and portDefinitions must not disagree',
    isBroken: disagree,
  },
  {
    path: '/portDefinitions',
    error: 'portDefinitions are for host networking only; use container.portMappings',
    isBroken: (input) =>
      (input.portDefinitions ?? []).length > 0 &&
      (input.networks ?? []).some((network) => network.mode !== 'host'),
  },
  {
    path: '/networks',
    error: 'may not mix different kinds of networks',
    isBroken: (input) => new Set((input.networks ?? []).map((network) => network.mode)).size > 1,
  },
  {
    path: '/acceptedResourceRoles',
    error: 'must not be empty',
    isBroken: (input) => input.acceptedResourceRoles?.length === 0,
  },
  {
    path: '/unreachableStrategy',
    error: 'inactiveAfterSeconds must not be above expungeAfterSeconds',
    isBroken: expungesEarly,
  },
  {
    path: '/gpus',
    error: 'Feature gpu_resources is not enabled. Enable with --enable_features gpu_resources)',
    isBroken: (input) => (input.gpus ?? 0) > 0,
  },
  {
    path: '/secrets',
    error: 'Feature secrets is not enabled. Enable with --enable_features secrets)',
    isBroken: (input) =>
      Object.keys(input.secrets ?? {}).length > 0 ||
      Object.values(input.env ?? {}).some((value) => typeof value !== 'string'),
  },
];

/** Throws one 422 with every rule that the input breaks. */
export function assertInput(input: AppInput): void {
  const faults = RULES.filter((rule) => rule.isBroken(input)).map(({ path, error }): Fault => ({
    path,
    errors: [error],
  }));
  if (faults.length > 0) throw invalidObject(faults);
}
