import type {
  GatewayStatus,
  Hold,
  Phase,
  RouteStatus,
  Status,
  UnitStatus,
  VersionStatus,
} from '../model/status.ts';
import { toPercent } from '../model/weights.ts';
import { renderTable } from './table.ts';
import { styled } from './terminal.ts';
import { counted, duration, indented, localTime, printable, shortRevision } from './text.ts';
import { renderDiagnostics } from './validate.ts';

export interface StatusOptions {
  readonly colour: boolean;
  /** An earlier look: shares are then measured over what came since, not since the beginning. */
  readonly before?: Status;
  /** IANA name; left out: the reader's own. */
  readonly timeZone?: string;
}

type Style = Parameters<typeof styled>[1];

const PHASE_STYLES: Readonly<Record<Phase, Style>> = {
  converged: 'green',
  progressing: 'cyan',
  baking: 'cyan',
  held: 'yellow',
  rejected: 'red',
};
const STATE_STYLES: Readonly<Partial<Record<VersionStatus['state'], Style>>> = {
  ready: 'green',
  starting: 'cyan',
  absent: 'yellow',
  rejected: 'red',
};
const HEADERS = [
  'version',
  'state',
  'ready',
  'target',
  'asked',
  'seen',
  'share',
  'requests',
  'errors',
  'step',
  'bakes',
  'note',
];
/** What is approved is the whole list, so people should see it; a terminal has its limits. */
const MAX_LISTED = 50;

/** What a person wants to know of everything, the worst first: what waits for them, then the units. */
export function renderStatus(status: Status, now: number, options: StatusOptions): string {
  const parts = [
    renderHead(status, options),
    ...status.holds.map((hold) => renderHold(hold, options)),
    ...status.units.map((unit) => renderUnit(unit, now, options)),
  ];
  if (status.units.length === 0) parts.push('git asks for nothing, and nothing runs\n');
  return parts.join('\n');
}

function renderHead(status: Status, options: StatusOptions): string {
  const { source, platform } = status;
  const at = source.revision === undefined ? '' : ` at ${shortRevision(source.revision)}`;
  const sourceStyle = source.state === 'fresh' ? 'green' : 'yellow';
  const lines = [
    `${styled(options, 'bold', status.owner)}, seen at ${localTime(status.at, options.timeZone)}`,
    `source    ${styled(options, sourceStyle, source.state)}${at}${after(source.message)}`,
    `platform  ${styled(options, platform.state === 'up' ? 'green' : 'red', platform.state)}${after(platform.message)}`,
  ];
  if (source.faulty.length > 0) {
    const files = counted(source.faulty.length, 'file keeps its', 'files keep their');
    lines.push(styled(options, 'red', `${files} last good state until mended:`));
    const told = new Set(source.diagnostics.map(({ file }) => file));
    const silent = source.faulty.filter((file) => !told.has(file));
    lines.push(...silent.map((file) => `  ${printable(file)}`));
  }
  const diagnostics = indented(renderDiagnostics(source.diagnostics, 'text'), 2);
  return `${lines.join('\n')}\n${diagnostics}`;
}

