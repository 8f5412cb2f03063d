import { rename } from "node:fs/promises";
import { ClassicLevel } from "classic-level";
import { invariant, SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { NoteChange, Notes, Telemetry } from "../../ports/index.ts";

type Level = ClassicLevel<string, Uint8Array>;
const SETTINGS = { valueEncoding: "view", compression: false } as const;
/** Sorts after every character that a key may have. */
const LAST = "\uffff";

/** Opens the notes in the folder `path`, making it if it is not there. The journal beside it holds the agent's lock. */
export async function openNotes(path: string, { telemetry }: { telemetry: Telemetry }): Promise<Notes> {
  try {
    return new LevelNotes(await open(path));
  } catch (error) {
    const cause = ((error as Error).cause ?? error) as Error & { code?: string };
    if (cause.code !== "LEVEL_CORRUPTION" && !/No such file/.test(cause.message)) throw cause;
    const aside = `${path}.damaged-${Date.now()}`;
    await rename(path, aside);
    telemetry.log("error", "notesDamaged", { reason: cause.message, movedTo: aside });
    return new LevelNotes(await open(path));
  }
}

async function open(path: string): Promise<Level> {
  const level: Level = new ClassicLevel(path, SETTINGS);
  await level.open();
  return level;
}

class LevelNotes implements Notes {
  readonly #level: Level;

  constructor(level: Level) {
    this.#level = level;
  }

  async list(prefix: string): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for await (const [key, value] of this.#level.iterator({ gte: prefix, lt: prefix + LAST, fillCache: false }))
      found.set(key, value);
    return found;
  }

  /** LevelDB itself puts the writers that wait into one write of its log, and so into one fsync. */
  async write(changes: NoteChange[]): Promise<void> {
    if (changes.length === 0) return;
    for (const { value } of changes)
      invariant((value?.length ?? 0) <= LIMITS.noteBytesMax, `a note has at most ${LIMITS.noteBytesMax} bytes`);
    const operations = changes.map(({ key, value }) =>
      value ? ({ type: "put", key, value } as const) : ({ type: "del", key } as const),
    );
    try {
      await this.#level.batch(operations, { sync: true });
    } catch (error) {
      const { message } = ((error as Error).cause ?? error) as Error;
      throw /No space left/.test(message) ? new SkeinError("DISK_FULL", { reason: message }) : error;
    }
  }

  close(): Promise<void> {
    return this.#level.close();
  }
}
