import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Others may use so much of one core. */
const OTHERS_MAX = 0.15;
const SAMPLE_MS = 400;

/** Jiffies that were not idle, of all cores. */
function busyJiffies(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, soft = 0, steal = 0] = readFileSync("/proc/stat", "utf8")
    .split("\n", 1)[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return user + nice + system + irq + soft + steal;
}

/** Waits until nobody else uses the box; false when that did not come in time. For the moments before a measurement. */
export async function untilQuiet(deadlineMs = 30_000): Promise<boolean> {
  const untilMs = performance.now() + deadlineMs;
  while (performance.now() < untilMs) {
    const before = busyJiffies();
    const startedMs = performance.now();
    await sleep(SAMPLE_MS);
    // A jiffy is 10 ms for user space, whatever the kernel ticks (sysconf _SC_CLK_TCK).
    if (((busyJiffies() - before) * 10) / (performance.now() - startedMs) < OTHERS_MAX) return true;
  }
  return false;
}
