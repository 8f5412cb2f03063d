import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import {
  decodeNotedRate,
  decodeNotedResult,
  encodeNotedRate,
  encodeNotedResult,
  type NotedRate,
  type NotedResult,
} from "../../shared/wire/notes.ts";
import type { FinishedTask } from "../core/worker/index.ts";
import type { NoteChange } from "../ports/index.ts";
import type { ResultSigner } from "./proof.ts";
import type { Surroundings } from "./surroundings.ts";

const RESULTS = "result/";
const RATES = "rate/";
/** A rate is noted anew when it has moved so far, and so long after the last one: flash wears out. */
const RATE_CHANGE = 0.1;
const RATE_NOTED_MS = 60_000;

/**
 * What a worker knows and the fleet does not, kept over a restart: results that could not be handed in, and how fast this
 * box is. A result is noted when two looks in a row find it, so one that is recorded within a second or so, as almost all
 * are, costs no write, and those that wait share one fsync. What is lost before it is noted is computed again: that costs
 * time and no truth.
 */
export class WorkerMemory {
  readonly #world: Surroundings;
  readonly #signer: ResultSigner;
  #seen = new Set<string>();
  readonly #noted = new Set<string>();
  readonly #rates = new Map<BlobHash, NotedRate & { notedAtMs: number }>();
  #writing = false;

  constructor(world: Surroundings, signer: ResultSigner) {
    this.#world = world;
    this.#signer = signer;
  }

  /** Results of earlier lives that are still to be handed in and whose output is still here. */
  async results(): Promise<NotedResult[]> {
    const remembered: NotedResult[] = [];
    const spoiled: NoteChange[] = [];
    for (const [key, bytes] of await this.#world.notes.list(RESULTS)) {
      try {
        const noted = decodeNotedResult(bytes);
        const { output, node } = noted.result;
        if (node !== this.#world.network.self) throw new SkeinError("BAD_REQUEST", { reason: "it is another node's" });
        if (output && (await this.#world.blobs.size(output)) === undefined)
          throw new SkeinError("BLOB_MISSING", { hash: output });
        this.#noted.add(key);
        remembered.push(noted);
      } catch (error) {
        this.#world.telemetry.log("warn", "noteDropped", { key, reason: SkeinError.from(error).message });
        spoiled.push({ key });
      }
    }
    await this.#forget(spoiled);
    return remembered;
  }

  /** By digest of the pipeline, as measured with so many executors. Rates of pipelines that are not `here` are forgotten. */
  async rates(here: readonly BlobHash[], executors: number): Promise<Map<BlobHash, NotedRate>> {
    const nowMs = this.#world.clock.monotonicMs();
    const spoiled: NoteChange[] = [];
    for (const [key, bytes] of await this.#world.notes.list(RATES)) {
      const digest = key.slice(RATES.length) as BlobHash;
      try {
        const rate = decodeNotedRate(bytes);
        if (here.includes(digest) && rate.executors === executors)
          this.#rates.set(digest, { ...rate, notedAtMs: nowMs });
        else spoiled.push({ key });
      } catch (error) {
        this.#world.telemetry.log("warn", "noteDropped", { key, reason: SkeinError.from(error).message });
        spoiled.push({ key });
      }
    }
    await this.#forget(spoiled);
    return new Map(this.#rates);
  }

  /** Called now and then with all that is finished and not recorded, and with what was measured. */
  async look(finished: readonly FinishedTask[], rates: ReadonlyMap<BlobHash, NotedRate>): Promise<void> {
    if (this.#writing) return;
    const tasks = new Map(finished.map((task) => [keyOf(task), task]));
    const fresh = [...tasks]
      .filter(([key]) => this.#seen.has(key) && !this.#noted.has(key))
      .slice(0, Math.max(0, Math.min(LIMITS.notesPerWriteMax, LIMITS.notedResultsMax - this.#noted.size)));
    const gone = [...this.#noted].filter((key) => !tasks.has(key)).slice(0, LIMITS.notesPerWriteMax);
    this.#seen = new Set(tasks.keys());
    const moved = this.#movedRates(rates);
    const changes: NoteChange[] = [
      ...fresh.map(([key, task]) => ({ key, value: this.#noteOf(task) })),
      ...gone.map((key) => ({ key })),
      ...moved.map(([digest, rate]) => ({ key: RATES + digest, value: encodeNotedRate(rate) })),
    ];
    if (changes.length === 0) return;
    this.#writing = true;
    try {
      await this.#world.notes.write(changes);
      for (const [key] of fresh) this.#noted.add(key);
      for (const key of gone) this.#noted.delete(key);
      const notedAtMs = this.#world.clock.monotonicMs();
      for (const [digest, rate] of moved) this.#rates.set(digest, { ...rate, notedAtMs });
    } catch (error) {
      this.#world.telemetry.log("warn", "notesUnwritten", { reason: SkeinError.from(error).message });
    } finally {
      this.#writing = false;
    }
  }

  /** What cannot be taken away now is found again in the next life. */
  async #forget(spoiled: NoteChange[]): Promise<void> {
    await this.#world.notes.write(spoiled).catch((error: unknown) => {
      this.#world.telemetry.log("warn", "notesUnwritten", { reason: SkeinError.from(error).message });
    });
  }

  #noteOf({ lease, item, result }: FinishedTask): Uint8Array {
    return encodeNotedResult({ lease: { ...lease, items: [item] }, result: this.#signer.signed(result) });
  }

  #movedRates(rates: ReadonlyMap<BlobHash, NotedRate>): [BlobHash, NotedRate][] {
    const nowMs = this.#world.clock.monotonicMs();
    return [...rates].filter(([digest, { secondsPerItem }]) => {
      const noted = this.#rates.get(digest);
      if (!noted) return true;
      const change = Math.abs(secondsPerItem - noted.secondsPerItem) / noted.secondsPerItem;
      return change > RATE_CHANGE && nowMs - noted.notedAtMs >= RATE_NOTED_MS;
    });
  }
}

const keyOf = ({ lease, item }: FinishedTask): string => `${RESULTS}${lease.jobId}/${item.item}`;
