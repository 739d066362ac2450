import { checkStatus, runCheck } from '../../reconciler/commands/check.ts';
import type { Mark } from './lab.ts';
import { blueprint, converge, mark, openStage, urlOf } from './lab.ts';

const COUNT = 10_000;
const ROLLOUT = 'strategy: all-at-once\nbake: 1s\ndrain: 1s\nwarm: 0s\nkeep: 0s';

const CASES = [
  { share: 20, stable: 3, candidate: 1 },
  { share: 1, stable: 1, candidate: 3 },
  { share: 1, stable: 3, candidate: 1 },
  { share: 1, stable: 1, candidate: 10 },
] as const;

/** The share that clients see, whatever the instance counts, on both proxies. */
export async function split(
  proxies: readonly ('haproxy' | 'embedded')[],
): Promise<readonly Mark[]> {
  const marks: Mark[] = [];
  for (const proxy of proxies) {
    const stage = await openStage(proxy);
    try {
      for (const [index, one] of CASES.entries()) {
        const versions = [
          { version: `0.${String(index)}`, weight: 100 - one.share, instances: one.stable },
          { version: `1.${String(index)}`, weight: one.share, instances: one.candidate },
        ];
        await converge(
          stage,
          blueprint(versions, ROLLOUT, { checks: false }),
          `case ${String(index)}`,
        );
        const result = await runCheck(
          { url: urlOf(stage), count: COUNT, concurrency: 8 },
          AbortSignal.timeout(120_000),
        );
        const seen = result.answered.find((row) =>
          row.version?.startsWith(`simpleservice:1.${String(index)}@`),
        );
        const got = ((seen?.count ?? 0) / COUNT) * 100;
        const off = Math.abs(got - one.share);
        marks.push(
          mark(
            `${proxy}: ${String(one.share)} % at ${String(one.stable)}:${String(one.candidate)} instances, ${String(COUNT)} requests`,
            `${got.toFixed(2)} %`,
            'within 0.1 points, none failed',
            off <= 0.1 && checkStatus(result) === 0,
          ),
        );
      }
    } finally {
      await stage.close();
    }
  }
  return marks;
}
