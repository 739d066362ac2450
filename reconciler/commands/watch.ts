/** Where frames go. */
export interface Screen {
  write(text: string): void;
  /** True if the cursor can be moved; else frames follow each other. */
  readonly isTerminal: boolean;
}

export interface WatchOptions {
  /** The text of one frame, ending with a newline. What it throws ends the watch. */
  readonly frame: (signal: AbortSignal) => Promise<string>;
  readonly screen: Screen;
  /** Waits so many milliseconds, or until the signal aborts. May reject when it does. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** Milliseconds between frames; default 1000. */
  readonly everyMs?: number;
}

const HOME = '\u001B[H';
const CLEAR_SCREEN = '\u001B[2J';
const CLEAR_TO_END = '\u001B[J';
const CLEAR_LINE = '\u001B[K';

/** Draws frames until the signal aborts. Drawing over the last frame flickers less than clearing. */
export async function watchFrames(options: WatchOptions, signal: AbortSignal): Promise<void> {
  const { frame, screen, wait, everyMs = 1_000 } = options;
  let last: string | undefined;
  while (!signal.aborted) {
    const text = await unlessAborted(frame(signal), signal);
    if (text === undefined) return;
    if (screen.isTerminal) screen.write(drawn(text, last === undefined));
    else if (text !== last) screen.write(last === undefined ? text : `\n${text}`);
    last = text;
    await unlessAborted(wait(everyMs, signal), signal);
  }
}

function drawn(text: string, isFirst: boolean): string {
  const lines = text.replaceAll('\n', `${CLEAR_LINE}\n`);
  return `${isFirst ? CLEAR_SCREEN : ''}${HOME}${lines}${CLEAR_TO_END}`;
}

/** Being interrupted is how a watch ends, and no fault. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
