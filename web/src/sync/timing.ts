/** Small helpers that everything in here uses. */

/** Runs `task` once, `delay` ms after the first call that nothing came of yet. */
export function gathered(delay: number, task: () => void): () => void {
  let planned = false;
  return () => {
    if (planned) return;
    planned = true;
    setTimeout(() => {
      planned = false;
      task();
    }, delay);
  };
}

/** Runs tasks one after the other, in the order of the calls; one that fails stops nothing. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  take<T>(task: () => Promise<T>): Promise<T> {
    const result = this.last.then(task, task);
    this.last = result.catch(() => undefined);
    return result;
  }
}

/** A pause that `skip()` ends early. */
export class Pause {
  private wake: (() => void) | undefined;

  async wait(delay: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(delay, 2 ** 31 - 1));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }

  skip(): void {
    this.wake?.();
  }
}

/** Growing pauses with jitter: half to all of 0.5 s, 1 s, 2 s, … up to half a minute. */
export function backoff(attempt: number): number {
  return Math.min(30_000, 500 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
}
