import { setTimeout as sleep } from 'node:timers/promises';

import type { Task } from '../../model/actual.ts';
import type { TaskFeed, Wake } from '../../platform/port.ts';

export interface TaskWatchOptions {
  readonly feed: TaskFeed;
  readonly pollMs: number;
  /** An event named this task as ended. */
  onGone(taskId: string): void;
  onTasks(tasks: readonly Task[]): void;
  /** Nothing usable came back: nothing changes. */
  onUnseen(error: unknown): void;
}

export interface TaskWatch {
  /** Asks as soon as the call under way is done. */
  lookSoon(): void;
  close(): Promise<void>;
}

/** Events come in bursts: after one look the next waits this long, in milliseconds. */
const BURST_MS = 100;
/** Longest wait for one answer. */
const ANSWER_MS = 10_000;

/** Follows instances: an event is a hint to look, a look every few seconds is the truth. */
export function watchTasks(options: TaskWatchOptions): TaskWatch {
  const ending = new AbortController();
  let wake = new AbortController();

  function lookSoon(): void {
    wake.abort();
  }
  async function look(): Promise<void> {
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(ANSWER_MS)]);
    try {
      options.onTasks(await options.feed.tasks(signal));
    } catch (error) {
      if (!ending.signal.aborted) options.onUnseen(error);
    }
  }
  async function poll(): Promise<void> {
    while (!ending.signal.aborted) {
      wake = new AbortController();
      await look();
      await pause(BURST_MS, ending.signal);
      await pause(options.pollMs, AbortSignal.any([ending.signal, wake.signal]));
    }
  }
  function hear(event: Wake): void {
    if (event.gone !== undefined) options.onGone(event.gone.taskId);
    lookSoon();
  }
  async function listen(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        for await (const event of options.feed.wakes(ending.signal)) hear(event);
      } catch (error) {
        if (!ending.signal.aborted) options.onUnseen(error);
      }
      await pause(options.pollMs, ending.signal);
    }
  }

  const running = Promise.all([poll(), listen()]);
  return {
    lookSoon,
    async close() {
      ending.abort();
      await running;
    },
  };
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    // Woken up.
  }
}
