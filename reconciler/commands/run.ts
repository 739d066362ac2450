import type { Logger } from 'pino';

import type { Config } from '../config.ts';
import { startLoop } from '../loop.ts';
import type { Status } from '../model/status.ts';
import type { Reconciler } from '../reconciler.ts';
import { openReconciler } from '../reconciler.ts';
import { startServer } from '../server/server.ts';
import type { Self } from './agent-process.ts';
import { ensureLocalAgent } from './agent-process.ts';
import type { ExitStatus, Terminal } from './terminal.ts';

export interface RunContext {
  readonly config: Config;
  readonly configFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly self: Self;
  /** The whole environment, for programs of our own. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly terminal: Terminal;
}

/** `sluice run`: rounds for ever, until SIGTERM or SIGINT; ends mid-rollout without loss. */
export async function run(context: RunContext): Promise<ExitStatus> {
  const { logger, terminal } = context;
  const reconciler = openReconciler(context);
  try {
    await ensureLocalAgent(context, terminal.signal);
    return await serve(context, reconciler);
  } finally {
    await reconciler.close();
    logger.info('ended');
  }
}

async function serve(context: RunContext, reconciler: Reconciler): Promise<ExitStatus> {
  const { config, logger, terminal } = context;
  let crash: Error | undefined;
  const ended = Promise.withResolvers<void>();
  terminal.signal.addEventListener('abort', () => {
    ended.resolve();
  });
  if (terminal.signal.aborted) ended.resolve();
  const loop = startLoop({
    schedule:
      'cron' in config.schedule
        ? { kind: 'cron', expression: config.schedule.cron }
        : { kind: 'every', everyMs: config.schedule.everyMs },
    round: (signal, asks) => reconciler.round(signal, asks),
    clock: Date.now,
    onCrash: (error) => {
      crash = error instanceof Error ? error : new Error(String(error));
      ended.resolve();
    },
  });
  const server = await startServer({
    listen: config.server.listen,
    ...(config.server.tokenFile !== undefined && { tokenFile: config.server.tokenFile }),
    status: () => reconciler.status(),
    readiness: () => readinessOf(reconciler.status()),
    wake: () => {
      loop.wake();
    },
  });
  logger.info({ url: server.url, owner: config.owner }, 'serving');
  const waking = wakeOnEvents(reconciler, loop.wake.bind(loop), terminal.signal);
  await ended.promise;
  await Promise.all([loop.stop(), server.close()]);
  if (crash !== undefined) throw crash;
  await waking;
  return 0;
}

/** Ready once a round has read git and Marathon: not before it knows what it should do. */
function readinessOf(status: Status | undefined): { ready: boolean; why: string } {
  if (status === undefined) return { ready: false, why: 'no round yet' };
  if (status.platform.state === 'down') return { ready: false, why: status.platform.message };
  if (status.source.revision === undefined) return { ready: false, why: status.source.message };
  return { ready: true, why: 'rounds are made' };
}

/** Marathon's events only wake the loop: what they say is looked up, never believed. */
async function wakeOnEvents(
  reconciler: Reconciler,
  wake: () => void,
  signal: AbortSignal,
): Promise<void> {
  for await (const _event of reconciler.drivers.feed.wakes(signal)) wake();
}
