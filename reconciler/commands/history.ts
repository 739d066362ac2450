import type { Entry } from '../journal/port.ts';
import { styled } from './terminal.ts';
import { localTime, printable, shortRevision } from './text.ts';

export interface HistoryOptions {
  readonly colour: boolean;
  /** IANA name; left out: the reader's own. */
  readonly timeZone?: string;
}

const STYLES: Readonly<Partial<Record<Entry['kind'], Parameters<typeof styled>[1]>>> = {
  failure: 'red',
  phase: 'bold',
  wish: 'cyan',
};

/** One sentence a line, in the order given: when, about what, what happened, for which commit. */
export function renderHistory(
  entries: readonly Entry[],
  options: HistoryOptions = { colour: false },
): string {
  if (entries.length === 0) return 'nothing has been noted yet\n';
  return entries.map((entry) => `${sentence(entry, options)}\n`).join('');
}

function sentence(entry: Entry, options: HistoryOptions): string {
  const when = styled(options, 'dim', localTime(entry.at, options.timeZone));
  const subject = entry.subject === '' ? '' : `${printable(entry.subject)}: `;
  const failed = entry.kind === 'failure' ? 'failed: ' : '';
  const said = `${failed}${printable(entry.message)}`;
  const style = STYLES[entry.kind];
  const text = style === undefined ? said : styled(options, style, said);
  const { revision } = entry;
  const isNamed = revision === undefined || entry.message.includes(shortRevision(revision));
  return `${when}  ${subject}${text}${isNamed ? '' : ` (commit ${shortRevision(revision)})`}`;
}
