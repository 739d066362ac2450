import { isDeepStrictEqual } from 'node:util';

import type { Compilation } from '../../reconciler/blueprint/compile.ts';
import { compile } from '../../reconciler/blueprint/compile.ts';
import { Follower } from '../../reconciler/intake.ts';
import type { Journal } from '../../reconciler/journal/port.ts';
import type { AppWrite, GatewayWrite } from '../../reconciler/model/action.ts';
import type { MarathonApp } from '../../reconciler/model/marathon-app.ts';
import type { Split } from '../../reconciler/model/split.ts';
import { vectorOf } from '../../reconciler/model/split.ts';
import type { Status } from '../../reconciler/model/status.ts';
import { WHOLE, total, vectorKey, weightOf } from '../../reconciler/model/weights.ts';
import type { Plan, PlanInput } from '../../reconciler/plan/input.ts';
import { plan } from '../../reconciler/plan/plan.ts';
import { Rounds } from '../../reconciler/round.ts';
import { FakeGateways, FakeNode, sharesOf } from '../support/fake-gateways.ts';
import { FakeJournal } from '../support/fake-journal.ts';
import { FakePlatform, fault } from '../support/fake-platform.ts';
import { FakeSource } from '../support/fake-source.ts';
import type { WorldView } from './convergence.ts';
import { expectConverged } from './convergence.ts';
import type { Truth } from './laws.ts';
import { LawBroken, behaviourByDigest, checkAction, inForceOf } from './laws.ts';
import { OWNER } from './owner.ts';
import { Random } from './random.ts';
import { Scenario } from './scenario.ts';

const FOREIGN_ID = '/other/app';
const FOREIGN: Split = {
  gateway: '7000',
  title: 'theirs',
  owner: 'somebody-else',
  generation: 3,
  port: 7000,
  protocol: 'http',
  versions: [],
  fallback: [],
  memory: { rejected: [] },
};
const TICK_MS = 1000;
const START = Date.UTC(2026, 0, 1);

/** The process dies here; the next one goes on with what is on disk. */
class Crash extends Error {}

/** What can go wrong in one seed. */
export interface Chaos {
  /** Of each write: it is lost, refused or the process dies around it. */
  readonly writes: number;
  /** Of each look: some fault of the world begins. */
  readonly world: number;
  readonly stale: boolean;
  readonly journal: boolean;
  readonly tamper: boolean;
}

export class Simulation implements WorldView {
  readonly random: Random;
  readonly platform: FakePlatform;
  readonly source = new FakeSource();
  readonly journal = new FakeJournal();
  readonly gateways: FakeGateways;
  readonly nodes: readonly FakeNode[];
  readonly scenario: Scenario;
  readonly chaos: Chaos;
  readonly story: string[] = [];
  now = START;
  looks = 0;
  writes = 0;
  status: Status | undefined;
  /** The journal was lost or not written: what git asked before may be unknown. */
  memoryLost = false;
  tampered = false;
  #inputs = new Map<string, PlanInput>();
  readonly #behaviours = new Map<string, string>();
  readonly #shown = new Map<string, { key: string; since: number }>();
  readonly #out = new Map<string, number>();
  readonly #backNeeded = new Map<string, number>();
  #faulty = true;
  #faultsUntil = new Map<string, number>();
  #rounds: Rounds;
  #lookAgainAt: number | undefined;

  constructor(seed: number) {
    this.random = new Random(seed);
    const { random } = this;
    this.scenario = new Scenario(random);
    this.chaos = chaosOf(random);
    this.platform = new FakePlatform(OWNER, this.now);
    this.nodes = Array.from(
      { length: random.between(1, 3) },
      (_, index) => new FakeNode(`proxy${String(index + 1)}`, this.platform, () => random.next()),
    );
    this.gateways = new FakeGateways(this.nodes, OWNER, () => this.now);
    this.platform.addForeign(FOREIGN_ID, { cmd: 'sleep', labels: { who: 'else' } }, 1);
    for (const node of this.nodes) node.keeper.put(FOREIGN);
    this.#rounds = this.#start();
  }

  tell(text: string): void {
    const seconds = ((this.now - START) / 1000).toFixed(0).padStart(5);
    this.story.push(`${seconds}s ${text}`);
  }

