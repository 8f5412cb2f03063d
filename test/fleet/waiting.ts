/** Waiting with an end: every wait says what it waited for in vain. */

/** Generous: the machine may be busy with other things. Nothing is ever waited for longer than it takes. */
export const PATIENCE_MS = 120_000;
const POLL_MS = 100;

/** Those who wait for something that happens, and are told each time anything does. */
export class Happenings {
  readonly #listeners = new Set<() => void>();

  happened(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Resolves when it holds; looked at after every event of any agent. */
  until(what: string | (() => string), holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#listeners.delete(look);
        clearTimeout(timer);
        act();
      };
      const look = (): void => {
        try {
          if (holds()) settle(resolve);
        } catch (error) {
          settle(() => reject(error));
        }
      };
      const timer = setTimeout(
        () =>
          settle(() =>
            reject(new Error(`waited ${PATIENCE_MS} ms in vain: ${typeof what === "string" ? what : what()}`)),
          ),
        PATIENCE_MS,
      );
      this.#listeners.add(look);
      look();
    });
  }
}

/** Asks until it holds, for what no event tells. Errors are asked again; the last one is told when patience ends. */
export async function poll(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endsAtMs = performance.now() + PATIENCE_MS;
  let last: unknown;
  while (performance.now() < endsAtMs) {
    try {
      if (await holds()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`waited ${PATIENCE_MS} ms in vain: ${what}${last ? ` (${(last as Error).message})` : ""}`);
}
