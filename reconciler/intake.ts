import type { CompiledFile, CompileOptions } from './blueprint/compile.ts';
import { assemble, compileFile } from './blueprint/compile.ts';
import { DriverError } from './errors.ts';
import type { Journal } from './journal/port.ts';
import type { Desired } from './model/desired.ts';
import type { Diagnostic } from './model/position.ts';
import type { Snapshot } from './model/snapshot.ts';
import type { Hold } from './model/status.ts';
import { holdId } from './plan/prune.ts';
import type { Source, SourceView } from './source/port.ts';

/** How many commits of a faulty file are tried for its last good form after a restart. */
const LOOK_BACK = 50;

/** What git asks for after one poll, with what makes us doubt it. */
export interface Intake {
  readonly state: SourceView['state'] | 'doubt';
  readonly message: string;
  /** The commit that `desired` was compiled from; undefined: nothing is known yet. */
  readonly revision: string | undefined;
  readonly desired: Desired | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly faulty: readonly string[];
  /** Why nothing may be pruned on this view, if so (law 11). */
  readonly incomplete: string | undefined;
  readonly hold?: Hold;
}

export interface IntakeOptions {
  readonly source: Source;
  readonly journal: Journal;
  readonly compile: CompileOptions;
  /** Source, prefix and owner in one text: a change of it is doubt. */
  readonly fingerprint: string;
}

/** Facts in the journal. */
const HEAD = 'source.head';
const FINGERPRINT = 'source.fingerprint';
const GAVE = 'source.gave';

/** Follows one source: polls, compiles what changed, keeps the last good form of faulty files. */
export class Follower {
  readonly #options: IntakeOptions;
  readonly #good = new Map<string, CompiledFile>();
  #compiled: Compiled | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** One poll. Never throws for faults of the source: they are told in the answer. */
  async look(signal: AbortSignal): Promise<Intake> {
    const view = await this.#options.source.poll(signal);
    try {
      return await this.#follow(view, signal);
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      const message = `${error.code}: ${error.message}`;
      return this.#answer({ ...view, state: 'refused', message }, undefined);
    }
  }