  /** Clients leave a port some time after git did. */
  #moveClients(): void {
    const ports = new Set(this.scenario.plots.flatMap((plot) => plot.ports.map(String)));
    for (const { proxy } of this.nodes) {
      for (const { name } of proxy.gateways) {
        if (ports.has(name)) proxy.idle.delete(name);
        else proxy.idle.add(name);
      }
    }
  }

  commit(text: string): void {
    const revision = this.source.commit(this.scenario.files());
    this.tell(`commit ${revision.slice(-3)}: ${text}`);
  }

  rewrite(text: string): void {
    const revision = this.source.rewrite(this.scenario.files());
    this.tell(`history rewritten, head ${revision.slice(-3)}: ${text}`);
  }

  /** The world goes on for a while, then the reconciler looks. */
  async step(): Promise<void> {
    const wait = this.#faulty
      ? this.random.between(1, 5) * TICK_MS
      : Math.min(10_000, Math.max(TICK_MS, (this.#lookAgainAt ?? Infinity) - this.now));
    const until = this.now + wait;
    while (this.now < until) {
      this.now += TICK_MS;
      this.#tick();
    }
    if (this.#faulty) this.#upset();
    if (this.random.chance(0.1)) this.#moveClients();
    await this.#look();
  }

  /** From here on nothing goes wrong any more. */
  calm(): void {
    for (const node of this.nodes) node.lagUntil = 0;
    this.tell('faults stop');
    this.#faulty = false;
    for (const name of this.#faultsUntil.keys()) this.#end(name);
    this.#faultsUntil.clear();
  }

  /** A person reads the status and does what it asks for. */
  async care(): Promise<void> {
    await Promise.resolve();
    for (const hold of this.status?.holds ?? []) {
      this.tell(`approve ${hold.id} (${hold.reason})`);
      this.journal.wish('approve', hold.id, this.now);
    }
    for (const unit of this.status?.units ?? []) {
      if (unit.reason !== 'record-lost') continue;
      const name = unit.unit.split(', ')[0] ?? '';
      this.tell(`retry ${name}`);
      this.journal.wish('retry', name, this.now);
    }
  }

  isConverged(): boolean {
    const trouble = expectConverged(this);
    if (trouble !== undefined) this.trouble = trouble;
    return trouble === undefined;
  }

  trouble = '';

  #start(): Rounds {
    const random = this.random;
    const journal = this.#guardedJournal();
    const follower = new Follower({
      source: this.source,
      journal,
      compile: { prefix: 'test' },
      fingerprint: 'fake#main: test',
    });
    void random;
    return new Rounds(
      {
        follower,
        journal,
        platform: {
          list: () => this.platform.list(),
          detail: (id) => this.platform.detail(id),
          act: (write) => this.#write(write, () => this.platform.act(write)),
        },
        gateways: {
          abilities: this.gateways.abilities,
          observe: () => this.gateways.observe(),
          act: (write) => this.#write(write, () => this.gateways.act(write)),
        },
        clock: () => this.now,
        watch: (input, decided) => {
          this.#watch(input, decided);
        },
      },
      {
        owner: OWNER,
        budget: { count: 2, share: 20 },
        pruneQuietMs: 15_000,
        concurrency: 1,
      },
    );
  }

  /** Crashes strike between any two writes, those of the journal included. */
  #guardedJournal(): Journal {
    const { journal } = this;
    const strike = (): void => {
      if (this.#faulty && this.random.chance(this.chaos.writes / 4)) this.#crash('at the journal');
    };
    return {
      record: () => journal.record(),
      facts: () => journal.facts(),
      wishes: () => journal.wishes(),
      save: (patch) => {
        strike();
        this.writes += 1;
        journal.save(patch);
        strike();
      },
      append: (entry) => {
        strike();
        if (!entry.message.startsWith('following')) this.writes += 1;
        journal.append(entry);
      },
      setFact: (key, value) => {
        strike();
        this.writes += 1;
        journal.setFact(key, value);
      },
      answer: (id, outcome, message) => {
        this.tell(`wish ${outcome}: ${message}`);
        journal.answer(id, outcome, message);
      },
    };
  }

  #crash(text: string): never {
    this.tell(`CRASH ${text}`);
    throw new Crash(text);
  }

  async #write(write: AppWrite | GatewayWrite, act: () => Promise<void>): Promise<void> {
    const name = nameOf(write);
    const { random, chaos } = this;
    this.writes += 1;
    this.#checkUnrecorded(write);
    const fate = this.#faulty && random.chance(chaos.writes) ? random.between(0, 4) : -1;
    if (fate === 0) this.#crash(`before ${name}`);
    if (fate === 1) {
      this.tell(`${name} LOST`);
      throw fault('marathon-unavailable', 'backoff');
    }
    if (fate === 2 && write.kind !== 'apply-split' && write.kind !== 'remove-gateway') {
      this.tell(`${name} LOCKED`);
      throw fault('app-locked', 'soon');
    }
    try {
      await act();
      this.tell(name);
    } catch (error) {
      this.tell(`${name} FAILED ${error instanceof Error ? error.message : ''}`);
      throw error;
    }
    if (fate === 3) this.#crash(`after ${name}`);
    if (fate === 4) {
      this.tell('  its answer is lost');
      throw fault('marathon-unavailable', 'backoff');
    }
  }

  /** Law 17: while the record cannot be written, only the way back is open. */
  #checkUnrecorded(write: AppWrite | GatewayWrite): void {
    if (!this.journal.failWrites || write.kind !== 'apply-split') return;
    const input = this.#lastInput.get(write.split.gateway);
    const truth = { ...this.#truth(), journalWorks: false };
    if (input) checkAction({ ...write, why: '' }, input, truth);
  }

  #truth(): Truth {
    return {
      platform: this.platform,
      nodes: this.nodes,
      owner: OWNER,
      now: this.now,
      forgotten: Object.keys(this.journal.facts())
        .filter((key) => key.startsWith('forgotten.'))
        .map((key) => key.slice('forgotten.'.length)),
      journalWorks: true,
      incomplete: this.#incomplete,
      approved: [],
      shownSince: this.#shown,
      outSince: this.#out,
      behaviours: this.#behaviours,
    };
  }

  #incomplete: string | undefined;

  /** Law 1 by frozen double calls, law 2 by judging each action in the state that was observed. */
  #watch(input: PlanInput, decided: Plan): void {
    for (const [digest, behaviour] of behaviourByDigest(input)) {
      this.#behaviours.set(digest, behaviour);
    }
    const frozen = deepFreeze(input);
    const again = plan(frozen, this.now);
    if (!isDeepStrictEqual(decided, again)) throw new LawBroken(1, 'two plans for the same');
    const key = input.desired.gateways.map((one) => one.name).join();
    this.#inputs.set(key, input);
    for (const gateway of input.desired.gateways) this.#lastInput.set(gateway.name, input);
    const truth = this.#truth();
    for (const action of decided.actions) checkAction(action, input, truth);
    this.#checkWayBack(input, decided);
  }

  readonly #lastInput = new Map<string, PlanInput>();

  /** Law 17: what is rejected or given up loses its traffic soon, whatever else is broken. */
  #checkWayBack(input: PlanInput, decided: Plan): void {
    for (const gateway of decided.status.gateways) {
      const split = inForceOf(input.nodes, gateway.name);
      const memory = input.record.gateways[gateway.name]?.memory ?? split?.memory;
      const stable = memory?.stable?.vector;
      const desired = input.desired.gateways.find((one) => one.name === gateway.name);
      if (split === undefined || stable === undefined || desired === undefined) continue;
      const wanted = new Set(
        input.desired.deployments.flatMap((one) => one.versions.map((each) => each.digest)),
      );
      const bad = split.versions.some(({ id, weight, source }) => {
        if (weight <= weightOf(stable, id) || source.kind !== 'app') return false;
        if (!wanted.has(source.digest)) return weightOf(stable, id) === 0;
        return memory?.rejected.some((one) => one.digest === source.digest) === true;
      });
      const serves = Object.keys(stable).some((id) =>
        this.nodes.every((node) =>
          node.proxy.gateways.some((g) => g.name === gateway.name && node.proxy.isUsable(g, id)),
        ),
      );
      if (!bad || !serves || desired.rollout.onFailure === 'hold') {
        this.#backNeeded.delete(gateway.name);
        continue;
      }
      const since = this.#backNeeded.get(gateway.name) ?? this.now;
      this.#backNeeded.set(gateway.name, since);
      if (this.now - since > 20_000) {
        throw new LawBroken(17, `${gateway.name} is still not back at stable`);
      }
    }
  }

  async #look(): Promise<void> {
    this.looks += 1;
    this.#incomplete = this.#whyIncomplete();
    try {
      const result = await this.#rounds.round(new AbortController().signal, { poll: true });
      this.status = result.status;
      this.#lookAgainAt = result.lookAgainAt;
      if (result.acted) this.#lookAgainAt = this.now + TICK_MS;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#rounds = this.#start();
    }
    this.platform.remember();
    this.#noteShown();
    this.#checkForeign();
  }

  #whyIncomplete(): string | undefined {
    if (!this.source.up) return 'the remote is down';
    const { faultyFiles } = this.compiled();
    return faultyFiles.length > 0 ? `${faultyFiles.join()} is faulty` : undefined;
  }

  #compiled: { readonly head: string | undefined; readonly result: Compilation } | undefined;

  /** What git's head asks for. */
  compiled(): Compilation {
    const { head } = this.source;
    if (this.#compiled?.head !== head || this.#compiled === undefined) {
      const files = Object.entries(this.scenario.files()).map(([path, text]) => ({ path, text }));
      const result = compile({ revision: head ?? '', files }, { prefix: 'test' });
      this.#compiled = { head, result };
    }
    return this.#compiled.result;
  }

  #checkForeign(): void {
    const app = this.platform.apps.get(FOREIGN_ID);
    if (app?.instances !== 1 || app.definition['cmd'] !== 'sleep') {
      throw new LawBroken(8, 'a foreign app was touched');
    }
    for (const node of this.nodes) {
      const split = node.splits().find((one) => one.gateway === FOREIGN.gateway);
      if (!isDeepStrictEqual(split, FOREIGN)) throw new LawBroken(8, 'a foreign split was touched');
    }
  }

  #tick(): void {
    const hunted = this.platform.apps.get(this.#hunted ?? '');
    for (const task of hunted?.tasks.slice() ?? []) {
      if (this.random.chance(0.3)) this.platform.killTask(task.id, 'TASK_LOST');
    }
    this.platform.tick(this.now);
    for (const node of this.nodes) {
      const before = node.keeper.held.flatMap((held) => held.endpoints);
      node.tick(this.platform, this.now);
      this.#checkSeats(node, before);
    }
    this.#noteShown();
    this.#checkServed();
  }

  /** Law 16: a server leaves only when its task did. */
  #checkSeats(
    node: FakeNode,
    before: readonly { readonly taskId: string; readonly version: string }[],
  ): void {
    const after = new Set(
      node.keeper.held
        .flatMap((held) => held.endpoints)
        .map((one) => `${one.version} ${one.taskId}`),
    );
    for (const { taskId, version } of before) {
      if (after.has(`${version} ${taskId}`)) continue;
      const alive = [...this.platform.apps.values()].some((app) =>
        app.tasks.some((task) => task.id === taskId && task.truth),
      );
      if (alive) throw new LawBroken(16, `${taskId} lost its seat at ${node.name} while it serves`);
    }
  }

  #isForgotten(node: string): boolean {
    return this.journal.facts()[`forgotten.${node}`] !== undefined;
  }

  #noteShown(): void {
    const routed = new Set<string>();
    const names = new Set<string>();
    const counting = this.nodes.filter((node) => node.reachable || !this.#isForgotten(node.name));
    for (const node of counting) {
      for (const gateway of node.proxy.gateways) {
        if (gateway.name === FOREIGN.gateway) continue;
        names.add(gateway.name);
        const serving = gateway.versions.filter((one) => one.weight > 0);
        serving.forEach((one) => routed.add(one.id));
      }
    }
    for (const app of this.platform.apps.keys()) {
      if (routed.has(app)) this.#out.delete(app);
      else if (!this.#out.has(app)) this.#out.set(app, this.now);
    }
    for (const name of names) {
      const keys = new Set(
        counting.map((node) => {
          const held = node.proxy.gateways.find((one) => one.name === name);
          return vectorKey(Object.fromEntries((held?.versions ?? []).map((v) => [v.id, v.weight])));
        }),
      );
      const [key] = keys;
      if (keys.size !== 1 || key === undefined) continue;
      if (this.#shown.get(name)?.key !== key) this.#shown.set(name, { key, since: this.now });
    }
  }

  /** Law 3: an open gateway serves all of its traffic if anybody may serve it. */
  #checkServed(): void {
    for (const node of this.nodes) {
      for (const gateway of node.proxy.gateways) {
        if (gateway.versions.every((one) => one.weight === 0)) continue;
        const shares = node.proxy.effective(gateway);
        if (total(shares) === WHOLE) continue;
        const split = node.splits().find((one) => one.gateway === gateway.name);
        const input = this.#lastInput.get(gateway.name);
        const wanted = new Set(
          input?.desired.deployments.flatMap((one) => one.versions.map((v) => v.digest)),
        );
        const bad = new Set(split?.memory.rejected.map((one) => one.digest));
        const could = split?.versions.find(
          (one) =>
            one.source.kind === 'app' &&
            !bad.has(one.source.digest) &&
            (wanted.has(one.source.digest) ||
              weightOf(split.memory.stable?.vector ?? {}, one.id) > 0) &&
            node.proxy.isUsable(gateway, one.id),
        );
        if (could && node.lagUntil <= this.now && !this.tampered) {
          throw new LawBroken(
            3,
            `nobody serves ${gateway.name} at ${node.name}, but ${could.id} could`,
          );
        }
      }
    }
  }

  /** Faults of the world begin and end. */
  #upset(): void {
    for (const [name, until] of this.#faultsUntil) {
      if (until > this.now) continue;
      this.#faultsUntil.delete(name);
      this.#end(name);
    }
    this.platform.stale = false;
    const { random, chaos } = this;
    if (random.chance(0.06)) this.restart();
    if (!random.chance(chaos.world)) return;
    this.#begin(random.between(0, 16));
  }

  /** The process ends and another one begins. */
  restart(): void {
    this.tell('restart');
    this.#rounds = this.#start();
  }

  #begin(dice: number): void {
    const { random, platform } = this;
    const lasts = (name: string, most: number): void => {
      const seconds = random.between(2, most);
      this.tell(`${name} for ${String(seconds)} s`);
      this.#faultsUntil.set(name, this.now + seconds * 1000);
    };
    const node = random.pick(this.nodes);
    switch (dice) {
      case 0:
        platform.down = true;
        lasts('Marathon down', 40);
        return;
      case 1:
        platform.forgetHealth(this.now + random.between(2, 8) * 1000);
        this.tell('health forgotten');
        return;
      case 2:
        node.reachable = false;
        lasts(`cut off ${node.name}`, 40);
        return;
      case 3:
        node.lagUntil = this.now + random.between(2, random.chance(0.3) ? 90 : 20) * 1000;
        this.tell(`${node.name} lags`);
        return;
      case 4:
      case 5: {
        const tasks = [...platform.apps.values()].flatMap((app) =>
          app.id === FOREIGN_ID ? [] : app.tasks,
        );
        if (tasks.length === 0) return;
        const task = random.pick(tasks);
        const state = random.pick(['TASK_LOST', 'TASK_KILLED', 'TASK_GONE']);
        platform.killTask(task.id, state);
        this.tell(`${task.id} ${state}`);
        return;
      }
      case 6:
        if (!this.chaos.stale) return;
        platform.stale = true;
        this.tell('the list is stale');
        return;
      case 7:
        if (!this.chaos.journal) return;
        this.journal.failWrites = true;
        this.memoryLost = true;
        lasts('journal unwritable', 30);
        return;
      case 8:
        if (!this.chaos.journal || !random.chance(0.3)) return;
        this.journal.lose();
        this.memoryLost = true;
        this.tell('journal lost');
        this.#rounds = this.#start();
        return;
      case 9: {
        const apps = platform.ours();
        if (!this.chaos.tamper || apps.length === 0) return;
        const app = random.pick(apps);
        this.tampered = true;
        platform.tamper(app.id, { mem: random.between(100, 200) } satisfies MarathonApp);
        this.tell(`somebody changes ${app.id}`);
        return;
      }
      case 10:
        this.source.up = false;
        lasts('git down', 30);
        return;
      case 11:
      case 12: {
        const apps = [...platform.apps.values()].filter((app) => app.id !== FOREIGN_ID);
        if (apps.length === 0) return;
        const app = random.pick(apps);
        app.lockedUntil = this.now + random.between(2, 15) * 1000;
        this.tell(`${app.id} is locked`);
        return;
      }
      case 13:
        node.wipe(OWNER);
        this.tell(`${node.name} comes back empty`);
        return;
      case 14:
        if (!this.chaos.tamper) return;
        this.tampered = true;
        for (const app of platform.ours()) {
          if (app.instances > 0) platform.tamper(app.id, { mem: random.between(100, 200) });
        }
        this.tell('somebody changes every app');
        return;
      case 15:
        node.reachable = false;
        lasts(`cut off ${node.name}`, 120);
        if (random.chance(0.5)) {
          this.journal.wish('forget', node.name, this.now);
          this.tell(`forget ${node.name}`);
        }
        return;
      case 16: {
        const apps = platform.ours();
        if (apps.length === 0) return;
        this.#hunted = random.pick(apps).id;
        lasts('hunt', 30);
        this.tell(`every task of ${this.#hunted} is lost again and again`);
        return;
      }
      default:
        return;
    }
  }

  #hunted: string | undefined;

  #end(name: string): void {
    this.tell(`end of: ${name}`);
    if (name === 'Marathon down') this.platform.down = false;
    if (name === 'journal unwritable') this.journal.failWrites = false;
    if (name === 'hunt') this.#hunted = undefined;
    if (name === 'git down') this.source.up = true;
    for (const node of this.nodes) if (name === `cut off ${node.name}`) node.reachable = true;
  }
}

