import { stripVTControlCharacters } from 'node:util';

/** Control characters of other people's texts could move the cursor or hide what stands there. */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[\p{Cc}\p{Bidi_Control}]+/gu, ' ')
    .trim();
}

/** `42s`, `3m 05s`, `2h 10m`, `4d 3h`; nothing is negative. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3_600)];
  if (minutes === 0) return `${String(seconds)}s`;
  if (hours === 0) return `${String(minutes)}m ${padded(seconds % 60)}s`;
  if (hours < 48) return `${String(hours)}h ${padded(minutes % 60)}m`;
  return `${String(Math.floor(hours / 24))}d ${String(hours % 24)}h`;
}

/**
 * `2026-11-21T08:30:00+01:00`: ISO 8601 in the reader's own time, or in an IANA time zone.
 *
 * @param at Epoch milliseconds.
 */
export function localTime(at: number, timeZone?: string): string {
  const format = new Intl.DateTimeFormat('en-GB', {
    ...(timeZone !== undefined && { timeZone }),
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'longOffset',
  });
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? '';
  const offset = part('timeZoneName').replace('GMT', '');
  const day = `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`;
  const time = `${part('hour')}:${part('minute')}:${part('second')}`;
  return `${day}T${time}${['', '+00:00'].includes(offset) ? 'Z' : offset}`;
}

/** The start of a commit id, as git shows it. */
export function shortRevision(revision: string): string {
  return /^[0-9a-f]{40,}$/.test(revision) ? revision.slice(0, 8) : revision;
}

/** `1 app`, `3 apps`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}

/** Every line moved to the right by so many blanks; empty lines stay empty. */
export function indented(text: string, by: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(by));
}

function padded(value: number): string {
  return String(value).padStart(2, '0');
}
