import type { Clock } from './clock.ts';
import { timestamp } from './clock.ts';
import type { AppDefinition } from './definition.ts';
import { configText, servicePorts } from './definition.ts';
import type { NormaliseContext } from './normalise.ts';
import { assertInput } from './input-rules.ts';
import { merge, normalise } from './normalise.ts';
import { freeServicePort } from './ports.ts';
import { Refusal, noSuchApp } from './refusal.ts';
import type { AppInput } from './schema.ts';
import type { KeptApp, Shelf } from './shelf.ts';
import { assertValid } from './validate.ts';

// Marathon's zk_max_versions.
const VERSIONS_KEPT = 50;

export interface TaskFailure {
  readonly appId: string;
  readonly host: string;
  readonly message: string;
  readonly state: string;
  readonly taskId: string;
  readonly timestamp: string;
  readonly version: string;
  readonly slaveId: string;
}

/** The apps as they are wanted: Marathon's root group. */
export class Apps {
  readonly #kept = new Map<string, KeptApp>();
  readonly #failures = new Map<string, TaskFailure>();
  readonly #shelf: Shelf;
  readonly #clock: Clock;
  #lastVersion = 0;

  constructor(shelf: Shelf, clock: Clock) {
    this.#shelf = shelf;
    this.#clock = clock;
    for (const app of shelf.load()) this.#kept.set(app.definition.id, app);
    const stamps = [...this.#kept.values()].map((app) => Date.parse(app.definition.version));
    this.#lastVersion = stamps.reduce((a, b) => Math.max(a, b), 0);
  }

  /** A revision: the time, pushed on where two would fall into one millisecond. */
  nextVersion(): string {
    this.#lastVersion = Math.max(this.#clock.now(), this.#lastVersion + 1);
    return timestamp(this.#lastVersion);
  }

  get(id: string): AppDefinition | undefined {
    return this.#kept.get(id)?.definition;
  }

  require(id: string): AppDefinition {
    const found = this.get(id);
    if (found === undefined) throw noSuchApp(id);
    return found;
  }

  list(): readonly AppDefinition[] {
    return [...this.#kept.values()].map((app) => app.definition);
  }

  versions(id: string): readonly AppDefinition[] {
    return this.#kept.get(id)?.versions ?? [];
  }

  failure(id: string): TaskFailure | undefined {
    return this.#failures.get(id);
  }

  recordFailure(failure: TaskFailure): void {
    if (this.#kept.has(failure.appId)) this.#failures.set(failure.appId, failure);
  }

  put(definition: AppDefinition): void {
    const former = this.versions(definition.id).filter(
      (each) => each.version !== definition.version,
    );
    const versions = [...former, definition].slice(-VERSIONS_KEPT);
    const app = { definition, versions };
    this.#shelf.put(app);
    this.#kept.set(definition.id, app);
  }

  remove(id: string): void {
    this.#shelf.remove(id);
    this.#kept.delete(id);
    this.#failures.delete(id);
  }

  /** Definition of an app that is not there yet. */
  fresh(input: AppInput & { id: string }): AppDefinition {
    const version = this.nextVersion();
    const versionInfo = { lastScalingAt: version, lastConfigChangeAt: version };
    const made = this.#normalised(input, version, { versionInfo });
    this.#assertIdIsFree(made.id);
    return made;
  }

  /**
   * The definition that a write turns `former` into. A change of configuration moves
   * lastConfigChangeAt, scaling only lastScalingAt; no change at all gives back `former` itself.
   */
  changed(former: AppDefinition, input: AppInput, options: { partial: boolean }): AppDefinition {
    const { version: back } = input;
    if (options.partial && back !== undefined) return this.#goneBack(former, input, back);
    const whole = options.partial ? merge(former, input) : input;
    const version = this.nextVersion();
    const made = this.#normalised({ ...whole, id: former.id }, version, {
      versionInfo: { lastScalingAt: version, lastConfigChangeAt: version },
      former,
      keptHealthChecks: options.partial && input.healthChecks === undefined,
    });
    return succeed(former, made);
  }

  #goneBack(former: AppDefinition, input: AppInput, back: string): AppDefinition {
    const others = Object.keys(input).filter((key) => key !== 'id' && key !== 'version');
    if (others.length > 0) {
      throw new Refusal(422, "The 'version' field may only be combined with the 'id' field.");
    }
    const found = this.versions(former.id).find((each) => each.version === back);
    if (found === undefined)
      throw new Refusal(404, `App '${former.id}' does not exist in version ${back}`);
    return this.reinstated(former, found);
  }

  /** `wanted` again, as the successor of `former`. */
  reinstated(former: AppDefinition, wanted: AppDefinition): AppDefinition {
    const version = this.nextVersion();
    const versionInfo = { lastScalingAt: version, lastConfigChangeAt: version };
    return succeed(former, { ...wanted, version, versionInfo });
  }

  #normalised(
    input: AppInput & { id: string },
    version: string,
    rest: Pick<NormaliseContext, 'versionInfo' | 'former' | 'keptHealthChecks'>,
  ): AppDefinition {
    let taken: Set<number> | undefined;
    const pickServicePort = (): number => {
      taken ??= new Set(this.list().flatMap(servicePorts));
      const port = freeServicePort(taken);
      if (port === undefined) throw new Refusal(500, 'No free service port left');
      taken.add(port);
      return port;
    };
    assertInput(input);
    const made = normalise(input, { version, pickServicePort, ...rest });
    assertValid(made);
    return made;
  }

  // An id is an app or a group, never both.
  #assertIdIsFree(id: string): void {
    const clash = [...this.#kept.keys()].find(
      (other) => other.startsWith(`${id}/`) || id.startsWith(`${other}/`),
    );
    if (clash === undefined) return;
    throw new Refusal(422, 'Object is not valid', {
      details: [{ path: '/id', errors: [`an app and a group cannot share an id: ${clash}`] }],
    });
  }
}

function succeed(former: AppDefinition, made: AppDefinition): AppDefinition {
  if (configText(former) !== configText(made)) return made;
  if (former.instances === made.instances) {
    return { ...made, version: former.version, versionInfo: former.versionInfo };
  }
  const { lastConfigChangeAt } = former.versionInfo;
  return { ...made, versionInfo: { lastScalingAt: made.version, lastConfigChangeAt } };
}
