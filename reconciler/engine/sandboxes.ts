import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

// What a task may write before its file is cut, and how many sandboxes of ended tasks are kept.
const LARGEST_FILE = 5 * 1024 * 1024;
const ENDED_KEPT = 50;

/** The folder with a sandbox per task: bounded in the size of outputs and in what is kept. */
export class Sandboxes {
  readonly folder: string;
  readonly #ended: string[] = [];

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    // Left over from a former engine: nobody runs in them any more.
    const left = readdirSync(folder).map((name) => ({
      name,
      at: statSync(join(folder, name)).mtimeMs,
    }));
    for (const { name } of left.sort((a, b) => a.at - b.at)) this.ended(name);
  }

  /** Keeps the sandbox of an ended task for a look, and drops the oldest such. */
  ended(taskId: string): void {
    this.#ended.push(taskId);
    while (this.#ended.length > ENDED_KEPT) {
      const oldest = this.#ended.shift();
      if (oldest !== undefined) rmSync(join(this.folder, oldest), { recursive: true, force: true });
    }
  }

  /** Cuts outputs that grew too large; the latest part before the cut stays in a second file. */
  trim(taskIds: readonly string[]): void {
    for (const taskId of taskIds) {
      for (const name of ['stdout', 'stderr']) cut(join(this.folder, taskId, name));
    }
  }
}

function cut(file: string): void {
  try {
    if (statSync(file).size <= LARGEST_FILE) return;
    copyFileSync(file, `${file}.1`);
    // Tasks write in append mode, so they go on at the new end.
    truncateSync(file, 0);
  } catch {
    // Not there yet, or removed by the task: nothing to cut.
  }
}
