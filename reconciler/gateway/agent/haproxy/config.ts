import type { ProxyTuning } from '../proxy.ts';
import { STRIDE } from '../rotation.ts';
import { backendName, frontendName, type GatewaySlots } from './slots.ts';

/** Absolute paths of everything that HAProxy reads and writes, all in one folder of the agent. */
export interface HaproxyFiles {
  readonly config: string;
  readonly admin: string;
  readonly master: string;
  readonly state: string;
  readonly log: string;
  /** Gateway -> `80:20:0:0:100`: weights per slot, reduced, then their common divisor. */
  readonly weights: string;
  /** Gateway -> `backend:backend`: who serves when no version with weight can, best first. */
  readonly fallback: string;
  /** Backend -> value of the `x-sluice-version` header. */
  readonly names: string;
  /** Backend -> path of its check. */
  readonly checks: string;
}

export interface ConfigOptions {
  readonly files: HaproxyFiles;
  readonly bindHost: string;
  readonly tuning: ProxyTuning;
  /** Shown by `show info`: tells which structure a running worker has. */
  readonly description: string;
}

/** A gateway with the server lines of each slot. */
export interface ConfiguredGateway {
  readonly slots: GatewaySlots;
  readonly servers: ReadonlyMap<string, readonly string[]>;
}

/** Longest life of an old worker after a reload: requests longer than this are cut. */
const HARD_STOP = '15m';
/** Explicit, because 2.6 else wants two descriptors for each of 50,000 connections to start. */
const MAXCONN = 4_000;

/**
 * The whole configuration, for HAProxy 2.6 and newer (measured with 2.6.12): one backend per slot,
 * the vector of weights in a map, a counter in a stick table, and the choice as arithmetic.
 */
