import type { Cancel, Clock } from "../../ports/index.ts";

/** The longest delay Node's timers take; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after,
  every,
};

function after(delayMs: number, run: () => void): Cancel {
  let timer: NodeJS.Timeout;
  const arm = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, TIMER_MS_MAX);
    timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : run()), stepMs);
  };
  arm(Math.max(0, delayMs));
  return () => clearTimeout(timer);
}

function every(intervalMs: number, run: () => void): Cancel {
  const timer = setInterval(run, Math.min(intervalMs, TIMER_MS_MAX));
  return () => clearInterval(timer);
}
