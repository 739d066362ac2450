import { z } from 'zod';
import { DriverError } from '../../errors.ts';
import type { Retry } from '../../errors.ts';

/** What was asked, told without credentials. */
export interface Asked {
  readonly method: string;
  /** Origin and path, no query. */
  readonly where: string;
  readonly body?: unknown;
  /** The file to look at after a 401; undefined where no credentials are configured. */
  readonly authFile?: string;
}

/** An answer of Marathon, or of whatever stands before it. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

const ErrorBody = z.object({
  message: z.string().optional(),
  details: z.unknown().optional(),
  deployments: z.array(z.object({ id: z.string() })).optional(),
  errors: z.array(z.object({ attribute: z.string(), error: z.string() })).optional(),
});
type ErrorBody = z.infer<typeof ErrorBody>;

const Details = z.array(
  z.object({ path: z.string().optional(), errors: z.array(z.string()).optional() }),
);

interface Verdict {
  readonly code: string;
  readonly retry: Retry;
  readonly mend: string;
}

const INVALID_APP: Verdict = {
  code: 'invalid-app',
  retry: 'never',
  mend: 'Correct the blueprint: Marathon will not take the app as it is',
};
const REFUSED: Verdict = {
  code: 'marathon-refused',
  retry: 'backoff',
  mend: 'Another Marathon than Sluice knows, or something before it, answers there; check marathon.urls and the version',
};
const UNEXPECTED: Verdict = {
  code: 'marathon-unexpected',
  retry: 'backoff',
  mend: 'Sluice does not know this status; check what answers there',
};
const TOO_MANY: Verdict = {
  code: 'too-many-platform-changes',
  retry: 'backoff',
  mend: 'Sluice waits until some of them have ended; see max_running_deployments',
};
const FORBIDDEN: Verdict = {
  code: 'forbidden',
  retry: 'backoff',
  mend: 'Give the account of Sluice the right to do this',
};
const APP_MISSING: Verdict = { code: 'app-missing', retry: 'soon', mend: 'Sluice looks again' };
const NOT_FOUND: Verdict = {
  code: 'marathon-not-found',
  retry: 'backoff',
  mend: 'Check marathon.urls, their paths included (/service/marathon on DC/OS)',
};

const Sent = z.object({ env: z.record(z.string(), z.unknown()).optional() });

/** Turns every status of Marathon that is no success into an error with what to do next. */
export function refusal(asked: Asked, answer: Answer): DriverError {
  const body = parseBody(answer.text);
  const said = sayWhat(answer, body, asked.body);
  const { code, retry, mend } = judge(asked, answer.status, { body, said });
  const message = `Marathon answered ${String(answer.status)} to ${asked.method} ${asked.where}: ${said}. ${mend}`;
  return new DriverError(code, message, { retry });
}

function judge(
  asked: Asked,
  status: number,
  answer: { readonly body: ErrorBody | undefined; readonly said: string },
): Verdict {
  if (status === 400 || status === 422) return isAppWrite(asked) ? INVALID_APP : REFUSED;
  if (status === 401)
    return { code: 'unauthorized', retry: 'backoff', mend: askForCredentials(asked) };
  if (status === 403) return isTooMany(answer.said) ? TOO_MANY : FORBIDDEN;
  if (status === 404) return isAppPath(asked.where) ? APP_MISSING : NOT_FOUND;
  if (status === 409) return conflict(answer.body);
  if ([405, 406, 415].includes(status)) return REFUSED;
  if (status >= 500) {
    return { code: 'marathon-unavailable', retry: 'backoff', mend: unavailable(asked) };
  }
  return UNEXPECTED;
}

/** Locked and exists share a status; only a lock names who holds it. */
function conflict(body: ErrorBody | undefined): Verdict {
  if (body?.deployments !== undefined) {
    const ids = body.deployments.map((each) => each.id).join(', ');
    const mend = `Sluice waits for the platform changes that hold it: ${ids}`;
    return { code: 'app-locked', retry: 'soon', mend };
  }
  const mend = 'Sluice looks again and takes another id if it is not its own';
  return { code: 'app-exists', retry: 'soon', mend };
}

function askForCredentials(asked: Asked): string {
  if (asked.authFile === undefined)
    return 'It wants credentials: set marathon.token_file, or marathon.user and marathon.password_file';
  return `Check the credentials in ${asked.authFile}; a token may have expired`;
}

function unavailable(asked: Asked): string {
  if (asked.method === 'GET') return 'It may be electing a leader; Sluice tries again';
  return 'The write may have been applied: Sluice reads before it repeats anything';
}

/** Parses what may be JSON, an HTML page of a proxy, or nothing. */
function parseBody(text: string): ErrorBody | undefined {
  try {
    return ErrorBody.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function sayWhat(answer: Answer, body: ErrorBody | undefined, sent: unknown): string {
  if (body === undefined) {
    if (answer.text.trim() === '') return 'no reason given';
    return /^\s*</u.test(answer.text) ? 'an HTML page' : tidy(answer.text, sent);
  }
  const parts = [body.message ?? 'no reason given'];
  const details = Details.safeParse(body.details).data ?? [];
  for (const { path, errors } of details)
    parts.push(`${path ?? '/'}: ${(errors ?? []).join(', ')}`);
  // The dialect before 0.15, still spoken by some proxies.
  for (const { attribute, error } of body.errors ?? []) parts.push(`${attribute}: ${error}`);
  return tidy(parts.join('; '), sent);
}

/** Marathon may quote what it was sent, and an env value may be a secret. */
function tidy(text: string, sent: unknown): string {
  let out = text;
  for (const value of envValues(sent)) out = out.replaceAll(value, '***');
  return out
    .replaceAll(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, 600)
    .replace(/[.\s]+$/u, '');
}

function envValues(sent: unknown): readonly string[] {
  const { env } = Sent.safeParse(sent).data ?? {};
  return Object.values(env ?? {}).flatMap((value) =>
    typeof value === 'string' && value.length >= 4 ? [value] : [],
  );
}

function isAppWrite(asked: Asked): boolean {
  return asked.method !== 'GET' && isAppPath(asked.where);
}

function isAppPath(where: string): boolean {
  return /\/v2\/apps(?:\/|$)/u.test(where);
}

function isTooMany(said: string): boolean {
  return /max(?:imum)? number|too many|running deployments|max_running_deployments/iu.test(said);
}