function chaosOf(random: Random): Chaos {
  const wild = random.next();
  return {
    writes: wild < 0.2 ? 0 : wild * 0.2,
    world: wild < 0.2 ? 0 : wild * 0.5,
    stale: random.chance(0.5),
    journal: random.chance(0.5),
    tamper: random.chance(0.3),
  };
}

function nameOf(write: AppWrite | (GatewayWrite & { readonly why?: string })): string {
  switch (write.kind) {
    case 'apply-split': {
      const { split } = write;
      const to = write.nodes ? ` to ${write.nodes.join()}` : '';
      return `split ${split.gateway} g${String(split.generation)}${to}: ${sharesOf(vectorOf(split))} (${whyOf(write)})`;
    }
    case 'remove-gateway':
      return `remove gateway ${write.gateway}`;
    case 'scale-app':
      return `scale ${write.id} to ${String(write.instances)} (${whyOf(write)})`;
    case 'kill-tasks':
      return `kill ${write.taskIds.join()} (${whyOf(write)})`;
    case 'create-app':
      return `create ${write.id} x${JSON.stringify(write.definition['instances'])}`;
    case 'delete-app':
      return `delete ${write.id}`;
    case 'end-platform-change':
      return `end ${write.change}`;
  }
}

function whyOf(write: object): string {
  return 'why' in write && typeof write.why === 'string' ? write.why : '';
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}

