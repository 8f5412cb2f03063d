/** Two durations in one bucket differ by at most this factor, so a quantile is off by at most 5 %. */
const GAMMA = 1.1;
const LOG_GAMMA = Math.log(GAMMA);
const BUCKET_FIRST_MS = 0.01;
/** Up to ten days: 0.01 ms × 1.1^256. */
const BUCKETS = 256;
/** All counts are halved when there are so many: what a box did an hour ago fades. */
const COUNT_MAX = 512;

/**
 * How long runs take, as a histogram with logarithmic buckets: quantiles of bounded relative error in bounded memory.
 * After DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
 * VLDB 2019), with a fixed range and old counts fading.
 */
export class DurationSketch {
  readonly #counts = new Float32Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #samples = 0;

  /** Durations ever added. */
  get samples(): number {
    return this.#samples;
  }

  /** Of those that have not faded, ms; 0 before the first. */
  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  add(durationMs: number): void {
    const bucket = Math.ceil(Math.log(Math.max(durationMs, BUCKET_FIRST_MS) / BUCKET_FIRST_MS) / LOG_GAMMA);
    this.#counts[Math.min(BUCKETS - 1, bucket)]! += 1;
    this.#count++;
    this.#samples++;
    this.#sum += durationMs;
    if (this.#count >= COUNT_MAX) this.#fade();
  }

  /** Within 5 % of the duration that this part of the runs stays under, ms; 0 before the first. */
  quantileMs(part: number): number {
    if (this.#count === 0) return 0;
    const rank = part * (this.#count - 1);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen > rank) return BUCKET_FIRST_MS * GAMMA ** bucket * (2 / (1 + GAMMA));
    }
    return BUCKET_FIRST_MS * GAMMA ** (BUCKETS - 1);
  }

  #fade(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#counts[bucket]! /= 2;
    this.#count /= 2;
    this.#sum /= 2;
  }
}
