import type http from 'node:http';

/** Belong to one connection, not to the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  // Node has answered it already.
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

const VERSION_HEADER = 'x-sluice-version';

/** Headers of a request as the server gets them, as a flat list of names and values. */
export function requestHeaders(request: http.IncomingMessage): string[] {
  const headers = withoutHops(request);
  headers.push('x-forwarded-for', request.socket.remoteAddress ?? 'unknown');
  if (request.headers['transfer-encoding'] !== undefined) {
    headers.push('transfer-encoding', 'chunked');
  }
  return headers;
}

/** Headers of an answer as the client gets them; names the version that answered. */
export function responseHeaders(answer: http.IncomingMessage, version: string): string[] {
  const headers = withoutHops(answer);
  headers.push(VERSION_HEADER, version);
  return headers;
}

export function versionHeader(version: string): Readonly<Record<string, string>> {
  return { [VERSION_HEADER]: version };
}

function withoutHops(message: http.IncomingMessage): string[] {
  const named = (message.headers.connection ?? '').toLowerCase().split(',');
  const dropped = new Set([...HOP_BY_HOP, ...named.map((name) => name.trim())]);
  const kept: string[] = [];
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const name = message.rawHeaders[at] ?? '';
    const lower = name.toLowerCase();
    if (dropped.has(lower) || lower === VERSION_HEADER) continue;
    kept.push(name, message.rawHeaders[at + 1] ?? '');
  }
  return kept;
}
