import { createHash } from 'node:crypto';

import type { Logger } from 'pino';

import { DriverError } from '../../../errors.ts';
import type { ProxyGateway, ProxyTuning, ProxyView } from '../proxy.ts';
import { tryBind } from '../trial-bind.ts';
import { renderConfig, type HaproxyFiles } from './config.ts';
import { replaceFile, writeMaps, writeSlots, writeTally } from './haproxy-files.ts';
import { createHostBook, type HostBook } from './host-book.ts';
import { MAP_NAMES, mapFile, mapsOf, parseMap, planMap, type Maps } from './maps.ts';
import {
  checkConfig,
  findProcesses,
  reloadMaster,
  startMaster,
  stopMaster,
  type Processes,
} from './master.ts';
import { configure, configureSeats, ownersIn, ownersOf, place } from './placement.ts';
import { planServers, type ServerMemory } from './server-plan.ts';
import { assignSlots, backendName, structureOf, type GatewaySlots } from './slots.ts';
import type { StatRow } from './stats.ts';
import type { Tally } from './tally.ts';
import { viewGateway, type Reading } from './view.ts';
import { attachWorker, isQuiet, oldWorker, readInfo, readRows, type Worker } from './worker.ts';

export interface HaproxyOptions {
  readonly binary: string;
  /** Folder of HAProxy's files, made if it is missing. */
  readonly folder: string;
  readonly bindHost: string;
  readonly tuning: ProxyTuning;
  readonly logger: Logger;
}

type Rows = ReadonlyMap<string, readonly StatRow[]>;
type Fault = { readonly code: string; readonly message: string };

/** A configuration that failed is tried again after this long, or when it changes (ms). */
const RETRY_MS = 10_000;
/**
 * Counters are saved this often, and at once when a worker or the owner of a slot is new: an agent
 * that was killed then finds where they stood, and what HAProxy counted since.
 */
const SAVE_TALLY_MS = 5_000;
const NEVER_SAVED = { at: -Infinity, text: '' };
/** `del server` is repeated until the last idle connection is gone. */
const EXPECTED = /^(?:New server registered|Server deleted|Server still has connections)/u;

