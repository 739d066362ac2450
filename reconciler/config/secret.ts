import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import { DriverError } from '../errors.ts';

const SHOWN = '***';

/** A text that must never travel: printed, logged or turned to JSON it is `***` (law 14). */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}

/** A secret from the environment, and the file in which drivers look for it. */
export interface SecretFile {
  readonly file: string;
  readonly secret: Secret;
}

/**
 * Puts secrets that came from the environment where drivers read them: files of mode 600, written
 * anew at every start.
 *
 * @throws DriverError `state-dir-unwritable`
 */
export function writeSecretFiles(secrets: readonly SecretFile[]): void {
  for (const { file, secret } of secrets) {
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      // An older file may be open to others, and writing keeps its mode.
      rmSync(file, { force: true });
      writeFileSync(file, secret.reveal(), { mode: 0o600, flag: 'wx' });
      chmodSync(file, 0o600);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      throw new DriverError(
        'state-dir-unwritable',
        `The file ${file} for a secret from the environment cannot be written (${code}). Give Sluice the right to write there, or set state_dir`,
        { retry: 'never', cause: error },
      );
    }
  }
}
