import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { Agent, request } from 'undici';
import type { HealthCheck, ReadinessCheck } from './definition.ts';
import { portNames } from './definition.ts';
import type { Outcome } from './health-result.ts';
import { taskEnvironment } from './environment.ts';
import type { Task } from './tasks.ts';

/** Asks tasks how they are. One connection per probe, certificates unchecked: as Marathon does. */
export class Prober {
  readonly #agent = new Agent({
    pipelining: 0,
    keepAliveTimeout: 1,
    connect: { rejectUnauthorized: false },
  });

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** One health probe; never throws. */
  async check(task: Task, check: HealthCheck): Promise<Outcome> {
    try {
      return await this.#probe(task, check);
    } catch (error) {
      return { ok: false, cause: error instanceof Error ? error.message : String(error) };
    }
  }

  #probe(task: Task, check: HealthCheck): Promise<Outcome> {
    const ms = Math.max(1, check.timeoutSeconds) * 1000;
    if (check.protocol === 'COMMAND') return runCommand(task, check.command?.value ?? 'false', ms);
    const port = check.port ?? task.claim?.ports[check.portIndex ?? 0];
    if (port === undefined) return Promise.resolve({ ok: false, cause: 'no port to check' });
    if (check.protocol.endsWith('TCP')) return connects(task.host, port, ms);
    const scheme = check.protocol.endsWith('HTTPS') ? 'https' : 'http';
    return this.#asks(`${scheme}://${task.host}:${port}${pathOf(check.path)}`, ms);
  }

  /** One readiness probe: the status that came, 504 if none came (as Marathon reports it). */
  async ready(task: Task, check: ReadinessCheck): Promise<ReadinessAnswer> {
    const at = portNames(task.app).indexOf(check.portName);
    const port = task.claim?.ports[at];
    const scheme = check.protocol === 'HTTPS' ? 'https' : 'http';
    const url = `${scheme}://${task.host}:${port}${pathOf(check.path)}`;
    try {
      const answer = await this.#get(url, check.timeoutSeconds * 1000);
      const body = (await answer.body.text()).slice(0, 10_000);
      const contentType = String(answer.headers['content-type'] ?? 'text/plain');
      return { status: answer.statusCode, contentType, body };
    } catch (error) {
      return { status: 504, contentType: 'text/plain', body: String(error) };
    }
  }

  async #asks(url: string, ms: number): Promise<Outcome> {
    const answer = await this.#get(url, ms);
    await answer.body.dump();
    if (answer.statusCode >= 200 && answer.statusCode < 400) return { ok: true };
    return { ok: false, cause: `HTTP status ${answer.statusCode}` };
  }

  #get(url: string, ms: number): ReturnType<typeof request> {
    return request(url, { dispatcher: this.#agent, signal: AbortSignal.timeout(ms) });
  }
}

export interface ReadinessAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

function pathOf(path: string | undefined): string {
  if (path === undefined || path === '') return '/';
  return path.startsWith('/') ? path : `/${path}`;
}

function connects(host: string, port: number, ms: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: ms });
    const settle = (outcome: Outcome): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once('connect', () => settle({ ok: true }));
    socket.once('timeout', () => settle({ ok: false, cause: 'connection timed out' }));
    socket.once('error', (error) => settle({ ok: false, cause: error.message }));
  });
}

function runCommand(task: Task, command: string, ms: number): Promise<Outcome> {
  const env = taskEnvironment(task.app, {
    taskId: task.id,
    host: task.host,
    ports: task.claim?.ports ?? [],
    sandbox: task.sandbox,
  });
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], {
      cwd: task.sandbox,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...env },
      stdio: 'ignore',
      timeout: ms,
      killSignal: 'SIGKILL',
    });
    child.once('error', (error) => resolve({ ok: false, cause: error.message }));
    child.once('exit', (code, signal) => {
      if (code === 0) resolve({ ok: true });
      else resolve({ ok: false, cause: `command ended with ${code ?? signal}` });
    });
  });
}
