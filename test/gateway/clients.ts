import http from 'node:http';

/** What clients saw, by the `x-sluice-version` header of the answers. */
export interface Seen {
  readonly total: number;
  /** No answer at all: refused, reset, closed without a word. */
  readonly failed: number;
  readonly byVersion: Readonly<Record<string, number>>;
  readonly byStatus: Readonly<Record<string, number>>;
}

export interface Load {
  readonly port: number;
  readonly requests: number;
  /** Clients at a time, each with a connection of its own. */
  readonly clients?: number;
  readonly keepAlive?: boolean;
  readonly path?: string;
}

/** Sends a number of requests and counts everything. */
export async function sendRequests(load: Load): Promise<Seen> {
  let left = load.requests;
  return runClients(load, () => {
    left -= 1;
    return left >= 0;
  });
}

/** Sends requests until stopped. */
export function startLoad(load: Omit<Load, 'requests'>): { stop(): Promise<Seen> } {
  let going = true;
  const done = runClients({ ...load, requests: 0 }, () => going);
  return {
    stop() {
      going = false;
      return done;
    },
  };
}

interface Counting {
  total: number;
  failed: number;
  readonly byVersion: Record<string, number>;
  readonly byStatus: Record<string, number>;
}

async function runClients(load: Load, more: () => boolean): Promise<Seen> {
  const seen: Counting = { total: 0, failed: 0, byVersion: {}, byStatus: {} };
  const client = async (): Promise<void> => {
    const agent = new http.Agent({ keepAlive: load.keepAlive ?? true, maxSockets: 1 });
    while (more()) {
      seen.total += 1;
      try {
        const { status, version } = await get(load.port, load.path ?? '/', agent);
        seen.byVersion[version] = (seen.byVersion[version] ?? 0) + 1;
        seen.byStatus[status] = (seen.byStatus[status] ?? 0) + 1;
      } catch {
        seen.failed += 1;
      }
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: load.clients ?? 8 }, client));
  return seen;
}

/**
 * One GET. A kept connection that the proxy closed just then is asked again on a new one, as every
 * HTTP client does (RFC 9112, 9.3.1); anything else counts.
 */
export function get(
  port: number,
  path: string,
  agent?: http.Agent,
): Promise<{ status: number; version: string; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: agent ?? false });
    request.on('error', (error) => {
      if (request.reusedSocket && 'code' in error && error.code === 'ECONNRESET') {
        resolve(get(port, path, agent));
      } else reject(error);
    });
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('error', reject);
      response.on('end', () => {
        const version = response.headers['x-sluice-version'];
        resolve({
          status: response.statusCode ?? 0,
          version: typeof version === 'string' ? version : 'none',
          body,
        });
      });
    });
  });
}
