import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";

/** At most so many at once, the others in the order they came. */
export class Slots {
  readonly #waitingMax: number;
  readonly #self: NodeId;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnceMax: number, waitingMax: number, self: NodeId) {
    this.#free = atOnceMax;
    this.#waitingMax = waitingMax;
    this.#self = self;
  }

  /** Resolves with the way to give the slot back. @throws PEER_BUSY */
  async take(): Promise<() => void> {
    if (this.#waiting.length >= this.#waitingMax)
      throw new SkeinError("PEER_BUSY", { peer: this.#self, reason: `${this.#waitingMax} fetches wait here` });
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    };
  }
}