function renderHold(hold: Hold, options: StatusOptions): string {
  const rest = hold.list.length - MAX_LISTED;
  const lines = [
    `${styled(options, ['yellow', 'bold'], 'waits for you')}: ${printable(hold.message)} (${hold.reason})`,
    ...hold.list.slice(0, MAX_LISTED).map((item) => `  - ${printable(item)}`),
    ...(rest > 0 ? [`  - and ${String(rest)} more (--output json has all of them)`] : []),
    `  to go on: ${styled(options, 'bold', `sluice approve ${hold.id}`)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function renderUnit(unit: UnitStatus, now: number, options: StatusOptions): string {
  const phase = styled(options, PHASE_STYLES[unit.phase], unit.phase);
  const reason = unit.reason === unit.phase ? '' : ` (${unit.reason})`;
  const wanted = unit.revision === '' ? '' : `commit ${shortRevision(unit.revision)}`;
  const next =
    unit.lookAgainAt === undefined ? '' : `looks again in ${duration(unit.lookAgainAt - now)}`;
  const facts = [wanted, next].filter((fact) => fact !== '').join(', ');
  const lines = [
    `${styled(options, 'bold', printable(unit.unit))}: ${phase}${reason}`,
    ...(unit.message === '' ? [] : [`  ${printable(unit.message)}`]),
    ...unit.warnings.map((text) => `  ${styled(options, 'yellow', 'warning')}: ${printable(text)}`),
    ...(facts === '' ? [] : [`  ${styled(options, 'dim', facts)}`]),
  ];
  const gateways = unit.gateways.map((gateway) => renderGateway(gateway, unit, now, options));
  return [`${lines.join('\n')}\n`, ...gateways, renderIdle(unit, options)].join('');
}

function renderGateway(
  gateway: GatewayStatus,
  unit: UnitStatus,
  now: number,
  options: StatusOptions,
): string {
  const counts = countsOf(gateway, options.before);
  const rows = gateway.routes.map((route) => {
    const version = unit.versions.find((one) => one.id === route.id);
    return [
      printable(route.name),
      ...stateCells(version, options),
      toPercent(route.target),
      toPercent(route.asked),
      seenCell(route, options),
      shareOf(counts.get(route.id) ?? 0, counts),
      String(route.requests),
      route.errors === 0 ? '0' : styled(options, 'red', String(route.errors)),
      ...stepCells(gateway, route, now),
      printable(version?.note ?? ''),
    ];
  });
  const nodes = gateway.nodes
    .filter((node) => node.state !== 'settled')
    .map((node) => {
      const state = styled(options, node.state === 'unseen' ? 'red' : 'yellow', node.state);
      return `node ${printable(node.node)} ${state}${after(node.message ?? '')}\n`;
    });
  const title = `gateway ${printable(gateway.title)}`;
  const port = gateway.title.includes(String(gateway.port))
    ? ''
    : ` on port ${String(gateway.port)}`;
  return `\n${indented(`${title}${port}\n${nodes.join('')}${renderTable(HEADERS, rows, options)}`, 2)}`;
}

/** Versions that no gateway of the unit routes to. */
function renderIdle(unit: UnitStatus, options: StatusOptions): string {
  const routed = new Set(unit.gateways.flatMap(({ routes }) => routes.map(({ id }) => id)));
  const rows = unit.versions
    .filter((version) => !routed.has(version.id))
    .map((version) => [
      `${printable(version.service)}@${version.digest.replace(/^\d+-/, '').slice(0, 8)}`,
      ...stateCells(version, options),
      printable(version.note),
    ]);
  if (rows.length === 0) return '';
  const table = renderTable(['version', 'state', 'ready', 'note'], rows, options);
  return `\n${indented(`without traffic\n${table}`, 2)}`;
}

function stateCells(
  version: VersionStatus | undefined,
  options: StatusOptions,
): readonly [string, string] {
  if (version === undefined) return ['external', '-'];
  const style = STATE_STYLES[version.state] ?? 'dim';
  const ready = `${String(version.ready)}/${String(version.wanted)}`;
  return [styled(options, style, version.state), ready];
}

/** What the proxies do is marked where it is not what they were asked. */
function seenCell(route: RouteStatus, options: StatusOptions): string {
  const seen = toPercent(route.seen);
  return route.seen === route.asked ? seen : styled(options, 'yellow', seen);
}

function stepCells(
  { step }: GatewayStatus,
  route: RouteStatus,
  now: number,
): readonly [string, string] {
  if (step === undefined || (step.version !== route.name && step.version !== route.id)) {
    return ['', ''];
  }
  const left = (step.bakesUntil ?? 0) - now;
  return [`${String(step.index)}/${String(step.of)}`, left > 0 ? duration(left) : ''];
}

/** Requests by route: all that are counted, or those since an earlier look. */
function countsOf(gateway: GatewayStatus, before: Status | undefined): ReadonlyMap<string, number> {
  const earlier = before?.units
    .flatMap(({ gateways }) => gateways)
    .find(({ name }) => name === gateway.name);
  return new Map(
    gateway.routes.map(({ id, requests }) => {
      const known = earlier?.routes.find((route) => route.id === id)?.requests ?? 0;
      // Fewer than before: the counters began anew.
      return [id, requests >= known ? requests - known : requests];
    }),
  );
}

function shareOf(count: number, counts: ReadonlyMap<string, number>): string {
  let all = 0;
  for (const one of counts.values()) all += one;
  return all === 0 ? '-' : `${((100 * count) / all).toFixed(1)} %`;
}

function after(message: string): string {
  return message === '' ? '' : `: ${printable(message)}`;
}
