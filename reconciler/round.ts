import { DriverError } from './errors.ts';
import type { Gateways } from './gateway/port.ts';
import type { Follower, Intake } from './intake.ts';
import type { Journal, Wish } from './journal/port.ts';
import type { ActualApp } from './model/actual.ts';
import type { Desired } from './model/desired.ts';
import type { NodeView } from './model/split.ts';
import type { Hold, Status, UnitStatus } from './model/status.ts';
import type { PassPorts, PassResult } from './pass.ts';
import { pass } from './pass.ts';
import type { Doubt } from './plan/doubt.ts';
import { decideDoubt, holdsOf, isOver, permitted } from './plan/doubt.ts';
import { retryPatch } from './plan/retry.ts';
import { findStrangers } from './plan/strangers.ts';
import type { Unit } from './plan/units.ts';
import { unitsOf } from './plan/units.ts';
import type { Platform } from './platform/port.ts';

export interface RoundPorts {
  readonly follower: Follower;
  readonly platform: Platform;
  readonly gateways: Gateways;
  readonly journal: Journal;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Is told of every plan before it is acted on. */
  readonly watch?: NonNullable<PassPorts['watch']>;
}

export interface RoundOptions {
  readonly owner: string;
  readonly budget: { readonly count: number; readonly share: number };
  readonly pruneQuietMs: number;
  /** Passes that run at the same time. */
  readonly concurrency: number;
}

export interface RoundResult {
  readonly status: Status;
  readonly acted: boolean;
  readonly lookAgainAt?: number;
}

/** One poll of git and one list of Marathon, shared by one pass of every unit. */
export class Rounds {
  readonly #ports: RoundPorts;
  readonly #options: RoundOptions;
  #intake: Intake | undefined;
  readonly #rests = new Map<string, Rest>();
  /** As shown last: an approval speaks of one of these, a retry of one of those. */
  #holds: readonly Hold[] = [];
  #units: readonly UnitStatus[] = [];

