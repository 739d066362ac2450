import type { Clock, Timer } from './clock.ts';
import type { Identity } from './lifeline.ts';
import { killStrays } from './lifeline.ts';
import type { Tasks } from './tasks.ts';

// Many tasks often end together; one look after them serves all.
const WAIT_MS = 300;

/** Looks after tasks ended whether some process of theirs stayed behind, outside of its group. */
export class StraySweep {
  readonly #identity: Identity;
  readonly #tasks: Tasks;
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(identity: Identity, tasks: Tasks, clock: Clock) {
    this.#identity = identity;
    this.#tasks = tasks;
    this.#clock = clock;
  }

  soon(): void {
    this.#timer ??= this.#clock.after(WAIT_MS, () => {
      this.#timer = undefined;
      void killStrays(this.#identity, (taskId) => this.#tasks.get(taskId) !== undefined);
    });
  }

  close(): void {
    this.#timer?.cancel();
  }
}
