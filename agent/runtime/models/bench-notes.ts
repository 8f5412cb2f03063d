import { canonicalJson } from "../../../shared/canonical-json.ts";
import type { HardwareFacts } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import type { Surroundings } from "../surroundings.ts";

/**
 * What was measured of models, kept over restarts under what it depends on: the model's content, onnxruntime's version and
 * the processor. What another version of either said is forgotten when the same model is measured anew.
 */
export class BenchNotes<T> {
  readonly #world: Surroundings;
  readonly #prefix: string;
  readonly #box: string;
  readonly #check: (value: unknown) => T;
  readonly #read = new Map<string, T>();

  constructor(world: Surroundings, init: { prefix: string; hardware: HardwareFacts; check: (value: unknown) => T }) {
    this.#world = world;
    this.#prefix = init.prefix;
    this.#check = init.check;
    const { cpuModel, vector = "", arch } = init.hardware;
    const box = [world.trials?.runtime ?? "", arch, cpuModel, vector].join("\n");
    this.#box = world.sha256(new TextEncoder().encode(box)).slice(0, 16);
  }

  async load(): Promise<void> {
    for (const [key, bytes] of await this.#world.notes.list(this.#prefix))
      try {
        this.#read.set(key, this.#check(JSON.parse(new TextDecoder().decode(bytes))));
      } catch (error) {
        this.#world.telemetry.log("warn", "noteDropped", { key, reason: SkeinError.from(error).message });
        await this.#write(key);
      }
  }

  get(digest: BlobHash): T | undefined {
    return this.#read.get(this.#keyOf(digest));
  }

  async set(digest: BlobHash, value: T): Promise<void> {
    const key = this.#keyOf(digest);
    for (const old of this.#read.keys())
      if (old !== key && old.startsWith(`${this.#prefix}${digest}/`)) {
        this.#read.delete(old);
        await this.#write(old);
      }
    this.#read.set(key, value);
    await this.#write(key, new TextEncoder().encode(canonicalJson(value)));
  }

  #keyOf(digest: BlobHash): string {
    return `${this.#prefix}${digest}/${this.#box}`;
  }

  /** What cannot be written is measured again in the next life. */
  async #write(key: string, value?: Uint8Array): Promise<void> {
    await this.#world.notes.write([value ? { key, value } : { key }]).catch((error: unknown) => {
      this.#world.telemetry.log("warn", "notesUnwritten", { reason: SkeinError.from(error).message });
    });
  }
}
