/** Time and chance for the simulator: nothing moves unless it is told to, and the same seed gives the same story. */
import type { Cancel, Clock, Randomness } from "../../agent/ports/index.ts";
import { invariant } from "../../shared/errors.ts";

/** Taken at load, so that a test with fake timers cannot stop `settle`. */
const nextTurn = setImmediate;

const TIMERS_PER_TURN = 64;
/** So many timers that were cancelled are thrown away together, if they are most. */
const CANCELLED_MIN = 1_024;

interface Timer {
  atMs: number;
  /** Order of arming: timers due at one moment run in it. */
  turn: number;
  /** Absent once it was cancelled or ran. */
  run: (() => void) | undefined;
}

const isBefore = (a: Timer, b: Timer): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);

export class VirtualClock implements Clock {
  #monotonicMs = 0;
  #wallOffsetMs: number;
  #turns = 0;
  /** A binary heap: no timer is before its parent at `(place - 1) >> 1`. Cancelled ones stay until they come up or are many. */
  #timers: Timer[] = [];
  #cancelled = 0;

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = wallMs;
  }

  /** Whole, as the real one. */
  nowMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#monotonicMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): Cancel {
    const timer = this.#arm(this.#monotonicMs + Math.max(0, delayMs), run);
    return () => {
      if (!timer.run) return;
      timer.run = undefined;
      this.#cancelled++;
      if (this.#cancelled > CANCELLED_MIN && 2 * this.#cancelled > this.#timers.length) this.#throwAway();
    };
  }

  /** A sorted list is a heap too. */
  #throwAway(): void {
    this.#timers = this.#timers.filter(({ run }) => run).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  every(intervalMs: number, run: () => void): Cancel {
    invariant(intervalMs > 0, "an interval takes time");
    let timer: Timer;
    let isCancelled = false;
    const step = (): void => {
      run();
      if (!isCancelled) timer = this.#arm(timer.atMs + intervalMs, step);
    };
    timer = this.#arm(this.#monotonicMs + intervalMs, step);
    return () => {
      isCancelled = true;
      if (timer.run) this.#cancelled++;
      timer.run = undefined;
    };
  }

  /** Steps the wall clock, as NTP or a person would; durations and timers do not notice. */
  jumpWallMs(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** When the next timer is due, or undefined if none is armed. */
  nextAtMs(): number | undefined {
    for (;;) {
      const first = this.#timers[0];
      if (!first || first.run) return first?.atMs;
      this.#pop();
      this.#cancelled--;
    }
  }

  /** Moves time to the next timer, runs it and lets everything it started settle. False if none is armed. */
  async runNext(): Promise<boolean> {
    await this.settle();
    if (this.nextAtMs() === undefined) return false;
    await this.#step();
    return true;
  }

  /** Runs every timer due up to `monotonicMs`, those armed on the way included, and leaves time there. */
  async runUntil(monotonicMs: number): Promise<void> {
    await this.settle();
    while (this.#isDue(monotonicMs)) await this.#runSome(monotonicMs);
    this.#monotonicMs = Math.max(this.#monotonicMs, monotonicMs);
  }

  /**
   * Timers are run in the immediates of one turn of the loop: Node runs all microtasks between any two of them as well, and
   * a turn of its own for each would cost six times as much.
   */
  #runSome(untilMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const runNext = (): void => {
        if (!this.#isDue(untilMs)) return;
        try {
          this.#runFirst();
        } catch (error) {
          reject(error);
        }
      };
      for (let turn = 0; turn < TIMERS_PER_TURN; turn++) nextTurn(runNext);
      nextTurn(resolve);
    });
  }

  #isDue(untilMs: number): boolean {
    const nextMs = this.nextAtMs();
    return nextMs !== undefined && nextMs <= untilMs;
  }

  /**
   * Resolves when no promise can go on without a timer or the outside world: Node runs all microtasks, and those that
   * they queue, before it takes up the next turn of its loop.
   */
  settle(): Promise<void> {
    return new Promise((resolve) => nextTurn(resolve));
  }

  #step(): Promise<void> {
    this.#runFirst();
    return this.settle();
  }

  #runFirst(): void {
    const timer = this.#pop();
    const { run } = timer;
    timer.run = undefined;
    this.#monotonicMs = timer.atMs;
    run?.();
  }

  #arm(atMs: number, run: () => void): Timer {
    invariant(Number.isFinite(atMs), "a timer has a time");
    const timer: Timer = { atMs, turn: this.#turns++, run };
    const timers = this.#timers;
    let place = timers.push(timer) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!isBefore(timer, timers[above]!)) break;
      timers[place] = timers[above]!;
      place = above;
    }
    timers[place] = timer;
    return timer;
  }

  #pop(): Timer {
    const timers = this.#timers;
    const first = timers[0]!;
    const moved = timers.pop()!;
    if (timers.length === 0) return first;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= timers.length) break;
      if (below + 1 < timers.length && isBefore(timers[below + 1]!, timers[below]!)) below += 1;
      if (!isBefore(timers[below]!, moved)) break;
      timers[place] = timers[below]!;
      place = below;
    }
    timers[place] = moved;
    return first;
  }
}

/**
 * The clock of one pretend box. Its timers can be held back (`freeze`, as SIGSTOP does) and end with its agent (`stop`);
 * time itself goes on, as it does for a real process.
 */
export class BoxClock implements Clock {
  readonly #clock: Clock;
  readonly #cancels = new Set<Cancel>();
  /** What came due while frozen; undefined while not frozen. */
  #held: (() => void)[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, run: () => void): Cancel {
    let isOver = false;
    const fire = (): void => {
      if (isOver) return;
      if (this.#held) this.#held.push(fire);
      else {
        isOver = true;
        this.#cancels.delete(cancel);
        run();
      }
    };
    const cancelTimer = this.#clock.after(delayMs, fire);
    const cancel = (): void => {
      isOver = true;
      cancelTimer();
      this.#cancels.delete(cancel);
    };
    this.#cancels.add(cancel);
    return cancel;
  }

  /** What came due while frozen runs once at the thaw and in its rhythm from there, as Node's intervals do. */
  every(intervalMs: number, run: () => void): Cancel {
    invariant(intervalMs > 0, "an interval takes time");
    let isCancelled = false;
    const step = (): void => {
      if (isCancelled) return;
      if (this.#held) {
        this.#held.push(step);
        return;
      }
      run();
      if (!isCancelled) cancelNext = this.#clock.after(intervalMs, step);
    };
    let cancelNext = this.#clock.after(intervalMs, step);
    const cancel = (): void => {
      isCancelled = true;
      cancelNext();
      this.#cancels.delete(cancel);
    };
    this.#cancels.add(cancel);
    return cancel;
  }

  freeze(): void {
    this.#held ??= [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const fire of held) fire();
  }

  /** Ends every timer of this life. */
  stop(): void {
    for (const cancel of [...this.#cancels]) cancel();
  }
}

const SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz";

/** The same seed gives the same draws (sfc32 of PractRand, seeded through splitmix32). */
export function seededRandomness(seed: number): Randomness {
  let mix = seed | 0;
  const word = (): number => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix ^ (mix >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let [a, b, c, counter] = [word(), word(), word(), 1];
  const draw = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) draw();
  return {
    random: () => (draw() >>> 5) / 2 ** 27 + (draw() >>> 6) / 2 ** 53,
    token: (length) => Array.from({ length }, () => SYMBOLS[draw() & 31]).join(""),
  };
}
