/** How long whoever takes bytes must wait so that no more than so many come in a second, over any stretch of time. */
export class TokenBucket {
  /** What the last one to take has borrowed is paid back by then. */
  #paidAtMs = 0;

  /** Milliseconds to wait after taking these. 0 bytes a second: no limit. */
  take(bytes: number, bytesPerSecond: number, nowMs: number): number {
    if (bytesPerSecond <= 0) {
      this.#paidAtMs = nowMs;
      return 0;
    }
    // What was not used is not saved: after a rest the first bytes are no burst.
    this.#paidAtMs = Math.max(this.#paidAtMs, nowMs) + (bytes / bytesPerSecond) * 1_000;
    return this.#paidAtMs - nowMs;
  }
}
