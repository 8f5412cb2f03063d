import { loadavg } from "node:os";
import type { Root } from "./root.ts";

interface CpuTimes {
  busy: number;
  total: number;
}

/** The share of all cores' time that was busy since the last reading, 0 to 1. */
export class LoadReader {
  readonly #root: Root;
  #before: CpuTimes | undefined;
  #load = 0;

  constructor(root: Root) {
    this.#root = root;
    this.#before = this.#times();
  }

  read(cores: number): number {
    const now = this.#times();
    if (!now) return Math.min(1, loadavg()[0]! / cores);
    const total = now.total - (this.#before?.total ?? 0);
    // The kernel counts in hundredths of a second: over a shorter time the last answer is the better one.
    if (total > 0) {
      this.#load = Math.min(1, Math.max(0, (now.busy - (this.#before?.busy ?? 0)) / total));
      this.#before = now;
    }
    return this.#load;
  }

  /** Fields of the line are user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already (proc(5)). */
  #times(): CpuTimes | undefined {
    const line = this.#root.text("/proc/stat")?.match(/^cpu +(.+)$/m)?.[1];
    if (line === undefined) return undefined;
    const times = line.split(" ").slice(0, 8).map(Number);
    const total = times.reduce((sum, time) => sum + time, 0);
    return { busy: total - (times[3] ?? 0) - (times[4] ?? 0), total };
  }
}
