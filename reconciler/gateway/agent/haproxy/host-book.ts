import { lookup } from 'node:dns/promises';
import net from 'node:net';

/** Addresses of host names, as the system resolves them. */
export interface HostBook {
  learn(hosts: readonly string[]): Promise<void>;
  addressOf(host: string): string | undefined;
}

const KEEP_MS = 60_000;

/**
 * HAProxy takes a host name only in its configuration file, where a name that does not resolve stops
 * all of it. Here a name that cannot be resolved keeps its last address, and harms nobody else.
 */
export function createHostBook(): HostBook {
  const book = new Map<string, { readonly address: string; readonly at: number }>();
  async function resolve(host: string): Promise<void> {
    const known = book.get(host);
    if (known !== undefined && performance.now() - known.at < KEEP_MS) return;
    try {
      const { address } = await lookup(host, { order: 'ipv4first' });
      book.set(host, { address, at: performance.now() });
    } catch {
      if (known !== undefined) book.set(host, { ...known, at: performance.now() });
    }
  }
  return {
    async learn(hosts) {
      const names = new Set(hosts.filter((host) => net.isIP(host) === 0));
      await Promise.all([...names].map(resolve));
    },
    addressOf(host) {
      return net.isIP(host) === 0 ? book.get(host)?.address : host;
    },
  };
}
