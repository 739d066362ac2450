import type { Clock } from './clock.ts';
import type { ReadinessCheck } from './definition.ts';
import type { Prober, ReadinessAnswer } from './probe.ts';
import type { Task } from './tasks.ts';

interface Watched {
  readonly check: ReadinessCheck;
  ready: boolean;
  answer?: ReadinessAnswer;
}

/**
 * Readiness checks of one deployment: only for tasks that it starts, and only until each was ready
 * once. The results go with the deployment (Marathon 1.1+).
 */
export class Readiness {
  readonly #prober: Prober;
  readonly #clock: Clock;
  readonly #onChange: (appId: string) => void;
  readonly #watched = new Map<string, Watched>();
  #over = false;

  constructor(prober: Prober, clock: Clock, onChange: (appId: string) => void) {
    this.#prober = prober;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** True if the task was ready once or has no readiness check. Begins to ask where needed. */
  isReady(task: Task): boolean {
    const check = task.app.readinessChecks?.[0];
    if (check === undefined) return true;
    const known = this.#watched.get(task.id);
    if (known !== undefined) return known.ready;
    if (task.state === 'TASK_RUNNING' && !this.#over) {
      const watched = { check, ready: false };
      this.#watched.set(task.id, watched);
      void this.#ask(task, watched);
    }
    return false;
  }

  results(): readonly object[] {
    return [...this.#watched].map(([taskId, { check, ready, answer }]) => ({
      name: check.name,
      taskId,
      ready,
      ...(check.preserveLastResponse && answer !== undefined ? { lastResponse: answer } : {}),
    }));
  }

  close(): void {
    this.#over = true;
  }

  async #ask(task: Task, watched: Watched): Promise<void> {
    const { check } = watched;
    const answer = await this.#prober.ready(task, check);
    if (this.#over || task.state !== 'TASK_RUNNING') return;
    watched.answer = answer;
    watched.ready = check.httpStatusCodesForReady.includes(answer.status);
    if (watched.ready) this.#onChange(task.app.id);
    else this.#clock.after(check.intervalSeconds * 1000, () => void this.#ask(task, watched));
  }
}
