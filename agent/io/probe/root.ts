import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The kernel's files under one root folder, so that tests can read a Jetson on any machine. A file that is not there or
 * cannot be read has no text: every board lacks some of them, and a sensor that is switched off answers with an error.
 */
export class Root {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Read at once. Only for /proc and cgroup files, which the kernel answers from memory in microseconds. */
  text(path: string): string | undefined {
    try {
      return readFileSync(join(this.path, path), "utf8");
    } catch {
      return undefined;
    }
  }

  /** Read off the main thread. For sensors: behind a zone's file there may be a slow bus or a firmware call. */
  async textSlow(path: string): Promise<string | undefined> {
    return await readFile(join(this.path, path), "utf8").catch(() => undefined);
  }

  /** A file with a single whole number. */
  number(path: string): number | undefined {
    return wholeNumber(this.text(path));
  }

  /** Names in a folder, sorted; none if it is not there. */
  names(path: string): string[] {
    try {
      return readdirSync(join(this.path, path)).sort();
    } catch {
      return [];
    }
  }
}

export const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^-?\d+$/.test(text.trim()) ? Number(text.trim()) : undefined;

/** One line, without the NULs and runs of blanks that firmware leaves; `undefined` if nothing is left. */
export function plainLine(text: string | undefined): string | undefined {
  const line = text?.replace(/[\p{Cc}\s]+/gu, " ").trim();
  return line ? line.slice(0, 120) : undefined;
}
