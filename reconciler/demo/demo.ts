import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { runCheck } from '../commands/check.ts';
import { askStatus } from '../commands/live.ts';
import { renderTable } from '../commands/table.ts';
import type { ExitStatus, Terminal } from '../commands/terminal.ts';
import { styled } from '../commands/terminal.ts';
import { DriverError } from '../errors.ts';
import type { Status, UnitStatus } from '../model/status.ts';
import { toPercent } from '../model/weights.ts';
import type { Stage, StageOptions } from './stage.ts';
import { copyBlueprints, setStage } from './stage.ts';
import type { Tally, Traffic } from './traffic.ts';
import { startTraffic } from './traffic.ts';

export interface DemoOptions extends Omit<StageOptions, 'signal'> {
  readonly terminal: Terminal;
  readonly keep: boolean;
}

interface Claim {
  readonly text: string;
  readonly measured: string;
  readonly holds: boolean;
}

const PER_SECOND = 100;
const LONGEST_MS = 90_000;
const STEP_MS = 40_000;

/**
 * The main job, live, on real processes, sockets and git. Every claim is measured; status 0 only if
 * all of them hold.
 */
export async function demo(options: DemoOptions): Promise<ExitStatus> {
  const { terminal } = options;
  const startedAt = performance.now();
  terminal.out(
    `${styled(terminal, 'bold', 'Sluice demo')}: a commit becomes a running service\n\n`,
  );
  const stage = await setStage({ ...options, signal: terminal.signal });
  const play = new Play(stage, terminal, startedAt);
  let isKept = false;
  try {
    play.say(`a Marathon at ${stage.marathonUrl}, tasks as local processes`);
    play.say(`a gateway agent with the ${stage.proxy} proxy${hintOf(stage.proxy)}`);
    play.say(`a git repository, and a reconciler that polls it every second`);
    await play.all();
    const holds = play.report();
    isKept = options.keep;
    if (isKept) {
      explainKeep(stage, options, stage.release());
    }
    return holds ? 0 : 1;
  } finally {
    await play.end();
    if (!isKept) await stage.close();
  }
}

function hintOf(proxy: string): string {
  return proxy === 'embedded' ? ' (apt-get install haproxy, and it is HAProxy)' : '';
}

function explainKeep(stage: Stage, options: DemoOptions, pids: readonly number[]): void {
  copyBlueprints(options.blueprints, join(stage.folder, 'more-blueprints'));
  const sluice = `npx sluice`;
  options.terminal.out(
    [
      '',
      'Everything keeps running. Play on with:',
      `  ${sluice} status --watch --config ${stage.configFile}`,
      `  ${sluice} check http://127.0.0.1:${String(stage.gatewayPort)}/endpoint0 1000`,
      `  $EDITOR ${join(stage.clone, 'simpleservice.yml')}   # more in ${join(stage.folder, 'more-blueprints')}`,
      `  ${sluice} diff --local ${stage.clone} --config ${stage.configFile}`,
      `  git -C ${stage.clone} commit -am "A new weight" && git -C ${stage.clone} push`,
      `  ${sluice} history --config ${stage.configFile}`,
      `End it with: kill ${pids.join(' ')}; sleep 5; rm -r ${stage.folder}`,
      '',
    ].join('\n'),
  );
}

/** The four acts, and what was measured in them. */
class Play {
  readonly #stage: Stage;
  readonly #terminal: Terminal;
  readonly #startedAt: number;
  readonly #claims: Claim[] = [];
  readonly #told = new Set<string>();
  #traffic: Traffic | undefined;
  #tallies: readonly Tally[] = [];

  constructor(stage: Stage, terminal: Terminal, startedAt: number) {
    this.#stage = stage;
    this.#terminal = terminal;
    this.#startedAt = startedAt;
  }

  say(text: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(5);
    this.#terminal.out(`${styled(this.#terminal, 'dim', `[${seconds} s]`)} ${text}\n`);
  }

  async all(): Promise<void> {
    await this.#first();
    await this.#canary();
    await this.#promote();
    await this.#broken();
    await this.end();
  }

  /** Ends the load; may be called twice. */
  async end(): Promise<void> {
    const traffic = this.#traffic;
    this.#traffic = undefined;
    if (traffic) this.#tallies = await traffic.stop();
  }

