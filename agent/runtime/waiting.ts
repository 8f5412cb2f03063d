import type { Clock } from "../ports/index.ts";

/** Resolves after `delayMs` of the given clock. */
export const delay = (clock: Clock, delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });

/** The value, or `undefined` if it does not come within `deadlineMs`. A rejection passes through. */
export function within<T>(clock: Clock, deadlineMs: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(deadlineMs, () => resolve(undefined));
    promise.then(resolve, reject).finally(cancel);
  });
}

/** Between two looks at what is waited for. */
const LOOK_MS = 25;

/** Whether it came to hold within `deadlineMs`. */
export async function eventually(clock: Clock, deadlineMs: number, holds: () => boolean): Promise<boolean> {
  const endsAtMs = clock.monotonicMs() + deadlineMs;
  while (!holds()) {
    if (clock.monotonicMs() >= endsAtMs) return false;
    await delay(clock, LOOK_MS);
  }
  return true;
}
