import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DriverError } from '../../reconciler/errors.ts';
import type { Gateways } from '../../reconciler/gateway/port.ts';
import { vectorOf, type NodeView, type Split } from '../../reconciler/model/split.ts';
import { until } from './origins.ts';
import { appVersion, makeSplit } from './splits.ts';

/** Two nodes, `n1` and `n2`, that belong to owner `us`. */
export interface GatewaysSubject {
  readonly gateways: Gateways;
  /** A port that a gateway may have. */
  port(): Promise<number>;
  /** Makes a node unreachable until the end of the test. */
  cutOff(node: string): Promise<void>;
  close(): Promise<void>;
}

/** What every driver of gateways has to do; a fake that passes it makes an honest simulation. */
export function gatewaysContract(name: string, makeSubject: () => Promise<GatewaysSubject>): void {
  describe(`gateways of ${name}`, () => {
    const signal = new AbortController().signal;
    let subject: GatewaysSubject;

    beforeEach(async () => {
      subject = await makeSubject();
    });
    afterEach(async () => {
      await subject.close();
    });

    async function splitOf(weights: readonly [number, number]): Promise<Split> {
      return makeSplit({
        port: await subject.port(),
        versions: [appVersion('/a', weights[0]), appVersion('/b', weights[1])],
      });
    }
    async function apply(split: Split, nodes?: readonly string[]): Promise<void> {
      const only = nodes === undefined ? {} : { nodes };
      await subject.gateways.act({ kind: 'apply-split', split, ...only }, signal);
    }
    async function codeOf(work: Promise<unknown>): Promise<string> {
      try {
        await work;
      } catch (error) {
        if (error instanceof DriverError) return error.code;
        throw error;
      }
      return 'none';
    }
    function node(views: readonly NodeView[], wanted: string): NodeView {
      const found = views.find((view) => view.node === wanted);
      if (found === undefined) throw new Error(`no node ${wanted}`);
      return found;
    }
    async function heldBy(wanted: string): Promise<readonly Split[]> {
      const views = await subject.gateways.observe(signal);
      return node(views, wanted).gateways.map((view) => view.split);
    }

    it('holds nothing at first', async () => {
      const views = await subject.gateways.observe(signal);
      expect(views.map((view) => view.node)).toEqual(['n1', 'n2']);
      expect(views.map((view) => view.gateways)).toEqual([[], []]);
    });

    it('applies a split to every node and reads it back', async () => {
      const split = await splitOf([8_000, 2_000]);
      await apply(split);
      await until(
        async () => {
          const views = await subject.gateways.observe(signal);
          return views.every((view) => view.gateways[0]?.applied === true);
        },
        () => subject.gateways.observe(signal),
      );
      for (const view of await subject.gateways.observe(signal)) {
        expect(view.gateways).toHaveLength(1);
        expect(view.gateways[0]?.split).toEqual(split);
        expect(view.gateways[0]?.weights).toEqual(vectorOf(split));
        expect(view.gateways[0]?.versions.map((each) => each.id)).toEqual(['/a', '/b']);
      }
    });

    it('takes the same split twice', async () => {
      const split = await splitOf([10_000, 0]);
      await apply(split);
      await apply(split);
      expect(await heldBy('n1')).toEqual([split]);
    });

    it('takes a higher generation and refuses a lower one', async () => {
      const split = await splitOf([10_000, 0]);
      const next = { ...split, generation: 2, versions: [appVersion('/b', 10_000)] };
      await apply(next);
      expect(await codeOf(apply(split))).toBe('generation-outdated');
      expect(await heldBy('n2')).toEqual([next]);
    });

    it('refuses another split under the same generation', async () => {
      const split = await splitOf([10_000, 0]);
      await apply(split);
      expect(await codeOf(apply({ ...split, title: 'another' }))).toBe('generation-clash');
      expect(await heldBy('n1')).toEqual([split]);
    });

    it('keeps what it has to remember inside the split', async () => {
      const split: Split = {
        ...(await splitOf([10_000, 0])),
        memory: { stable: { vector: { '/a': 10_000 }, since: 5 }, first: true, rejected: [] },
      };
      await apply(split);
      expect((await heldBy('n1'))[0]?.memory).toEqual(split.memory);
    });

    it('applies to the named nodes only', async () => {
      const split = await splitOf([10_000, 0]);
      await apply(split, ['n2']);
      expect(await heldBy('n1')).toEqual([]);
      expect(await heldBy('n2')).toEqual([split]);
    });

    it('removes a gateway, and one that is gone already is fine', async () => {
      const split = await splitOf([10_000, 0]);
      await apply(split);
      const write = { kind: 'remove-gateway', gateway: split.gateway, generation: 1 } as const;
      await subject.gateways.act(write, signal);
      await subject.gateways.act(write, signal);
      expect(await heldBy('n1')).toEqual([]);
    });

    it('refuses to remove with a lower generation', async () => {
      const split = { ...(await splitOf([10_000, 0])), generation: 7 };
      await apply(split);
      const write = { kind: 'remove-gateway', gateway: split.gateway, generation: 6 } as const;
      expect(await codeOf(subject.gateways.act(write, signal))).toBe('generation-outdated');
      expect(await heldBy('n1')).toEqual([split]);
    });

    it('never touches a gateway of another owner, and does not show it', async () => {
      const foreign = { ...(await splitOf([10_000, 0])), owner: 'them' };
      await apply(foreign);
      expect(await heldBy('n1')).toEqual([]);
      const ours = { ...foreign, owner: 'us', generation: 9 };
      expect(await codeOf(apply(ours))).toBe('gateway-owned');
    });

    it('shows an unreachable node with its error and goes on with the others', async () => {
      const split = await splitOf([10_000, 0]);
      await apply(split);
      await subject.cutOff('n1');
      const views = await subject.gateways.observe(signal);
      expect(node(views, 'n1')).toMatchObject({
        error: { code: 'node-unreachable' },
        gateways: [],
      });
      expect(node(views, 'n2').error).toBeUndefined();
      const next = { ...split, generation: 2 };
      await expect(apply(next)).rejects.toThrow(/n1/u);
      expect(await codeOf(apply(next))).toBe('node-unreachable');
      expect(await heldBy('n2')).toEqual([next]);
    });
  });
}
