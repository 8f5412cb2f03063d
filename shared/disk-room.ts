const MiB = 1024 * 1024;
/** More than any disk of a box takes in while a look is trusted. */
const PLENTY_BYTES = 4096 * MiB;
const TRUSTED_MS = 1_000;

/**
 * How many bytes a disk has free. With plenty of them it is not asked again for a second: asking is a task for a thread, which
 * takes longer than a small write, and is waited for before each.
 */
export class DiskRoom {
  readonly #look: () => Promise<number>;
  readonly #nowMs: () => number;
  #bytes = 0;
  #trustedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(look: () => Promise<number>, nowMs: () => number) {
    this.#look = look;
    this.#nowMs = nowMs;
  }

  async freeBytes(): Promise<number> {
    if (this.#nowMs() < this.#trustedUntilMs) return this.#bytes;
    this.#bytes = await this.#look();
    if (this.#bytes >= PLENTY_BYTES) this.#trustedUntilMs = this.#nowMs() + TRUSTED_MS;
    return this.#bytes;
  }
}
