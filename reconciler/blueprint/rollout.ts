import { WHOLE, fromPercent, toPercent } from '../model/weights.ts';
import { kindOf, readFields } from './fields.ts';
import { isNull } from './tree.ts';
import { notBuiltYet } from './unbuilt.ts';
import { readFineShare, readFlag, readPercentage, readTime, wordReader } from './values.ts';
import type { Rollout, Step } from '../model/rollout.ts';
import type { Findings } from './diagnostics.ts';
import type { Fields, Shape } from './fields.ts';
import type { Entry, Node, Spot } from './tree.ts';

/** A rollout as one block of a file gives it. */
export interface RolloutBlock {
  readonly rollout: Rollout;
  /** Labels that expose versions past the gateway are wanted here. */
  readonly exposed: boolean;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DEFAULT_BAKE_MS = MINUTE;

/** Design section 7, without checks: none is built yet, so nothing watches the climb. */
export const DEFAULT_ROLLOUT: Rollout = {
  strategy: 'canary',
  steps: [1, 5, 20, 50, 100].map((percent) => ({
    weight: fromPercent(percent),
    bakeMs: DEFAULT_BAKE_MS,
  })),
  deadlineMs: 10 * MINUTE,
  onFailure: 'rollback',
  drainMs: 30 * SECOND,
  warmMs: 2 * MINUTE,
  keepMs: 60 * MINUTE,
  minReady: 100,
};

export const ROLLOUT_SHAPE: Shape = {
  what: 'a rollout',
  keys: [
    'strategy',
    'steps',
    'surge',
    'bake',
    'patience',
    'checks',
    'on_little_traffic',
    'deadline',
    'on_failure',
    'preview',
    'drain',
    'warm',
    'keep',
    'min_ready',
    'release',
    'exposed',
  ],
};

export const STEP_SHAPE: Shape = { what: 'a step', keys: ['weight', 'bake', 'approval'] };

/** Reads a whole block; keys that it leaves out have the language's defaults, not an outer block's. */
export function readRollout(node: Node, findings: Findings): RolloutBlock | undefined {
  if (node.kind === 'scalar') {
    const instead = 'write the rollout itself';
    return notBuiltYet(node.spot, 'references to stored rollouts are', instead, findings);
  }
  const fields = readFields(node, ROLLOUT_SHAPE, findings);
  if (fields === undefined) return undefined;
  refuseUnbuilt(fields, findings);
  const strategy = fields.read('strategy', readStrategy) ?? DEFAULT_ROLLOUT.strategy;
  const bakeMs = fields.read('bake', readTime) ?? DEFAULT_BAKE_MS;
  const rollout: Rollout = {
    strategy,
    steps: stepsOf(fields, strategy, bakeMs, findings),
    deadlineMs: fields.read('deadline', readTime) ?? DEFAULT_ROLLOUT.deadlineMs,
    onFailure: fields.read('on_failure', wordReader(['rollback', 'hold'])) ?? 'rollback',
    drainMs: fields.read('drain', readTime) ?? DEFAULT_ROLLOUT.drainMs,
    warmMs: fields.read('warm', readTime) ?? DEFAULT_ROLLOUT.warmMs,
    keepMs: fields.read('keep', readTime) ?? DEFAULT_ROLLOUT.keepMs,
    minReady: fields.read('min_ready', readMinReady) ?? DEFAULT_ROLLOUT.minReady,
  };
  return { rollout, exposed: fields.read('exposed', readFlag) ?? false };
}

function readStrategy(
  node: Node,
  what: string,
  findings: Findings,
): Rollout['strategy'] | undefined {
  const word = wordReader(['canary', 'all-at-once', 'blue-green', 'rolling'])(node, what, findings);
  if (word !== 'blue-green' && word !== 'rolling') return word;
  const instead = 'supported are `canary` and `all-at-once`';
  return notBuiltYet(node.spot, `the strategy \`${word}\` is`, instead, findings);
}

function readMinReady(node: Node, what: string, findings: Findings): number | undefined {
  const percent = readPercentage(node, what, findings);
  if (percent !== 0) return percent;
  const message = `${what} must be from 1% to 100%; at 0% a version without instances would be ready`;
  return findings.error(node.spot, 'unexpected-type', message);
}

/** What would make the climb more careful than it is; design section 7: refused, never ignored. */
function refuseUnbuilt(fields: Fields, findings: Findings): void {
  const checks = fields.get('checks');
  if (checks !== undefined && !isEmpty(checks.value)) {
    const instead = 'remove them, and know that then nothing but health is watched';
    notBuiltYet(checks.keySpot, 'checks are', instead, findings);
  }
  const preview = fields.get('preview');
  if (preview !== undefined) {
    notBuiltYet(preview.keySpot, 'previews are', 'remove `preview`', findings);
  }
  const surge = fields.read('surge', readPercentage);
  if (surge !== undefined && surge < 100) {
    const instead = 'a candidate starts whole: write 100% or remove it';
    notBuiltYet(fields.spotOf('surge'), 'a `surge` below 100% is', instead, findings);
  }
  if (fields.read('release', wordReader(['alone', 'together'])) === 'together') {
    const instead = 'each cluster is released `alone`';
    notBuiltYet(fields.spotOf('release'), '`release: together` is', instead, findings);
  }
  fields.read('patience', readTime);
  fields.read('on_little_traffic', wordReader(['go-if-clean', 'wait']));
  warnWithoutChecks(fields.get('patience'), findings);
  warnWithoutChecks(fields.get('on_little_traffic'), findings);
}

function warnWithoutChecks(entry: Entry | undefined, findings: Findings): void {
  if (entry === undefined) return;
  const message = `\`${entry.key}\` is about verdicts of checks; there are none yet, so it has no effect`;
  findings.warning(entry.keySpot, 'no-effect', message);
}

function isEmpty(node: Node): boolean {
  return node.kind === 'list' && node.items.length === 0;
}

function stepsOf(
  fields: Fields,
  strategy: Rollout['strategy'],
  bakeMs: number,
  findings: Findings,
): readonly Step[] {
  const entry = fields.get('steps');
  if (strategy === 'all-at-once') {
    if (entry !== undefined) {
      const message = '`all-at-once` takes no steps; use `canary` for steps';
      findings.error(entry.keySpot, 'unsupported-rollout-steps', message);
    }
    return [{ weight: WHOLE, bakeMs }];
  }
  if (entry === undefined) return DEFAULT_ROLLOUT.steps.map(({ weight }) => ({ weight, bakeMs }));
  return readSteps(entry.value, bakeMs, findings);
}

function readSteps(node: Node, bakeMs: number, findings: Findings): readonly Step[] {
  if (node.kind !== 'list' || node.items.length === 0) {
    const found = node.kind === 'list' ? 'an empty list' : kindOf(node);
    const message = `\`steps\` must be a list such as [5%, 50%, 100%], found ${found}`;
    findings.error(node.spot, 'unexpected-type', message);
    return DEFAULT_ROLLOUT.steps;
  }
  const steps: Step[] = [];
  for (const item of node.items) {
    const step = readStep(item, bakeMs, findings);
    if (step === undefined) continue;
    checkRising(steps.at(-1), step, item.spot, findings);
    steps.push(step);
  }
  const last = steps.at(-1);
  if (last !== undefined && last.weight !== WHOLE) {
    const message = `the last step must be 100%, found ${toPercent(last.weight)}`;
    findings.error(node.items.at(-1)?.spot ?? node.spot, 'rollout-step-order', message);
  }
  return steps;
}

function readStep(node: Node, bakeMs: number, findings: Findings): Step | undefined {
  if (node.kind === 'scalar') {
    const percent = readFineShare(node, 'a step', findings);
    return percent === undefined ? undefined : { weight: fromPercent(percent), bakeMs };
  }
  const fields = readFields(node, STEP_SHAPE, findings);
  const percent = fields?.need('weight', readFineShare);
  const bake = fields?.read('bake', readTime) ?? bakeMs;
  if (fields?.read('approval', readFlag) === true) {
    const instead = 'remove `approval`; a commit that moves the weight is an approval';
    notBuiltYet(fields.spotOf('approval'), 'approvals of steps are', instead, findings);
  }
  return percent === undefined ? undefined : { weight: fromPercent(percent), bakeMs: bake };
}

function checkRising(
  before: Step | undefined,
  step: Step,
  spot: Spot,
  findings: Findings,
): undefined {
  const floor = before?.weight ?? 0;
  if (step.weight > floor) return undefined;
  const than = before === undefined ? 'be above 0 %' : `rise: ${toPercent(floor)} stands before it`;
  const message = `steps must ${than}, found ${toPercent(step.weight)}`;
  return findings.error(spot, 'rollout-step-order', message);
}

/** The nearest block of several, each of which may be absent. */
export function nearestRollout(
  blocks: readonly (RolloutBlock | undefined)[],
  fallback: Rollout,
): RolloutBlock {
  return blocks.find((block) => block !== undefined) ?? { rollout: fallback, exposed: false };
}

/** Reads the `rollout` of a map that may have one. */
export function rolloutOf(entry: Entry | undefined, findings: Findings): RolloutBlock | undefined {
  return entry === undefined || isNull(entry.value)
    ? undefined
    : readRollout(entry.value, findings);
}
