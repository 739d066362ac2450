import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DriverError } from '../errors.ts';
import type { AppDefinition } from './definition.ts';

/** What is kept of an app across restarts of the engine. */
export interface KeptApp {
  readonly definition: AppDefinition;
  /** Former definitions and the present one, oldest first. */
  readonly versions: readonly AppDefinition[];
}

function read(file: string): KeptApp {
  try {
    // Written by the shelf only, and whole: see `put`.
    const kept: KeptApp = JSON.parse(readFileSync(file, 'utf8'));
    return kept;
  } catch (cause) {
    const text = `cannot read the app that the engine kept in ${file}; mend the file or remove it`;
    throw new DriverError('engine-state-unreadable', text, { retry: 'never', cause });
  }
}

/** The engine's memory on disk: one file per app, each replaced as a whole. */
export class Shelf {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'apps');
    mkdirSync(this.#folder, { recursive: true });
  }

  load(): readonly KeptApp[] {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith('.json'));
    return names.map((name) => read(join(this.#folder, name)));
  }

  put(app: KeptApp): void {
    const file = this.#file(app.definition.id);
    writeFileSync(`${file}.new`, JSON.stringify(app), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  remove(id: string): void {
    rmSync(this.#file(id), { force: true });
  }

  // Ids may be longer than a file name can be, so the name is a hash and the id is inside.
  #file(id: string): string {
    return join(this.#folder, `${createHash('sha256').update(id).digest('hex').slice(0, 40)}.json`);
  }
}
