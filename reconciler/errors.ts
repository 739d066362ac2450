/** What a caller should do next: try again at the next look, wait longer each time, or stop. */
export type Retry = 'soon' | 'backoff' | 'never';

/**
 * A fault of the world outside (git, Marathon, a proxy, a disk), told so that a person can mend it.
 * Anything else that is thrown is a bug of Sluice and may surface as one.
 */
export class DriverError extends Error {
  /** Stable kebab-case code, explained in docs/errors.md. */
  readonly code: string;
  readonly retry: Retry;

  constructor(code: string, message: string, options: { retry: Retry; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DriverError';
    this.code = code;
    this.retry = options.retry;
  }
}
