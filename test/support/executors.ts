/** Watches a real engine through its telemetry: which executors live, and what it said. */
import { existsSync, readFileSync } from "node:fs";
import sharp from "sharp";
import { samplePages } from "../../agent/io/inference/index.ts";
import type { LogLevel, Telemetry } from "../../agent/ports/index.ts";
import { invariant } from "../../shared/errors.ts";

export interface EngineLine {
  level: LogLevel;
  event: string;
  facts: Record<string, unknown>;
}

export class EngineWatch implements Telemetry {
  readonly lines: EngineLine[] = [];
  readonly pids: number[] = [];
  #listeners: { event: string; resolve: (line: EngineLine) => void }[] = [];

  log(level: LogLevel, event: string, facts: Record<string, unknown> = {}): void {
    const line = { level, event, facts };
    this.lines.push(line);
    if (event === "executorStarted") this.pids.push(facts.pid as number);
    if (event === "executorEnded") this.pids.splice(this.pids.indexOf(facts.pid as number), 1);
    const waiting = this.#listeners.filter((listener) => listener.event === event);
    this.#listeners = this.#listeners.filter((listener) => listener.event !== event);
    for (const { resolve } of waiting) resolve(line);
  }

  /** The next line of that event. */
  next(event: string): Promise<EngineLine> {
    return new Promise((resolve) => this.#listeners.push({ event, resolve }));
  }

  killOne(signal: NodeJS.Signals = "SIGKILL"): number {
    const [pid] = this.pids;
    invariant(pid !== undefined, "an executor is there to be killed");
    process.kill(pid, signal);
    return pid;
  }
}

/** The top left of a bundled page, as PNG: two or three words, read in a tenth of a page's time. */
export async function samplePiece(name: string): Promise<Uint8Array> {
  const page = (await samplePages()).find((sample) => sample.name === name);
  invariant(page, `${name} is a bundled page`);
  return sharp(page.path).extract({ left: 40, top: 20, width: 480, height: 150 }).png().toBuffer();
}

/** Linux: a zombie has ended, too. */
export function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  try {
    return !/^\d+ \(.*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    // It went between the two looks.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ESRCH")
      return false;
    throw error;
  }
}
