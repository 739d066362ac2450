import { setTimeout as sleep } from 'node:timers/promises';

import type { Logger } from 'pino';

import { DriverError } from '../../errors.ts';
import type { GatewayView, Split } from '../../model/split.ts';
import type { TaskFeed } from '../../platform/port.ts';
import { writeAgentState } from './agent-state.ts';
import type { AgentView } from './api.ts';
import type { Keeper } from './keeper.ts';
import type { Proxy, ProxyView } from './proxy.ts';
import { watchTasks, type TaskWatch } from './task-watch.ts';
import { createTurns } from './turns.ts';

export interface AgentCoreOptions {
  readonly node: string;
  readonly stateDir: string;
  readonly tasks: TaskFeed;
  readonly pollMs?: number;
  readonly version?: string;
  readonly logger: Logger;
  readonly keeper: Keeper;
  readonly proxy: Proxy;
}

/**
 * How often the proxy's own checks are read, milliseconds: a server that was down needs a second and
 * more to pass again, and must be held back before that.
 */
const LOOK_MS = 500;
const POLL_MS = 2_000;

/** Ties what is held to the disk, to the proxy and to Marathon: every change passes here, in turn. */
export class AgentCore {
  readonly #options: AgentCoreOptions;
  readonly #turns = createTurns();
  readonly #ending = new AbortController();
  #watch: TaskWatch | undefined;
  #loop: Promise<void> | undefined;
  #marathon: AgentView['marathon'] = {};
  #proxyFault: string | undefined;

  constructor(options: AgentCoreOptions) {
    this.#options = options;
  }

  /** Serves what the disk says, then follows Marathon. */
  async begin(): Promise<void> {
    await this.#turns.take(() => this.#apply());
    await this.#lookAtChecks();
    this.#watch = this.#startWatch();
    this.#loop = this.#followChecks();
  }

  async state(signal: AbortSignal): Promise<AgentView> {
    const { node, proxy, keeper } = this.#options;
    // In turn: what is held and what the proxy does belong to the same moment.
    const [seen, gateways] = await this.#turns.take(async () => {
      const view = await this.#observe(signal);
      return [view, keeper.views(view)] as const;
    });
    return {
      node,
      gateways,
      proxy: proxy.kind,
      version: this.#options.version ?? '0.1.0',
      abilities: proxy.abilities,
      reloads: seen.reloads,
      marathon: this.#marathon,
    };
  }

  async put(split: Split, signal: AbortSignal): Promise<GatewayView> {
    const { keeper } = this.#options;
    await this.#change(() => keeper.put(split));
    this.#watch?.lookSoon();
    const views = await this.#turns.take(async () => keeper.views(await this.#observe(signal)));
    const view = views.find((each) => each.split.gateway === split.gateway);
    if (view !== undefined) return view;
    throw new DriverError('gateway-removed', `gateway ${split.gateway} was removed meanwhile`, {
      retry: 'soon',
    });
  }

  async remove(gateway: string, generation: number): Promise<void> {
    await this.#change(() => this.#options.keeper.remove(gateway, generation));
  }

  async close(mode: 'stop' | 'leave'): Promise<void> {
    this.#ending.abort();
    await this.#watch?.close();
    await this.#loop;
    await this.#turns.take(() => this.#options.proxy.close(mode));
  }

  /** Changes what is held, saves it, and makes the proxy true to it. */
  #change(mutate: () => boolean): Promise<void> {
    const { stateDir, keeper } = this.#options;
    return this.#turns.take(async () => {
      if (mutate()) await writeAgentState(stateDir, keeper.held);
      await this.#apply();
    });
  }

  #changeLater(mutate: () => boolean): void {
    this.#change(mutate).catch((error: unknown) => {
      this.#options.logger.error({ err: error }, 'a change could not be kept');
    });
  }

  /** A fault of the proxy is told, not thrown: the views say what is not applied. */
  async #apply(): Promise<void> {
    const { proxy, keeper, logger } = this.#options;
    try {
      await proxy.apply(keeper.wanted(), this.#ending.signal);
      this.#proxyFault = undefined;
    } catch (error) {
      const message = textOf(error);
      if (message !== this.#proxyFault) {
        logger.error({ err: error }, 'the proxy did not take the change');
      }
      this.#proxyFault = message;
    }
  }

  /** Whoever looks at the proxy learns at once who is down, before anything else is applied. */
  async #observe(signal: AbortSignal): Promise<ProxyView> {
    const { proxy, keeper } = this.#options;
    const seen = await proxy.observe(signal);
    if (keeper.learnChecks(seen)) this.#changeLater(() => true);
    return seen;
  }

  async #followChecks(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.#lookAtChecks();
    }
  }

  async #lookAtChecks(): Promise<void> {
    const { keeper, logger } = this.#options;
    try {
      await this.#turns.take(() => this.#observe(this.#ending.signal));
      await this.#change(() => false);
      if (keeper.awaitsWord) this.#watch?.lookSoon();
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      logger.warn({ err: error }, 'the proxy could not be read');
      await this.#turns.take(() => this.#apply());
    }
  }

  #startWatch(): TaskWatch {
    const { tasks, keeper, logger, pollMs } = this.#options;
    return watchTasks({
      feed: tasks,
      pollMs: pollMs ?? POLL_MS,
      onGone: (taskId) => {
        this.#changeLater(() => keeper.learnGone(taskId, Date.now()));
      },
      onTasks: (answer) => {
        this.#marathon = { seenAt: Date.now() };
        this.#changeLater(() => keeper.learnTasks(answer, Date.now()));
      },
      onUnseen: (error) => {
        if (this.#marathon.error === undefined) {
          logger.warn({ err: error }, 'Marathon cannot be seen');
        }
        this.#marathon = { ...this.#marathon, error: textOf(error) };
      },
    });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