/** One look at a time: what runs, what is wanted, and the commands between the two. */
export class Haproxy {
  wanted: readonly ProxyGateway[] = [];
  readonly #options: HaproxyOptions;
  readonly #files: HaproxyFiles;
  readonly #tally: Tally;
  readonly #hosts: HostBook = createHostBook();
  readonly #memory: ServerMemory = {
    unproven: new Set(),
    passingSince: new Map(),
    leavingSince: new Map(),
    trusted: new Set(),
  };
  readonly #faults = new Map<string, Fault>();
  #table: readonly GatewaySlots[];
  #worker: Worker | undefined;
  #old: Worker[] = [];
  /** The current worker's rows when it was last read: what a HAProxy that ended is started with. */
  #lastRows: Rows = new Map();
  /** Hash of the structure that the current worker runs. */
  #running = '';
  #failed: { readonly text: string; readonly at: number; readonly error: DriverError } | undefined;
  #reloads = 0;
  #first = true;
  #savedSlots = '';
  #savedTally = NEVER_SAVED;

  constructor(
    options: HaproxyOptions,
    files: HaproxyFiles,
    kept: { readonly table: readonly GatewaySlots[]; readonly tally: Tally },
  ) {
    this.#options = options;
    this.#files = files;
    this.#table = kept.table;
    this.#tally = kept.tally;
  }

  /** One look and what follows from it; true if another look should come soon. */
  async settle(): Promise<boolean> {
    await this.#hosts.learn(this.#hostNames());
    await this.#ensureWorker();
    const worker = this.#current();
    let rows = await this.#collect();
    const before = this.#table;
    this.#table = await this.#nextTable(rows);
    if (this.#hashOf(this.#table) !== this.#running) {
      await this.#restructure(worker, rows, before);
      rows = await this.#collect();
    }
    await this.#saveSlots();
    this.#current().ownerOf = ownersOf(this.#table);
    const mapsChanged = await this.#settleMaps();
    const servers = await this.#settleServers(rows);
    this.#first = false;
    if (mapsChanged || servers.changed) await this.#save(await readRows(this.#current().session));
    await this.#saveTally();
    return servers.unsettled;
  }

  async observe(): Promise<ProxyView> {
    const current = await this.#collect();
    const maps = await this.#readMaps();
    const old: Reading[] = [];
    for (const worker of this.#old) {
      const rows = await readRows(worker.session).catch(() => undefined);
      if (rows !== undefined) old.push({ rows, ownerOf: worker.ownerOf });
    }
    const gateways = this.wanted.map((gateway) => {
      const slots = this.#table.find((each) => each.name === gateway.name);
      const error = this.#faults.get(gateway.name);
      const fault = error === undefined ? {} : { error };
      if (slots === undefined) return { name: gateway.name, ...fault, weights: {}, versions: [] };
      const view = viewGateway(gateway, {
        slots,
        maps,
        old,
        current: { rows: current, ownerOf: ownersOf(this.#table) },
        tally: this.#tally,
        memory: this.#memory,
      });
      return { ...view, ...fault };
    });
    return { reloads: this.#reloads, gateways };
  }

  async close(mode: 'stop' | 'leave'): Promise<void> {
    if (this.#worker !== undefined) await this.#collect().catch(() => undefined);
    await writeTally(this.#files, this.#tally);
    for (const worker of [this.#worker, ...this.#old]) worker?.session.close();
    this.#worker = undefined;
    if (mode === 'stop') await stopMaster(this.#files);
  }

  #current(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    throw new DriverError('haproxy-unreachable', 'HAProxy does not run', { retry: 'soon' });
  }

  #hashOf(table: readonly GatewaySlots[]): string {
    const { bindHost, tuning } = this.#options;
    const text = JSON.stringify([1, structureOf(table), bindHost, tuning]);
    return `sluice-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  }

  /** Talks to the HAProxy that runs, adopts one that an earlier agent left, or starts one. */
  async #ensureWorker(): Promise<void> {
    if (this.#worker !== undefined) {
      const info = await readInfo(this.#worker.session).catch(() => undefined);
      if (info?.get('Stopping') === '0') return;
      this.#worker.session.close();
      this.#worker = undefined;
    }
    const found = await findProcesses(this.#files);
    if (found?.worker === undefined) await this.#start();
    else await this.#adopt(found, found.worker);
  }

  async #adopt(found: Processes, pid: number): Promise<void> {
    const worker = await attachWorker(this.#files, pid);
    worker.ownerOf = ownersOf(this.#table);
    this.#tally.baseline(pid, [...(await readRows(worker.session)).values()].flat());
    this.#running = (await readInfo(worker.session)).get('description') ?? '';
    this.#worker = worker;
    this.#old = found.old.map((old) => ({
      ...oldWorker(this.#files, old),
      ownerOf: ownersOf(this.#table),
    }));
    this.#options.logger.info({ pid, old: found.old }, 'adopted a running HAProxy');
  }

  async #start(): Promise<void> {
    // Nothing seen yet: every server has to pass its check first, as after any other change. They
    // served before, so one passed check is enough.
    const seen = this.#lastRows;
    this.#first = seen.size === 0;
    // Whatever keeps HAProxy from starting, its servers must not do so twice.
    this.#lastRows = new Map();
    for (const worker of this.#old) worker.session.close();
    this.#old = [];
    this.#table = await this.#nextTable(new Map());
    const maps = this.#wantedMaps(this.#table);
    await writeMaps(this.#files, maps);
    await replaceFile(this.#files.state, '1\n');
    await replaceFile(this.#files.config, this.#render(this.#table, seen, configureSeats));
    this.#memory.unproven.clear();
    this.#memory.passingSince.clear();
    this.#memory.leavingSince.clear();
    const { worker: pid } = await startMaster(this.#options.binary, this.#files);
    if (pid === undefined) return;
    this.#worker = await attachWorker(this.#files, pid);
    this.#savedTally = NEVER_SAVED;
    this.#running = this.#hashOf(this.#table);
    this.#options.logger.info({ pid }, 'HAProxy started');
  }

  /** Reads the counters of all workers; lets go of old ones that are done. */
  async #collect(): Promise<Rows> {
    const worker = this.#current();
    const rows = await readRows(worker.session);
    this.#lastRows = rows;
    this.#tally.collect(worker.pid, [...rows.values()].flat(), worker.ownerOf);
    const still: Worker[] = [];
    for (const old of this.#old) if (await this.#collectOld(old)) still.push(old);
    this.#old = still;
    const pids = new Set([worker.pid, ...still.map((each) => each.pid)]);
    this.#tally.retain(pids, new Set(ownersIn(this.#table)));
    return rows;
  }

  /** True while the stopping worker has anything left to do. */
  async #collectOld(worker: Worker): Promise<boolean> {
    try {
      const quiet = await isQuiet(worker.session);
      const rows = await readRows(worker.session);
      this.#tally.collect(worker.pid, [...rows.values()].flat(), worker.ownerOf);
      if (!quiet) return true;
    } catch {
      // It has ended: what it counted since the last look is lost with it.
    }
    worker.session.close();
    return false;
  }

  /** Slots for every wanted gateway that can have its port. */
  async #nextTable(rows: Rows): Promise<readonly GatewaySlots[]> {
    const ports = new Set(
      this.#worker === undefined ? [] : this.#table.map((gateway) => gateway.port),
    );
    const table: GatewaySlots[] = [];
    this.#faults.clear();
    for (const gateway of this.wanted) {
      if (!ports.has(gateway.port)) {
        const fault = await tryBind(gateway.port, this.#options.bindHost);
        if (fault !== undefined) {
          this.#faults.set(gateway.name, fault);
          continue;
        }
      }
      const before = this.#table.find((each) => each.name === gateway.name);
      table.push(
        assignSlots(before, gateway, (slot) => {
          const seen = rows.get(backendName(gateway.name, slot)) ?? [];
          return seen.every((row) => row.server === 'BACKEND' && row.sessions === 0);
        }),
      );
    }
    return table;
  }

  /** Loads the new structure; if that fails, what ran before goes on and the rest is told. */
  async #restructure(worker: Worker, rows: Rows, before: readonly GatewaySlots[]): Promise<void> {
    const wanted = this.#table;
    try {
      await this.#saveSlots();
      await this.#reload(worker, rows);
      this.#failed = undefined;
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      if (error.code === 'haproxy-unreachable') {
        // Nobody knows which worker serves: the next look finds out.
        worker.session.close();
        this.#worker = undefined;
        throw error;
      }
      const text = structureOf(wanted);
      if (this.#failed?.text !== text) this.#options.logger.error({ err: error }, error.message);
      const at = this.#failed?.text === text ? this.#failed.at : performance.now();
      this.#failed = { text, at, error };
      this.#table = before.filter((each) => this.wanted.some(({ name }) => name === each.name));
      for (const gateway of wanted) {
        const same = before.some((each) => structureOf([each]) === structureOf([gateway]));
        if (!same) this.#faults.set(gateway.name, { code: error.code, message: error.message });
      }
    }
  }

  async #reload(worker: Worker, rows: Rows): Promise<void> {
    const failed = this.#failed;
    if (failed?.text === structureOf(this.#table)) {
      if (performance.now() - failed.at < RETRY_MS) throw failed.error;
      this.#failed = undefined;
    }
    const text = this.#render(this.#table, rows);
    const draft = `${this.#files.config}.draft`;
    await writeMaps(this.#files, this.#wantedMaps(this.#table));
    await replaceFile(draft, text);
    const refused = await checkConfig(this.#options.binary, draft);
    if (refused !== undefined) {
      throw new DriverError('config-refused', `HAProxy refuses the configuration: ${refused}`, {
        retry: 'backoff',
      });
    }
    await replaceFile(this.#files.state, `${await worker.session.ask('show servers state')}\n`);
    await replaceFile(this.#files.config, text);
    const { worker: pid = 0 } = await reloadMaster(this.#files, worker.pid);
    this.#worker = await attachWorker(this.#files, pid);
    this.#worker.ownerOf = ownersOf(this.#table);
    this.#old.push(worker);
    this.#savedTally = NEVER_SAVED;
    this.#reloads += 1;
    this.#running = this.#hashOf(this.#table);
    this.#options.logger.info({ pid }, 'HAProxy loaded a new structure');
  }

  /** Weights go to stopping workers too: a way back must reach every client (law 17). */
  async #settleMaps(): Promise<boolean> {
    const { session } = this.#current();
    const wanted = this.#wantedMaps(this.#table);
    const seen = await this.#readMaps();
    let changed = false;
    for (const name of MAP_NAMES) {
      for (const command of planMap(mapFile(this.#files, name), seen[name], wanted[name])) {
        await this.#tell(session, command);
        for (const old of this.#old) await old.session.ask(command).catch(() => '');
        changed = true;
      }
    }
    return changed;
  }

  async #settleServers(rows: Rows): Promise<{ changed: boolean; unsettled: boolean }> {
    let changed = false;
    let unsettled = false;
    for (const { gateway, slots } of place(this.wanted, this.#table)) {
      const plan = planServers({
        gateway,
        slots,
        rows,
        memory: this.#memory,
        now: performance.now(),
        tuning: this.#options.tuning,
        addressOf: (host) => this.#hosts.addressOf(host),
      });
      if (this.#first) for (const place of this.#memory.unproven) this.#memory.trusted.add(place);
      for (const command of plan.commands) await this.#tell(this.#current().session, command);
      changed ||= plan.commands.length > 0;
      unsettled ||= plan.unsettled;
    }
    return { changed, unsettled };
  }

  async #tell(session: Worker['session'], command: string): Promise<void> {
    const answer = await session.ask(command);
    if (answer === '' || EXPECTED.test(answer)) return;
    this.#options.logger.warn({ command, answer }, 'HAProxy refused a command');
  }

  async #readMaps(): Promise<Maps> {
    const { session } = this.#current();
    const read = async (file: string): Promise<ReadonlyMap<string, string>> =>
      parseMap(await session.ask(`show map ${file}`));
    const { weights, fallback, names, checks } = this.#files;
    return {
      weights: await read(weights),
      fallback: await read(fallback),
      names: await read(names),
      checks: await read(checks),
    };
  }

  /** What a restart by somebody else's hand would load has to be what runs now. */
  async #save(rows: Rows): Promise<void> {
    await writeMaps(this.#files, this.#wantedMaps(this.#table));
    const state = await this.#current().session.ask('show servers state');
    await replaceFile(this.#files.state, `${state}\n`);
    if (this.#hashOf(this.#table) !== this.#running) return;
    await replaceFile(this.#files.config, this.#render(this.#table, rows));
  }

  /** Before a reload, so that a new agent knows who lives where. */
  async #saveSlots(): Promise<void> {
    const text = JSON.stringify(this.#table);
    if (text === this.#savedSlots) return;
    this.#savedTally = NEVER_SAVED;
    await writeSlots(this.#files, this.#table);
    this.#savedSlots = text;
  }

  async #saveTally(): Promise<void> {
    const now = performance.now();
    if (now - this.#savedTally.at < SAVE_TALLY_MS) return;
    const text = JSON.stringify(this.#tally);
    if (text !== this.#savedTally.text) await writeTally(this.#files, this.#tally);
    this.#savedTally = { at: now, text };
  }

  #wantedMaps(table: readonly GatewaySlots[]): Maps {
    return mapsOf(place(this.wanted, table));
  }

  #hostNames(): readonly string[] {
    return this.wanted.flatMap((gateway) =>
      gateway.versions.flatMap((version) => version.servers.map((server) => server.host)),
    );
  }

  /** Servers as they are now, not as they should be: the runtime API makes the difference. */
  #render(table: readonly GatewaySlots[], rows: Rows, how = configure): string {
    const { bindHost, tuning } = this.#options;
    const description = this.#hashOf(table);
    const addressOf = (host: string): string | undefined => this.#hosts.addressOf(host);
    const gateways = place(this.wanted, table).map((placed) =>
      how(placed, { rows, tuning, addressOf }),
    );
    return renderConfig({ files: this.#files, bindHost, tuning, description }, gateways);
  }
}
