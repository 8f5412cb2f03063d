/** Requests asked twice are at most this part of all, and a few beyond, so that a fleet that is late is not also doubled. */
const SHARE = 0.05;
const ALLOWANCE = 3;

export class HedgeBudget {
  #left = ALLOWANCE;

  requested(): void {
    this.#left = Math.min(ALLOWANCE, this.#left + SHARE);
  }

  /** True if one more may be asked of another box too; it then counts as asked. */
  take(): boolean {
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
