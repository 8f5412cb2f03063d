import type { NoteChange, Notes } from "../../agent/ports/index.ts";

/** The notes of one pretend box, in memory; they outlive its agents. */
export class PretendNotes {
  #notes = new Map<string, Uint8Array>();
  #life: object = {};

  /** The notes as one life of the agent has them; those of an earlier life change nothing any more. */
  open(): Notes {
    const life = {};
    this.#life = life;
    return {
      list: async (prefix) =>
        new Map(
          [...this.#notes].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : Number(a > b))),
        ),
      write: (changes) => (this.#life === life ? this.#write(changes) : new Promise(() => {})),
      close: async () => {},
    };
  }

  /** Ends the agent's life: what it writes from now on never lands. */
  crash(): void {
    this.#life = {};
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    this.#notes.clear();
  }

  async #write(changes: NoteChange[]): Promise<void> {
    for (const { key, value } of changes) {
      if (value) this.#notes.set(key, value.slice());
      else this.#notes.delete(key);
    }
  }
}
