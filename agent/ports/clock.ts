/** Stops a timer. Calling it twice, or after the timer ran, does nothing. */
export type Cancel = () => void;

/** Time. Two makers: the real one in io/clock and the simulator's. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump; only for people and for comparing with other boxes' words. */
  nowMs(): number;
  /** Never goes back. For every duration and deadline. */
  monotonicMs(): number;
  after(delayMs: number, run: () => void): Cancel;
  every(intervalMs: number, run: () => void): Cancel;
}

/** Chance. */
export interface Randomness {
  /** Uniform in [0, 1). */
  random(): number;
  /** `length` lower-case letters and digits without look-alikes; 5 bits each. */
  token(length: number): string;
}
