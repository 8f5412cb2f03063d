import type { Vitals } from "../../../shared/capacity.ts";

/** Something that others should know before it shows in how fast this box works. */
export interface BoxChange {
  what: "power" | "slowing" | "memory" | "storage";
  from: string;
  to: string;
  /** A sentence for people. */
  says: string;
}

/** A cause that was not read so often in a row has ended: under-voltage comes and goes within seconds. */
const CALM_READINGS = 5;
/** Memory counts as taken below the first share of what inference may use, and as back from the second on. */
const TAKEN_SHARE = 0.9;
const BACK_SHARE = 1;
/** Storage counts as slower from so many times its best figure on, and as its old self below the second. */
const SLOWER_TIMES = 4;
const RECOVERED_TIMES = 2;
/** Whatever the best was: waits below this are nobody's loss. */
const SLOW_FSYNC_MS = 20;

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** Invariant: between two changes of one kind, `from` of the later is `to` of the earlier. */
export class BoxWatch {
  readonly #memoryUsableBytes: number;
  #power: Vitals["power"];
  /** Cause → readings since it was seen last. */
  readonly #slowedBy = new Map<string, number>();
  #isMemoryTaken = false;
  #bestFsyncMs: number | undefined;
  #isStorageSlow = false;

  constructor(memoryUsableBytes: number) {
    this.#memoryUsableBytes = memoryUsableBytes;
  }

  takeVitals(vitals: Vitals): BoxChange[] {
    return [...this.#takePower(vitals), ...this.#takeSlowing(vitals), ...this.#takeMemory(vitals)];
  }

  #takePower({ power, batteryPercent }: Vitals): BoxChange[] {
    const before = this.#power;
    // A supply that does not answer this time has not changed.
    this.#power = power ?? before;
    if (power === undefined || before === undefined || power === before) return [];
    const left = batteryPercent === undefined ? "" : `, which is ${Math.round(batteryPercent)} % full`;
    const says = power === "battery" ? `it runs on its battery${left}` : "it runs on the mains again";
    return [{ what: "power", from: before, to: power, says }];
  }

  #takeSlowing({ slowedBy, throttled }: Vitals): BoxChange[] {
    const before = [...this.#slowedBy.keys()];
    for (const [cause, readings] of this.#slowedBy)
      if (readings + 1 >= CALM_READINGS) this.#slowedBy.delete(cause);
      else this.#slowedBy.set(cause, readings + 1);
    for (const cause of [...(slowedBy ?? []), ...(throttled ? ["heat"] : [])]) this.#slowedBy.set(cause, 0);
    const now = [...this.#slowedBy.keys()];
    const [from, to] = [before, now].map((causes) => causes.toSorted().join(", ") || "nothing") as [string, string];
    if (from === to) return [];
    return [
      { what: "slowing", from, to, says: now.length === 0 ? "nothing slows it any more" : `it is slowed by ${to}` },
    ];
  }

  #takeMemory({ memoryFreeBytes, memoryOwnBytes }: Vitals): BoxChange[] {
    if (memoryOwnBytes === undefined) return [];
    const oursBytes = memoryFreeBytes + memoryOwnBytes;
    const usableBytes = this.#memoryUsableBytes;
    const isTaken = oursBytes < (this.#isMemoryTaken ? BACK_SHARE : TAKEN_SHARE) * usableBytes;
    if (isTaken === this.#isMemoryTaken) return [];
    this.#isMemoryTaken = isTaken;
    const [from, to] = isTaken ? ["free", "taken"] : ["taken", "free"];
    const says = isTaken
      ? `other programs take memory: ${gigabytes(oursBytes)} of the ${gigabytes(usableBytes)} that inference may use are left`
      : `the ${gigabytes(usableBytes)} that inference may use are there again`;
    return [{ what: "memory", from: from!, to: to!, says }];
  }

  /** Of a measurement of the storage; the best one so far is what the disk can do. */
  takeFsync(fsyncMs: number): BoxChange[] {
    const bestMs = Math.min(this.#bestFsyncMs ?? fsyncMs, fsyncMs);
    this.#bestFsyncMs = bestMs;
    const times = this.#isStorageSlow ? RECOVERED_TIMES : SLOWER_TIMES;
    const isSlow = fsyncMs >= SLOW_FSYNC_MS && fsyncMs >= times * bestMs;
    if (isSlow === this.#isStorageSlow) return [];
    this.#isStorageSlow = isSlow;
    const took = `a small write takes ${fsyncMs.toFixed(1)} ms to be durable`;
    const [from, to] = isSlow ? ["fast", "slow"] : ["slow", "fast"];
    const says = isSlow
      ? `its storage is slow: ${took}, where it took ${bestMs.toFixed(1)} ms`
      : `its storage is fast again: ${took}`;
    return [{ what: "storage", from: from!, to: to!, says }];
  }
}