  constructor(ports: RoundPorts, options: RoundOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** `poll: false` looks at the world alone: git is asked no more often than its schedule says. */
  async round(signal: AbortSignal, asks: { readonly poll: boolean }): Promise<RoundResult> {
    this.#grantWishes();
    const [intake, platform, nodes] = await Promise.all([
      this.#follow(asks.poll, signal),
      this.#list(signal),
      this.#ports.gateways.observe(signal),
    ]);
    const doubt = this.#doubt(intake, platform.apps, nodes);
    this.#tidy(doubt, nodes);
    const results = await this.#passes({ intake, apps: platform.apps, nodes, doubt }, signal);
    const looks = results.flatMap((one) =>
      one.lookAgainAt === undefined ? [] : [one.lookAgainAt],
    );
    return {
      status: this.#statusOf({ intake, platform, doubt, units: results.map((one) => one.status) }),
      acted: results.some((one) => one.acted),
      ...(looks.length > 0 && { lookAgainAt: Math.min(...looks) }),
    };
  }

  async #follow(poll: boolean, signal: AbortSignal): Promise<Intake> {
    if (poll || this.#intake === undefined) {
      const before = this.#intake?.revision;
      this.#intake = await this.#ports.follower.look(signal);
      if (this.#intake.revision !== before) this.#noteRevision(this.#intake);
    }
    return this.#intake;
  }

  #noteRevision(intake: Intake): void {
    this.#quietly(() => {
      this.#ports.journal.append({
        at: this.#ports.clock(),
        subject: '',
        kind: 'revision',
        message: `following ${intake.revision ?? 'nothing'} (${intake.message})`,
        ...(intake.revision !== undefined && { revision: intake.revision }),
      });
    });
  }

  async #list(
    signal: AbortSignal,
  ): Promise<{ apps: readonly ActualApp[] | undefined; message: string }> {
    try {
      return { apps: await this.#ports.platform.list(signal), message: '' };
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      return { apps: undefined, message: `${error.code}: ${error.message}` };
    }
  }

  /** What has to wait for a person (law 11). Nothing is known of it while Marathon is out of sight. */
  #doubt(
    intake: Intake,
    apps: readonly ActualApp[] | undefined,
    nodes: readonly NodeView[],
  ): Doubt | undefined {
    const { desired, incomplete } = intake;
    if (desired === undefined || apps === undefined) return undefined;
    const { budget, owner } = this.#options;
    return decideDoubt({
      desired,
      apps,
      nodes,
      owner,
      incomplete,
      budget,
      approved: this.#approved(),
      record: this.#ports.journal.record(),
      strangers: this.#strangers({ desired, apps, nodes }),
    });
  }

  /** Looked for once, in the first round that sees everything; remembered from then on. */
  #strangers(seen: {
    readonly desired: Desired;
    readonly apps: readonly ActualApp[];
    readonly nodes: readonly NodeView[];
  }): readonly string[] {
    const { journal } = this.#ports;
    const fact = journal.facts()[STRANGERS];
    if (fact !== undefined) return fact.split('\n').filter((id) => id !== '');
    const found = findStrangers({ ...seen, owner: this.#options.owner });
    if (seen.nodes.every((node) => node.error === undefined)) {
      this.#quietly(() => {
        journal.setFact(STRANGERS, found.join('\n'));
      });
    }
    return found;
  }

  /** Approvals of what is over and nodes that are back are forgotten. */
  #tidy(doubt: Doubt | undefined, nodes: readonly NodeView[]): void {
    const { journal } = this.#ports;
    const facts = journal.facts();
    const back = nodes.filter((node) => node.error === undefined).map((node) => node.node);
    const over = back.map((node) => `forgotten.${node}`).filter((key) => facts[key] !== undefined);
    if (doubt) {
      const approvals = Object.entries(facts).filter(([key]) => key.startsWith('approved.'));
      over.push(...approvals.filter(([, list]) => isOver(list, doubt)).map(([key]) => key));
    }
    this.#quietly(() => {
      for (const key of over) journal.setFact(key, undefined);
    });
  }

  #approved(): readonly string[] {
    return Object.entries(this.#ports.journal.facts())
      .filter(([key]) => key.startsWith('approved.'))
      .flatMap(([, list]) => list.split('\n'));
  }

  async #passes(
    seen: {
      readonly intake: Intake;
      readonly apps: readonly ActualApp[] | undefined;
      readonly nodes: readonly NodeView[];
      readonly doubt: Doubt | undefined;
    },
    signal: AbortSignal,
  ): Promise<readonly PassResult[]> {
    const { intake, apps, nodes, doubt } = seen;
    if (intake.desired === undefined) return [];
    const record = this.#ports.journal.record();
    const units = unitsOf({
      desired: intake.desired,
      apps,
      nodes,
      record,
      owner: this.#options.owner,
    });
    const results: PassResult[] = [];
    const queue = [...units.entries()];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        results[next[0]] = await this.#passOf(next[1], { intake, doubt }, signal);
      }
    };
    await Promise.all(Array.from({ length: this.#options.concurrency }, worker));
    return results;
  }

  /** One unit's pass. Its fault stays its own (law 15) and makes it rest for a while. */
  async #passOf(
    unit: Unit,
    seen: { readonly intake: Intake; readonly doubt: Doubt | undefined },
    signal: AbortSignal,
  ): Promise<PassResult> {
    const now = this.#ports.clock();
    const rest = this.#rests.get(unit.key);
    const revision = seen.intake.revision ?? '';
    const resting = rest !== undefined && rest.until > now && rest.revision === revision;
    // Proxies that refused a moment ago rest too; for all others the way back stays open.
    if (resting && rest.gatewaysFailed) {
      return { status: rest.status, acted: false, lookAgainAt: rest.until };
    }
    const result = await pass(
      this.#ports,
      {
        owner: this.#options.owner,
        revision,
        desired: unit.desired,
        apps: unit.apps,
        nodes: unit.nodes,
        record: unit.record,
        ...permitted(seen.doubt),
        pruneQuietMs: this.#options.pruneQuietMs,
        forgotten: this.#forgotten(),
      },
      { signal, resting },
    );
    if (resting && result.fault === undefined) {
      // Why it rests is as it was; what the proxies and Marathon show is new.
      const { gateways, versions } = result.status;
      const status = { ...rest.status, gateways, versions };
      return { ...result, status, lookAgainAt: rest.until };
    }
    this.#restAfter(unit, result, revision);
    return result;
  }

  #restAfter(unit: Unit, result: PassResult, revision: string): void {
    if (result.fault === undefined) {
      this.#rests.delete(unit.key);
      return;
    }
    const times = (this.#rests.get(unit.key)?.times ?? 0) + 1;
    const base = REST_MS[result.fault.retry];
    const until =
      this.#ports.clock() + Math.min(LONGEST_REST_MS, base * 2 ** Math.min(times - 1, 6));
    const { status, gatewaysFailed = false } = result;
    this.#rests.set(unit.key, { until, times, revision, status, gatewaysFailed });
  }

  #forgotten(): readonly string[] {
    return Object.keys(this.#ports.journal.facts())
      .filter((key) => key.startsWith('forgotten.'))
      .map((key) => key.slice('forgotten.'.length));
  }

  #statusOf(of: {
    readonly intake: Intake;
    readonly platform: {
      readonly apps: readonly ActualApp[] | undefined;
      readonly message: string;
    };
    readonly doubt: Doubt | undefined;
    readonly units: readonly UnitStatus[];
  }): Status {
    const { intake, platform, doubt, units } = of;
    const holds = [...(intake.hold ? [intake.hold] : []), ...holdsOf(doubt)];
    this.#holds = holds;
    this.#units = units;
    return {
      at: this.#ports.clock(),
      owner: this.#options.owner,
      source: {
        state: intake.state,
        message: intake.message,
        ...(intake.revision !== undefined && { revision: intake.revision }),
        faulty: intake.faulty,
        diagnostics: intake.diagnostics,
      },
      platform: { state: platform.apps ? 'up' : 'down', message: platform.message },
      units,
      holds,
    };
  }

  /** Wishes are judged against what was shown last: a world that moved on refuses them. */
  #grantWishes(): void {
    this.#quietly(() => {
      for (const wish of this.#ports.journal.wishes()) {
        const refusal = this.#grant(wish);
        const outcome = refusal === undefined ? 'done' : 'refused';
        this.#ports.journal.answer(wish.id, outcome, refusal ?? 'granted');
        this.#ports.journal.append({
          at: this.#ports.clock(),
          subject: wish.object,
          kind: 'wish',
          message: `${wish.verb} ${wish.object}: ${refusal ?? 'granted'}`,
        });
      }
    });
  }

  /** Undefined: granted; else why not. */
  #grant(wish: Wish): string | undefined {
    const { journal } = this.#ports;
    switch (wish.verb) {
      case 'forget':
        journal.setFact(`forgotten.${wish.object}`, String(this.#ports.clock()));
        return undefined;
      case 'approve': {
        const hold = this.#holds.find((one) => one.id === wish.object);
        if (hold === undefined)
          return 'nothing of that id waits any longer: look at the status again';
        journal.setFact(`approved.${hold.id}`, hold.list.join('\n'));
        return undefined;
      }
      case 'retry':
        return this.#retry(wish.object);
    }
  }

  /** Forgets rejections, and takes the present weights as stable where nothing knows them. */
  #retry(object: string): string | undefined {
    const { journal } = this.#ports;
    const record = journal.record();
    const patch = retryPatch(record, object, this.#gatewaysOf(object));
    if (patch === undefined) return `nothing of ${object} was rejected or lost`;
    journal.save(patch);
    this.#rests.clear();
    return undefined;
  }

  #gatewaysOf(deployment: string): readonly string[] {
    return this.#units
      .filter((one) => one.unit.split(', ').includes(deployment))
      .flatMap((one) => one.gateways.map((gateway) => gateway.name));
  }

  /** What only concerns the journal must never end a round. */
  #quietly(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
    }
  }
}

interface Rest {
  readonly until: number;
  readonly times: number;
  readonly revision: string;
  readonly status: UnitStatus;
  readonly gatewaysFailed: boolean;
}

/** Fact in the journal: who ran before we remembered anything. */
const STRANGERS = 'platform.strangers';
/** A fault that lasts is looked at again at least this often. */
const LONGEST_REST_MS = 30_000;
const REST_MS = { soon: 1000, backoff: 2000, never: 15_000 } as const;
