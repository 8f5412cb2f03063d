/** Counts by key within a window that starts with the first; forgets the oldest keys when there are too many. */
const KEYS_MAX = 1_000;

export class RateLimit {
  readonly #max: number;
  readonly #windowMs: number;
  readonly #counts = new Map<string, { count: number; sinceMs: number }>();

  constructor(max: number, windowMs: number) {
    this.#max = max;
    this.#windowMs = windowMs;
  }

  isSpent(key: string): boolean {
    const entry = this.#current(key);
    return entry !== undefined && entry.count >= this.#max;
  }

  count(key: string): void {
    const entry = this.#current(key);
    if (entry) {
      entry.count++;
      return;
    }
    this.#counts.delete(key);
    this.#counts.set(key, { count: 1, sinceMs: performance.now() });
    const oldest = this.#counts.keys().next().value;
    if (this.#counts.size > KEYS_MAX && oldest !== undefined) this.#counts.delete(oldest);
  }

  /** Counts, unless spent: true for the first few in each window. */
  allows(key: string): boolean {
    if (this.isSpent(key)) return false;
    this.count(key);
    return true;
  }

  #current(key: string): { count: number; sinceMs: number } | undefined {
    const entry = this.#counts.get(key);
    return entry && performance.now() - entry.sinceMs < this.#windowMs ? entry : undefined;
  }
}
