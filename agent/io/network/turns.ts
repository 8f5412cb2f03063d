import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";

/**
 * At most so many at once, the rest in order. libp2p's own stream limits will not do: over them a new stream opens as if
 * all were well and is reset a moment later. Waiting ends by the caller's signal, or when those before are through, which
 * their progress watchdogs see to.
 */
export class Turns {
  readonly #atOnceMax: number;
  readonly #waitingMax: number;
  readonly #peer: NodeId;
  readonly #waiting: (() => void)[] = [];
  #active = 0;

  constructor(atOnceMax: number, waitingMax: number, peer: NodeId) {
    this.#atOnceMax = atOnceMax;
    this.#waitingMax = waitingMax;
    this.#peer = peer;
  }

  /** Resolves with the way to give the turn back, which may be called more than once. @throws PEER_BUSY */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#active >= this.#atOnceMax) await this.#wait(signal);
    else this.#active++;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = this.#waiting.shift();
      // The turn passes straight on, so nobody slips in between.
      if (next) next();
      else this.#active--;
    };
  }

  #wait(signal?: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax)
      throw new SkeinError("PEER_BUSY", { peer: this.#peer, reason: `${this.#waitingMax} transfers wait for it` });
    return new Promise((resolve, reject) => {
      const proceed = () => {
        signal?.removeEventListener("abort", abandon);
        resolve();
      };
      const abandon = () => {
        this.#waiting.splice(this.#waiting.indexOf(proceed), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abandon, { once: true });
      this.#waiting.push(proceed);
    });
  }
}
