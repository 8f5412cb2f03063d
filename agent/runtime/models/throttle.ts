import { TokenBucket } from "../../core/transfer/index.ts";
import type { Clock } from "../../ports/index.ts";
import { delay } from "../waiting.ts";

/** Holds what comes in to so many bytes a second, all transfers that go through it together. */
export class Throttle {
  readonly #clock: Clock;
  readonly #bucket = new TokenBucket();
  /** 0: no limit. */
  bytesPerSecond = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async *through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      const waitMs = this.#bucket.take(chunk.length, this.bytesPerSecond, this.#clock.monotonicMs());
      if (waitMs > 0) await delay(this.#clock, waitMs);
      yield chunk;
    }
  }
}
