import { invariant } from "../../../shared/errors.ts";
import type { ConfState, LogIndex } from "../../../shared/raft.ts";

interface Taken {
  /** Of the entry that carries it, or of the snapshot it came with. */
  index: LogIndex;
  conf: ConfState;
}

/**
 * The configurations along the log. The newest one counts from the moment it is appended, committed or not (thesis 4.1),
 * and falls back to the one before when its entry is truncated.
 * Invariant: never empty, indexes ascend; the first is at or before the log's first kept entry.
 */
export class ConfHistory {
  private readonly taken: Taken[];

  constructor(index: LogIndex, conf: ConfState) {
    this.taken = [{ index, conf }];
  }

  get active(): ConfState {
    return this.taken.at(-1)!.conf;
  }

  /** Where the active configuration was taken up. */
  get activeIndex(): LogIndex {
    return this.taken.at(-1)!.index;
  }

  /** The configuration before the active one, if the log still knows it. */
  get previous(): ConfState | undefined {
    return this.taken.at(-2)?.conf;
  }

  /** What counted for a log that ends at `index`. */
  at(index: LogIndex): ConfState {
    const found = this.taken.findLast((item) => item.index <= index);
    invariant(found, `a configuration is known at index ${index}`);
    return found.conf;
  }

  take(index: LogIndex, conf: ConfState): void {
    invariant(index > this.activeIndex, "configurations are taken up in the order of the log");
    this.taken.push({ index, conf });
  }

  /** Forgets what was taken up after `index`: its entries are gone. */
  truncate(index: LogIndex): void {
    while (this.taken.length > 1 && this.activeIndex > index) this.taken.pop();
  }

  /** Keeps what counts at `index` and later. */
  compact(index: LogIndex): void {
    while (this.taken.length > 1 && this.taken[1]!.index <= index) this.taken.shift();
  }
}
