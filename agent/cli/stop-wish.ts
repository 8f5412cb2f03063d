import type { World } from "./world.ts";

/** A terminal, and whoever hands signals on to us, may both deliver one Ctrl-C; that is one wish and not two. */
const SECOND_SIGNAL_MS = 500;
/** As the shell counts it: 128 and SIGINT. */
const ENDED_AT_ONCE = 130;

export interface StopWish {
  /** Resolves at the first signal. */
  wished: Promise<NodeJS.Signals>;
  quit: () => void;
}

/** The first signal asks for an orderly stop; a second one, a moment later, ends the process where it stands. */
export function stopWish(world: World): StopWish {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAtMs: number | undefined;
  const quit = world.onInterrupt((signal) => {
    const nowMs = performance.now();
    if (firstAtMs === undefined) {
      firstAtMs = nowMs;
      world.err(`${signal}: stopping in order; once more ends it at once.\n`);
      resolve(signal);
    } else if (nowMs - firstAtMs >= SECOND_SIGNAL_MS) {
      world.exit(ENDED_AT_ONCE);
    }
  });
  return { wished: promise, quit };
}
