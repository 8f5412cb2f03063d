/**
 * Which stage an executor is in, for the agent that has to end it: written by the executor before each stage into a file that
 * has no name any more, and read only then. A message would be as quick to write, but every one wakes the agent; and one that
 * is sent late is not sent at all where an operator never comes back to the event loop.
 */
import { closeSync, existsSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where an executor finds it. */
const markDescriptor = 4;
const markBytes = 512;
/** In memory, where a system has such a folder: it is written for every stage. */
const memoryFolder = "/dev/shm";

/** The agent's side. */
export class StageMark {
  /** To be the fifth of the executor's streams. */
  readonly descriptor: number;
  #isOpen = true;

  constructor(number: number) {
    const folder = existsSync(memoryFolder) ? memoryFolder : tmpdir();
    const path = join(folder, `skein-stage-${process.pid}-${number}`);
    this.descriptor = openSync(path, "w+", 0o600);
    unlinkSync(path);
  }

  clear(): void {
    if (this.#isOpen) ftruncateSync(this.descriptor);
  }

  /** Undefined if it is in none. */
  read(): string | undefined {
    if (!this.#isOpen) return undefined;
    const bytes = Buffer.alloc(markBytes);
    const [line = ""] = bytes.toString("utf8", 0, readSync(this.descriptor, bytes, 0, markBytes, 0)).split("\n");
    return line === "" ? undefined : line;
  }

  close(): void {
    if (this.#isOpen) closeSync(this.descriptor);
    this.#isOpen = false;
  }
}

/** The executor's side. */
export function markStage(stage: string): void {
  writeSync(markDescriptor, `${stage}\n`, 0);
}
