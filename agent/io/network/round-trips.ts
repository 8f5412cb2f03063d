import type { Heartbeat } from "./wire.ts";

const SAMPLES = 8;
/** Heartbeats on their way; older ones are not waited for. */
const SENT_KEPT = 32;

/**
 * Round trips from heartbeats that cross: each carries the newest sequence heard and how long it was held, so one frame in
 * each direction measures both ways (as TCP timestamps do, RFC 7323).
 */
export class RoundTrips {
  #sequence = 0;
  readonly #sentAtMs = new Map<number, number>();
  #heard = 0;
  #heardAtMs = 0;
  #samples: number[] = [];
  #medianMs: number | undefined;

  next(nowMs: number): Heartbeat {
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#sentAtMs.set(this.#sequence, nowMs);
    this.#sentAtMs.delete(this.#sequence - SENT_KEPT);
    const heldMicros = this.#heard === 0 ? 0 : Math.round((nowMs - this.#heardAtMs) * 1000);
    return { sequence: this.#sequence, echo: this.#heard, heldMicros: Math.min(heldMicros, 0xffffffff) };
  }

  heard(heartbeat: Heartbeat, nowMs: number): void {
    this.#heard = heartbeat.sequence;
    this.#heardAtMs = nowMs;
    const sentAtMs = this.#sentAtMs.get(heartbeat.echo);
    if (sentAtMs === undefined) return;
    this.#sentAtMs.delete(heartbeat.echo);
    this.#samples.push(Math.max(0, nowMs - sentAtMs - heartbeat.heldMicros / 1000));
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    // Worked out when one comes, once or twice a second: it is asked for before every proposal.
    const sorted = this.#samples.toSorted((a, b) => a - b);
    this.#medianMs = sorted[sorted.length >> 1];
  }

  /** Undefined until one was measured. */
  medianMs(): number | undefined {
    return this.#medianMs;
  }
}