export function renderConfig(
  options: ConfigOptions,
  gateways: readonly ConfiguredGateway[],
): string {
  const sections = [globalSection(options), defaultsSection(options)];
  for (const gateway of gateways) {
    sections.push(frontendSection(gateway.slots, options));
    for (const index of gateway.slots.slots.keys()) {
      sections.push(backendSection(gateway, index, options));
    }
  }
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function globalSection({ files, description }: ConfigOptions): readonly string[] {
  return [
    '# Written by `sluice gateway`; changes by hand are lost.',
    'global',
    `  description ${description}`,
    `  stats socket ${files.admin} mode 600 level admin expose-fd listeners`,
    '  stats timeout 1h',
    `  maxconn ${String(MAXCONN)}`,
    '  nbthread 2',
    `  hard-stop-after ${HARD_STOP}`,
    `  server-state-file ${files.state}`,
  ];
}

function defaultsSection({ tuning, files }: ConfigOptions): readonly string[] {
  const maps = [files.weights, files.fallback, files.names, files.checks];
  return [
    'defaults sluice',
    `  timeout connect ${String(tuning.connectTimeoutMs)}ms`,
    `  timeout client ${String(tuning.idleTimeoutMs)}ms`,
    `  timeout server ${String(tuning.idleTimeoutMs)}ms`,
    '  timeout http-request 30s',
    '  timeout http-keep-alive 65s',
    '  timeout queue 5s',
    '  timeout tunnel 1h',
    '  retries 3',
    '  option redispatch 1',
    '  load-server-state-from-file global',
    '',
    // 10,000 gateways; the counter restarts with a worker, which no share depends on.
    'backend sluice-counters from sluice',
    '  mode http',
    '  stick-table type string len 64 size 10k store gpc0',
    // Nobody is routed here. A map that no rule mentions cannot be changed at run time.
    ...maps.map((file) => `  http-request set-var(txn.unused) str(-),map(${file})`),
  ];
}

function frontendSection(gateway: GatewaySlots, options: ConfigOptions): readonly string[] {
  const name = frontendName(gateway.name);
  const http = gateway.protocol === 'http';
  const rule = http ? 'http-request' : 'tcp-request content';
  const lines = [
    `frontend ${name} from sluice`,
    `  mode ${gateway.protocol}`,
    `  bind ${options.bindHost}:${String(gateway.port)}`,
    ...(http ? ['  option forwardfor'] : []),
    ...choiceRules(gateway, options.files).map((text) => `  ${rule} ${text}`),
    http
      ? '  http-request return status 503 content-type text/plain string "No version of this gateway has a usable server." if !{ var(txn.be) -m found }'
      : '  tcp-request content reject if !{ var(txn.be) -m found }',
    '  use_backend %[var(txn.be)]',
  ];
  if (!http) return lines;
  return [
    ...lines,
    `  http-after-response set-var(txn.name) be_name,map(${options.files.names})`,
    '  http-after-response set-header x-sluice-version %[var(txn.name)] if { var(txn.name) -m found }',
  ];
}

/**
 * `stop` is 1 in a worker that is stopping: there `nbsrv` is 0 for every backend, and without it
 * each reload would answer 503. Weights of slots without a usable server count as 0, so the others
 * take their share in proportion; nobody left: the fallback, in its order.
 */
function choiceRules(gateway: GatewaySlots, files: HaproxyFiles): readonly string[] {
  const name = frontendName(gateway.name);
  const slots = [...gateway.slots.keys()];
  const last = slots.length;
  const backend = (slot: number): string => backendName(gateway.name, slot);
  return [
    'set-var(txn.stop) stopping',
    `track-sc0 str(${name}) table sluice-counters`,
    `set-var(txn.v) str(${name}),map(${files.weights},0)`,
    ...slots.map(
      (slot) => `set-var(txn.w${String(slot + 1)}) var(txn.v),field(${String(slot + 1)},:)`,
    ),
    ...slots.map((slot) => {
      const add = slot === 0 ? '' : `,add(txn.c${String(slot)})`;
      const at = String(slot + 1);
      return `set-var(txn.c${at}) nbsrv(${backend(slot)}),add(txn.stop),bool,mul(txn.w${at})${add}`;
    }),
    `set-var(txn.p) sc_inc_gpc0(0),mul(${String(STRIDE)}),mod(txn.c${String(last)})`,
    ...slots.map((slot) => {
      const unless = slot === 0 ? '' : '!{ var(txn.be) -m found } ';
      return `set-var(txn.be) str(${backend(slot)}) if ${unless}{ var(txn.p),sub(txn.c${String(slot + 1)}) lt 0 }`;
    }),
    `set-var(txn.f) str(${name}),map(${files.fallback},-)`,
    ...slots.flatMap((slot) => [
      `set-var(txn.g) var(txn.f),field(${String(slot + 1)},:)`,
      'set-var(txn.be) var(txn.g) if !{ var(txn.be) -m found } { var(txn.g),nbsrv gt 0 }',
    ]),
  ];
}

function backendSection(
  gateway: ConfiguredGateway,
  slot: number,
  options: ConfigOptions,
): readonly string[] {
  const { name, protocol, slots } = gateway.slots;
  const backend = backendName(name, slot);
  const lines = [`backend ${backend} from sluice`, `  mode ${protocol}`, '  balance roundrobin'];
  if (protocol === 'http') {
    lines.push(
      // A server may close a kept connection just when a request is on its way. Repeating is
      // harmless for GET and HEAD only.
      '  retry-on conn-failure empty-response',
      '  http-request disable-l7-retry unless METH_GET',
    );
  }
  if (slots[slot]?.check === 'http') {
    lines.push(
      '  option httpchk',
      `  http-check send meth GET uri-lf "%[be_name,map(${options.files.checks},/)]" ver HTTP/1.1 hdr host ${backend}`,
      '  http-check expect status 200-399',
    );
  }
  for (const server of gateway.servers.get(backend) ?? []) lines.push(`  server ${server}`);
  return lines;
}
