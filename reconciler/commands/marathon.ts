import type { Logger } from 'pino';

import { DEFAULT_IMAGES, startEngine } from '../engine/engine.ts';
import type { ImageMap } from '../engine/engine.ts';
import { DriverError } from '../errors.ts';
import type { ExitStatus, Terminal } from './terminal.ts';

export interface MarathonOptions {
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  /** `pattern=command` each. */
  readonly images: readonly string[];
  /** PATH and the like for the tasks. */
  readonly environment: Readonly<Record<string, string>>;
}

/** `sluice marathon`: the embedded engine, until a signal ends it and its tasks. */
export async function marathon(
  options: MarathonOptions,
  terminal: Terminal,
  logger: Logger,
): Promise<ExitStatus> {
  const engine = await startEngine({
    host: options.host,
    port: options.port,
    stateDir: options.stateDir,
    images: { ...DEFAULT_IMAGES, ...imageMap(options.images) },
    baseEnv: options.environment,
    logger,
  });
  terminal.err(`a Marathon API is at ${engine.url} (state: ${options.stateDir})\n`);
  await new Promise<void>((resolve) => {
    if (terminal.signal.aborted) resolve();
    terminal.signal.addEventListener('abort', () => {
      resolve();
    });
  });
  await engine.close();
  return 0;
}

function imageMap(pairs: readonly string[]): ImageMap {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at > 0 && at < pair.length - 1) return [pair.slice(0, at), pair.slice(at + 1)];
      throw new DriverError('image-map-invalid', `--image takes pattern=command, found ${pair}`, {
        retry: 'never',
      });
    }),
  );
}
