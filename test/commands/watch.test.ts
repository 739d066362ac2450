import { describe, expect, it } from 'vitest';
import { watchFrames } from '../../reconciler/commands/watch.ts';

/** Shows the frames one after the other and stops after the last. */
async function watched(isTerminal: boolean, frames: readonly string[]): Promise<string> {
  const stop = new AbortController();
  let shown = 0;
  let text = '';
  await watchFrames(
    {
      frame: async () => frames[shown] ?? '',
      screen: {
        isTerminal,
        write: (part) => {
          text += part;
        },
      },
      wait: async (ms) => {
        expect(ms).toBe(1_000);
        shown += 1;
        if (shown < frames.length) return;
        stop.abort();
        throw new Error('interrupted');
      },
    },
    stop.signal,
  );
  return text;
}

describe('watching', () => {
  it('draws over the last frame on a terminal', async () => {
    expect(await watched(true, ['a\nb\n', 'c\n'])).toBe(
      '\u001B[2J\u001B[Ha\u001B[K\nb\u001B[K\n\u001B[J\u001B[Hc\u001B[K\n\u001B[J',
    );
  });

  it('prints what changed elsewhere', async () => {
    expect(await watched(false, ['a\n', 'a\n', 'b\n'])).toBe('a\n\nb\n');
  });

  it('ends at once where it is interrupted in the middle of a frame', async () => {
    const stop = new AbortController();
    const work = watchFrames(
      {
        frame: async (signal) => {
          stop.abort();
          signal.throwIfAborted();
          return 'never shown';
        },
        screen: { isTerminal: true, write: () => expect.unreachable() },
        wait: async () => undefined,
      },
      stop.signal,
    );
    await expect(work).resolves.toBeUndefined();
  });

  it('lets faults out', async () => {
    const work = watchFrames(
      {
        frame: async () => {
          throw new Error('a fault');
        },
        screen: { isTerminal: true, write: () => undefined },
        wait: async () => undefined,
      },
      new AbortController().signal,
    );
    await expect(work).rejects.toThrow('a fault');
  });
});