  async #follow(view: SourceView, signal: AbortSignal): Promise<Intake> {
    const { journal, fingerprint } = this.#options;
    const facts = journal.facts();
    const known = facts[HEAD];
    const doubt = this.#fingerprintDoubt(facts, fingerprint);
    if (doubt) return this.#answer(view, doubt);
    if (view.state !== 'fresh' || view.revision === undefined) {
      const last = known ?? view.revision;
      if (last !== undefined) await this.#compile(last, signal);
      return this.#answer(view, undefined);
    }
    const rewritten = await this.#rewriteDoubt(known, view.revision, signal);
    await this.#compile(rewritten ? (known ?? view.revision) : view.revision, signal);
    if (!rewritten) this.#adopt(facts, view.revision);
    return this.#answer(view, rewritten);
  }

  #fingerprintDoubt(
    facts: Readonly<Record<string, string>>,
    fingerprint: string,
  ): Hold | undefined {
    const before = facts[FINGERPRINT];
    if (before === undefined || before === fingerprint) return undefined;
    const list = [before, fingerprint];
    const id = holdId(list);
    if (facts[`approved.${id}`] !== undefined) return undefined;
    const message =
      `the source was ${before} and is now ${fingerprint}: ` +
      'nothing changes until a person adopts it';
    return { id, reason: 'fingerprint-changed', message, list };
  }

  async #rewriteDoubt(
    known: string | undefined,
    head: string,
    signal: AbortSignal,
  ): Promise<Hold | undefined> {
    if (known === undefined || known === head) return undefined;
    if (await this.#options.source.descends(head, known, signal)) return undefined;
    const list = [known, head];
    const id = holdId(list);
    if (this.#options.journal.facts()[`approved.${id}`] !== undefined) return undefined;
    const message =
      `history was rewritten: ${head.slice(0, 12)} does not descend from ${known.slice(0, 12)}, ` +
      'which is still in force; nothing changes until a person adopts the new head';
    return { id, reason: 'rewritten-history', message, list };
  }

  #adopt(facts: Readonly<Record<string, string>>, head: string): void {
    const { journal, fingerprint } = this.#options;
    if (facts[HEAD] !== head) journal.setFact(HEAD, head);
    if (facts[FINGERPRINT] !== fingerprint) journal.setFact(FINGERPRINT, fingerprint);
    const gave = JSON.stringify(this.#compiled?.gave ?? []);
    if (facts[GAVE] !== gave) journal.setFact(GAVE, gave);
    this.#dropApproval(facts, [facts[HEAD], head]);
    this.#dropApproval(facts, [facts[FINGERPRINT], fingerprint]);
  }

  /** What was approved is adopted now: the next such doubt asks again. */
  #dropApproval(
    facts: Readonly<Record<string, string>>,
    list: readonly (string | undefined)[],
  ): void {
    const key = `approved.${holdId(list.map((one) => one ?? ''))}`;
    if (facts[key] !== undefined) this.#options.journal.setFact(key, undefined);
  }

  /** Nothing is recomputed that did not change. */
  async #compile(revision: string, signal: AbortSignal): Promise<void> {
    if (this.#compiled?.revision === revision) return;
    const snapshot = await this.#options.source.snapshot(revision, signal);
    const once = new Set(this.#gaveBefore());
    const files = snapshot.files
      .map((file) => compileFile(file, revision, this.#options.compile))
      .map((file) => (isLost(file, once) ? lost(file) : file));
    const links = (snapshot.unread ?? []).filter((path) => once.has(path)).map(linked);
    this.#compiled = await this.#withLastGood(snapshot, [...files, ...links], signal);
  }

  #gaveBefore(): readonly string[] {
    const fact = this.#options.journal.facts()[GAVE];
    const paths: unknown = fact === undefined ? [] : JSON.parse(fact);
    return Array.isArray(paths) ? paths.filter((path) => typeof path === 'string') : [];
  }

  /**
   * Puts the last good form of every faulty file in its place. A file may turn faulty only beside
   * others (a port claimed twice), so it is tried again until no new one turns up.
   */
  async #withLastGood(
    snapshot: Snapshot,
    files: readonly CompiledFile[],
    signal: AbortSignal,
  ): Promise<Compiled> {
    const own = files.filter((file) => file.faulty).map((file) => file.path);
    const faulty = new Set(own);
    const found: Diagnostic[] = [];
    let used = files;
    let assembly = assemble(used);
    // Every turn adds a path to `faulty`, so this ends; a clash of two old forms leaves both out.
    for (let fresh = own.concat(assembly.faultyFiles); fresh.length > 0;) {
      for (const path of fresh) faulty.add(path);
      found.push(...assembly.diagnostics);
      used = await this.#replaced(used, this.#keepable(fresh, own), { snapshot, signal });
      assembly = assemble(used);
      fresh = assembly.faultyFiles.filter((path) => !faulty.has(path));
    }
    for (const file of files) {
      if (!faulty.has(file.path) && gives(file)) this.#good.set(file.path, file);
    }
    return {
      revision: snapshot.revision,
      desired: assembly.desired,
      diagnostics: [...files.flatMap((file) => file.diagnostics), ...found],
      faulty: sorted(faulty),
      gave: sorted(used.filter(gives).map((file) => file.path)),
    };
  }

  /**
   * Which of the faulty files have a last good form to keep. In a clash that is who gave something
   * before: a file that claims what another one has, has nothing of its own yet.
   */
  #keepable(fresh: readonly string[], own: readonly string[]): ReadonlyMap<string, boolean> {
    const once = new Set(this.#gaveBefore());
    const keeps = (path: string): boolean =>
      own.includes(path) || once.size === 0 || once.has(path) || this.#good.has(path);
    return new Map(fresh.map((path) => [path, keeps(path)]));
  }

  async #replaced(
    files: readonly CompiledFile[],
    faulty: ReadonlyMap<string, boolean>,
    at: { readonly snapshot: Snapshot; readonly signal: AbortSignal },
  ): Promise<readonly CompiledFile[]> {
    const result: CompiledFile[] = [];
    for (const file of files) {
      const keeps = faulty.get(file.path);
      const good =
        keeps === undefined
          ? file
          : keeps && (await this.#lastGood(file.path, at.snapshot.revision, at.signal));
      if (good) result.push(good);
    }
    return result;
  }

  /** From memory, else by walking back the file's history (the process may have restarted). */
  async #lastGood(
    path: string,
    from: string,
    signal: AbortSignal,
  ): Promise<CompiledFile | undefined> {
    const known = this.#good.get(path);
    if (known) return known;
    const revisions = await this.#options.source.revisionsOf(path, from, signal);
    for (const revision of revisions.slice(0, LOOK_BACK)) {
      const snapshot = await this.#options.source.snapshot(revision, signal);
      const file = snapshot.files.find((one) => one.path === path);
      if (file === undefined) continue;
      const compiled = compileFile(file, revision, this.#options.compile);
      if (compiled.faulty || !gives(compiled)) continue;
      this.#good.set(path, compiled);
      return compiled;
    }
    return undefined;
  }

  #answer(view: SourceView, hold: Hold | undefined): Intake {
    const { revision, desired, diagnostics, faulty } = this.#compiled ?? NOTHING;
    return {
      state: hold ? 'doubt' : view.state,
      message: hold?.message ?? view.message,
      revision,
      desired: hold?.reason === 'fingerprint-changed' ? undefined : desired,
      diagnostics,
      faulty,
      incomplete: incompleteBecause(view, faulty, hold),
      ...(hold && { hold }),
    };
  }
}

interface Compiled {
  readonly revision: string;
  readonly desired: Desired;
  readonly diagnostics: readonly Diagnostic[];
  readonly faulty: readonly string[];
  readonly gave: readonly string[];
}

const NOTHING = { revision: undefined, desired: undefined, diagnostics: [], faulty: [] } as const;

function sorted(paths: Iterable<string>): readonly string[] {
  return [...new Set(paths)].sort((a, b) => (a < b ? -1 : 1));
}

function gives(file: CompiledFile): boolean {
  return file.deployments.length + file.gateways.length > 0;
}

/** It once gave a blueprint and now gives none: faulty, never absent (law 11). */
function isLost(file: CompiledFile, once: ReadonlySet<string>): boolean {
  return once.has(file.path) && !gives(file) && !file.faulty;
}

/** A link or a submodule in the place of a blueprint: never followed, and never an absence. */
function linked(path: string): CompiledFile {
  const nothing = { deployments: [], gateways: [], diagnostics: [], faulty: false };
  return lost({ path, kind: 'unreadable', ...nothing });
}

function lost(file: CompiledFile): CompiledFile {
  const diagnostic: Diagnostic = {
    file: file.path,
    line: 1,
    column: 1,
    severity: 'error',
    code: 'blueprint-vanished',
    message:
      'this file once held a blueprint and now holds none; ' +
      'remove the file by a commit if its deployment is to go',
  };
  return { ...file, faulty: true, diagnostics: [...file.diagnostics, diagnostic] };
}

function incompleteBecause(
  view: SourceView,
  faulty: readonly string[],
  hold: Hold | undefined,
): string | undefined {
  if (hold) return hold.message;
  if (view.state !== 'fresh') return `the source is not fresh (${view.message})`;
  if (faulty.length > 0) return `${faulty.join(', ')} is faulty`;
  return undefined;
}
