import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import type { AppDefinition } from './definition.ts';
import { isHostNetwork, servicePorts } from './definition.ts';

// The range that a Mesos agent offers.
const FIRST = 31_000;
const LAST = 32_000;

/** Ports of one task: taken until released. */
export interface PortClaim {
  readonly ports: readonly number[];
  release(): void;
}

function listening(
  where: { path: string } | { port: number; host: string },
): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(where, () => resolve(server));
  });
}

/** True if nobody listens on the port, on any address of this host. */
async function isFree(port: number): Promise<boolean> {
  const server = await listening({ port, host: '0.0.0.0' });
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/**
 * Gives out host ports. A trial bind alone would hand one port to two engines that start tasks at
 * the same moment, so on Linux a claim also holds a name in the abstract socket namespace, which
 * the kernel gives back however the engine ends.
 */
export class HostPorts {
  readonly #taken = new Set<number>();

  /** Ports for one task of `app`, or undefined if some are not to be had now. */
  async claim(app: AppDefinition): Promise<PortClaim | undefined> {
    const asked = askedPorts(app);
    const holds: Hold[] = [];
    const release = (): void => {
      for (const hold of holds) {
        hold.server?.close();
        this.#taken.delete(hold.port);
      }
      holds.length = 0;
    };
    for (const port of asked) {
      const hold = port === 0 ? await this.#any() : await this.#one(port);
      if (hold === undefined) {
        release();
        return undefined;
      }
      holds.push(hold);
    }
    return { ports: holds.map((hold) => hold.port), release };
  }

  async #any(): Promise<Hold | undefined> {
    const span = LAST - FIRST + 1;
    // A random start keeps engines side by side out of each other's way.
    const start = randomInt(span);
    for (let i = 0; i < span; i += 1) {
      const hold = await this.#one(FIRST + ((start + i) % span));
      if (hold !== undefined) return hold;
    }
    return undefined;
  }

  async #one(port: number): Promise<Hold | undefined> {
    if (this.#taken.has(port)) return undefined;
    this.#taken.add(port);
    const server = await nameHold(port);
    if (server !== 'taken' && (await isFree(port))) return { port, server };
    if (server !== 'taken') server?.close();
    this.#taken.delete(port);
    return undefined;
  }
}

interface Hold {
  readonly port: number;
  readonly server: Server | undefined;
}

async function nameHold(port: number): Promise<Server | undefined | 'taken'> {
  if (process.platform !== 'linux') return undefined;
  const server = await listening({ path: `\0sluice-engine-port-${port}` });
  server?.unref();
  return server ?? 'taken';
}

/** Host ports that a task needs, 0 for any: fixed ones only with requirePorts or a hostPort. */
function askedPorts(app: AppDefinition): readonly number[] {
  if (isHostNetwork(app))
    return app.requirePorts ? servicePorts(app) : servicePorts(app).map(() => 0);
  // A container of its own would listen inside; a local process needs a port of the host.
  return (app.container?.portMappings ?? []).map((mapping) => mapping.hostPort ?? 0);
}

/** Gives out service ports: numbers that no other app has, from Marathon's range. */
export function freeServicePort(taken: ReadonlySet<number>): number | undefined {
  for (let port = 10_000; port <= 20_000; port += 1) if (!taken.has(port)) return port;
  return undefined;
}
