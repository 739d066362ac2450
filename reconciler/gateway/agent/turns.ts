export interface Turns {
  /** Runs `work` after everything that was taken before, whether that succeeded or not. */
  take<T>(work: () => Promise<T>): Promise<T>;
}

/** One at a time, in the order of asking. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return {
    take(work) {
      const turn = last.then(work);
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}
