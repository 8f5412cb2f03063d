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