  async #first(): Promise<void> {
    await this.#commit('1-first.yml', 'Run simpleservice 0.9 with three instances');
    const status = await this.#until((unit) => unit.phase === 'converged', 'first');
    const ready = status.versions.find((one) => one.service === 'simpleservice:0.9')?.ready ?? 0;
    this.#traffic = startTraffic({
      url: this.#url,
      perSecond: PER_SECOND,
      longestMs: LONGEST_MS * 2,
    });
    this.#traffic.enter('0.9 alone');
    const seen = await this.#split(200);
    this.#claim(
      'simpleservice 0.9 runs with 3 ready instances and answers every client',
      `${String(ready)} ready; ${describe(seen)}`,
      ready === 3 && share(seen, '0.9') === 1,
    );
  }

  async #canary(): Promise<void> {
    this.#stage.write('2-canary.yml');
    const diff = await this.#stage.sluice([
      'diff',
      '--local',
      this.#stage.clone,
      '--config',
      this.#stage.configFile,
    ]);
    this.say('what the next commit would do (sluice diff):');
    this.#terminal.out(`\n${diff.output.replaceAll(/^/gmu, '    ').trimEnd()}\n\n`);
    this.#claim(
      'diff names the new version and its weight before anything is changed',
      `status ${String(diff.status)}`,
      diff.status === 1 &&
        diff.output.includes('simpleservice:1.0') &&
        diff.output.includes('20 %'),
    );
    this.#traffic?.enter('canary to 20 %');
    await this.#commit('2-canary.yml', 'Give simpleservice 1.0 a fifth of the traffic');
    const steps = await this.#climb('simpleservice:1.0');
    this.#traffic?.enter('at 20 %');
    const seen = await this.#split(1000);
    this.#claim(
      '1.0 climbed by 5 % and 20 %, never past its target',
      steps.join(', '),
      steps.join() === '5 %,20 %',
    );
    const got = share(seen, '1.0');
    this.#claim(
      'out of 1000 clients 20 % (within 1 point) see 1.0, on one instance beside three',
      describe(seen),
      Math.abs(got - 0.2) <= 0.01,
    );
  }

  async #promote(): Promise<void> {
    this.#traffic?.enter('1.0 to 100 %');
    await this.#commit('3-promote.yml', 'Give simpleservice 1.0 everything, at full size');
    const steps = await this.#climb('simpleservice:1.0');
    this.say('0.9 has no traffic any more; it stays warm, is parked, then deleted');
    await this.#until(
      (unit) => unit.versions.every((one) => one.service !== 'simpleservice:0.9'),
      'gone',
    );
    this.#traffic?.enter('1.0 alone');
    const seen = await this.#split(200);
    this.#claim(
      '1.0 climbed on by 50 % and 100 %',
      steps.join(', '),
      steps.join() === '20 %,50 %,100 %',
    );
    this.#claim(
      '0.9 is retired, 1.0 answers every client',
      describe(seen),
      share(seen, '1.0') === 1,
    );
  }

  async #broken(): Promise<void> {
    this.#traffic?.enter('1.1 is broken');
    await this.#commit('4-broken.yml', 'Try simpleservice 1.1, whose health check never passes');
    const unit = await this.#until((one) => one.phase === 'rejected', 'rejected');
    this.say(`${styled(this.#terminal, 'yellow', 'rejected')}: ${unit.message}`);
    const seen = await this.#split(200);
    this.#claim(
      'a version that never becomes healthy is rejected with its reason, the traffic stays',
      `${unit.reason}; ${describe(seen)}`,
      share(seen, '1.0') === 1 && unit.reason === 'deadline',
    );
  }

  get #url(): string {
    return `http://127.0.0.1:${String(this.#stage.gatewayPort)}/endpoint0`;
  }

  async #commit(blueprint: string, message: string): Promise<void> {
    this.#stage.write(blueprint);
    const revision = await this.#stage.push(message);
    this.say(`${styled(this.#terminal, 'cyan', 'git push')} ${revision.slice(0, 8)} ${message}`);
    await this.#look((status) => status.source.revision === revision, `revision ${revision}`);
  }

  /** Waits for the target while noting every weight that the proxies show for a service. */
  async #climb(service: string): Promise<readonly string[]> {
    const steps: string[] = [];
    await this.#until((unit) => {
      const route = unit.gateways[0]?.routes.find((one) => one.name.startsWith(`${service}@`));
      const seen = route ? toPercent(route.seen) : '0 %';
      if (seen !== '0 %' && steps.at(-1) !== seen) steps.push(seen);
      return unit.phase === 'converged';
    }, `the target of ${service}`);
    return steps;
  }

  async #until(holds: (unit: UnitStatus) => boolean, what: string): Promise<UnitStatus> {
    let found: UnitStatus | undefined;
    await this.#look((status) => {
      const [unit] = status.units;
      if (unit === undefined || !holds(unit)) return false;
      found = unit;
      return true;
    }, what);
    if (found === undefined) throw new Error(`no unit: ${what}`);
    return found;
  }

  async #look(holds: (status: Status) => boolean, what: string): Promise<void> {
    const ends = performance.now() + STEP_MS;
    let last = 'nothing';
    while (performance.now() < ends) {
      const status = await askStatus(this.#stage.config);
      if (status) {
        last = status.units.map((unit) => `${unit.phase}: ${unit.message}`).join('; ');
        this.#tell(status);
        if (holds(status)) return;
      }
      await sleep(100, undefined, { signal: this.#terminal.signal });
    }
    throw new DriverError(
      'demo-stalled',
      `waited ${String(STEP_MS / 1000)} s in vain for ${what}; last seen: ${last}\n${this.#stage.log('run')}`,
      { retry: 'never' },
    );
  }

  /** One line whenever the weights that the proxies show have changed. */
  #tell(status: Status): void {
    for (const gateway of status.units.flatMap((unit) => unit.gateways)) {
      const rows = gateway.routes
        .filter((route) => route.seen > 0)
        .map((route) => `${route.name} ${toPercent(route.seen)}`);
      const step = gateway.step
        ? `, step ${String(gateway.step.index)}/${String(gateway.step.of)}`
        : '';
      const line = `port ${gateway.name}: ${rows.join('  ')}${step}`;
      if (rows.length === 0 || this.#told.has(line)) continue;
      this.#told.add(line);
      this.say(line);
    }
  }

  async #split(count: number): Promise<Readonly<Record<string, number>>> {
    const result = await runCheck({ url: this.#url, count, concurrency: 4 }, this.#terminal.signal);
    return Object.fromEntries(
      result.answered.map((one) => [one.version ?? 'no version', one.count]),
    );
  }

  #claim(text: string, measured: string, holds: boolean): void {
    this.#claims.push({ text, measured, holds });
  }

  /** The tables at the end; true if every claim holds. */
  report(): boolean {
    const sent = this.#tallies.reduce((sum, one) => sum + one.sent, 0);
    const failed = this.#tallies.reduce((sum, one) => sum + one.failed, 0);
    const seconds = (performance.now() - this.#startedAt) / 1000;
    this.#claim(
      'no request of the clients failed',
      `${String(failed)} of ${String(sent)}`,
      failed === 0 && sent > 0,
    );
    this.#claim('under 90 seconds', `${seconds.toFixed(1)} s`, seconds < LONGEST_MS / 1000);
    const phases = this.#tallies.map((one) => [
      one.phase,
      String(one.sent),
      String(one.failed),
      Object.entries(one.versions)
        .map(([version, count]) => `${version} ${String(count)}`)
        .join(', '),
    ]);
    const claims = this.#claims.map((one) => [
      one.holds ? 'true' : 'FALSE',
      one.text,
      one.measured,
    ]);
    this.#terminal.out(
      `\n${renderTable(['phase', 'sent', 'failed', 'answered by'], phases, this.#terminal)}\n` +
        renderTable(['holds', 'claim', 'measured'], claims, this.#terminal),
    );
    return this.#claims.every((one) => one.holds);
  }
}

function share(seen: Readonly<Record<string, number>>, version: string): number {
  let sum = 0;
  let own = 0;
  for (const [name, count] of Object.entries(seen)) {
    sum += count;
    if (name.startsWith(`simpleservice:${version}@`)) own += count;
  }
  return sum === 0 ? 0 : own / sum;
}

function describe(seen: Readonly<Record<string, number>>): string {
  return Object.entries(seen)
    .map(([version, count]) => `${String(count)} saw ${version}`)
    .join(', ');
}