/** Runs one seed to its end; throws with its story if a law is broken. */
export async function simulate(seed: number): Promise<Simulation> {
  const world = new Simulation(seed);
  try {
    await play(world);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`seed ${String(seed)}\n${world.story.join('\n')}\n${text}`, { cause: error });
  }
  return world;
}

async function play(world: Simulation): Promise<void> {
  const { random, scenario } = world;
  world.commit('the first commit');
  const commits = random.between(1, 5);
  for (let count = 0; count < commits; count += 1) {
    const looks = random.between(3, 25);
    for (let look = 0; look < looks; look += 1) await world.step();
    if (random.chance(0.4)) await world.care();
    if (random.chance(0.05))
      scenario.plots.forEach((plot) => world.journal.wish('retry', plot.name));
    const text = scenario.commit();
    if (random.chance(0.05)) world.rewrite(text);
    else world.commit(text);
  }
  for (let look = random.between(3, 25); look > 0; look -= 1) await world.step();
  const mended = scenario.mend();
  if (mended !== undefined) world.commit(mended);
  world.calm();
  await settle(world);
}

/** Longer than anything waits by itself: then nothing more is to come. */
const QUIET_LOOKS = 8;

/** Ends when the world is as git asks and nothing is written any more (law 12). */
async function settle(world: Simulation): Promise<void> {
  let quiet = 0;
  for (let look = 0; look < 300 && quiet < QUIET_LOOKS; look += 1) {
    const before = world.writes;
    await world.step();
    if (look % 10 === 5) await world.care();
    quiet = world.writes === before && world.isConverged() ? quiet + 1 : 0;
  }
  if (quiet >= QUIET_LOOKS) return;
  throw new LawBroken('end', world.isConverged() ? 'never quiet' : world.trouble);
}
