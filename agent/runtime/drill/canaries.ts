import { readCanaryOutput, writeCanaryInput } from "../../../shared/canary.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { type BlobHash, isBlobHash, type JobId, type NodeId } from "../../../shared/ids.ts";
import type { JobInput } from "../../../shared/job.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Checked } from "../../core/drill/index.ts";
import type { JobRecord } from "../../core/ledger/index.ts";
import type { Surroundings } from "../surroundings.ts";
import { delay, eventually } from "../waiting.ts";
import type { DrillParts } from "./parts.ts";

const PIPELINE = "canary";
/** Short, so that a loss is seen soon, and long beside what handing one over costs. */
const ITEM_MS = 50;
/** A fleet with many cores gets longer ones rather than more of them. */
const ITEM_MS_MAX = 1_000;
/** Work that is always there beside what runs, so that every box stays busy while a submit waits for an election; a job is half of it. */
const AHEAD_MS = 3_000;
/** What was recorded in so much time says how fast the fleet is; until then its executors are counted, and half of them believed. */
const PACE_MS = 2_000;
const UNMEASURED = 0.5;
const LOOK_MS = 200;
/** How many rounds this box does in a millisecond is measured with so many. */
const PROBE_ROUNDS = 20_000;
const PROBE_MS = 30_000;
/** On a box that runs nothing itself: as a PC does. */
const ROUNDS_PER_MS = 400;
/** Outputs read back, and of those computed anew. */
const READ_MAX = 48;
const COMPUTED_MAX = 8;
const PUTS_AT_ONCE = 8;

/** The drill's own work during one fault: jobs of canaries that keep every box busy, and what became of each. */
export class Canaries {
  readonly #world: Surroundings;
  readonly #parts: DrillParts;
  /** Names this fault's jobs and no other's. */
  readonly #key: string;
  readonly #acknowledged = new Set<JobId>();
  /** Results as they were heard to be recorded: what is heard of twice was recorded twice. */
  readonly #heard = new Map<string, number>();
  #firstHeardAtMs: number | undefined;
  #rounds = 0;
  #itemMs = ITEM_MS;
  #jobs = 0;
  #isFeeding = false;
  #feeding: Promise<void> = Promise.resolve();

  constructor(world: Surroundings, parts: DrillParts, key: string) {
    this.#world = world;
    this.#parts = parts;
    this.#key = key;
  }

  /** Measures what an item shall cost, and begins to hand in work. */
  async begin(): Promise<void> {
    const executors = this.#executors();
    const items = (executors * AHEAD_MS) / LIMITS.canariesPerJobMax;
    this.#itemMs = Math.min(ITEM_MS_MAX, Math.max(ITEM_MS, Math.ceil(items)));
    this.#rounds = Math.min(LIMITS.canaryRoundsMax, Math.round(this.#itemMs * (await this.#roundsPerMs())));
    this.#isFeeding = true;
    this.#feeding = this.#feed();
  }

  /** Nothing new is handed in; what was goes on. */
  async end(): Promise<void> {
    this.stop();
    await this.#feeding;
  }

  /** The agent stops: the same, without waiting. */
  stop(): void {
    this.#isFeeding = false;
  }

  /** Every job that was begun, acknowledged or not, has ended. */
  isDone(): boolean {
    return this.#records().every(({ state }) => state !== "running");
  }

  /** Boxes that have recorded one. */
  hasRecordOf(node: NodeId): boolean {
    return this.#records().some(({ results }) => results.some((result) => result?.node === node));
  }

  /** Whether it is one of these that was recorded. */
  heard(jobId: JobId, item: number): boolean {
    if (!this.#parts.ledger.jobs.get(jobId)?.idempotencyKey.startsWith(this.#key)) return false;
    const name = `${jobId} ${item}`;
    this.#heard.set(name, (this.#heard.get(name) ?? 0) + 1);
    this.#firstHeardAtMs ??= this.#world.clock.monotonicMs();
    return true;
  }

  /** Counts what became of everything. To be called once all is done. */
  async check(): Promise<Checked> {
    const jobs = this.#records();
    const known = new Set(jobs.map(({ jobId }) => jobId));
    const jobsLost = [...this.#acknowledged].filter((jobId) => !known.has(jobId)).length;
    const results = jobs.flatMap((job) => job.results);
    const outputs = results.flatMap((result) => result?.output ?? []).filter(isBlobHash);
    const reachable = this.#parts.nodes().filter(({ isSelf, link }) => isSelf || (link && link.state !== "down"));
    const held = await this.#parts.blobAccess.whoHolds(
      outputs,
      reachable.map(({ nodeId }) => nodeId),
    );
    const isSafe = (output: BlobHash | undefined): boolean =>
      output !== undefined && (held.get(output)?.length ?? 0) > 0;
    const twice = [...this.#heard.values()].filter((times) => times > 1).length;
    return {
      items: results.length,
      repeated: jobs.map(repeatedIn).reduce((a, b) => a + b, 0),
      lost: results.filter((result) => !isSafe(result?.output)).length + jobsLost,
      recordedTwice: twice,
      ...(await this.#checkOutputs(jobs)),
    };
  }

  /** Nobody needs them any more. */
  async forget(): Promise<void> {
    const jobIds = this.#records().map(({ jobId }) => jobId);
    if (jobIds.length > 0) await this.#parts.proposer.propose({ kind: "jobsForgotten", jobIds });
  }

  #records(): JobRecord[] {
    return [...this.#parts.ledger.jobs.values()].filter((job) => job.idempotencyKey.startsWith(this.#key));
  }

  #executors(): number {
    const counts = this.#parts.nodes().map(({ report, presence }) => (presence === "fresh" ? report?.executors : 0));
    return Math.max(
      1,
      counts.reduce((a: number, b) => a + (b ?? 0), 0),
    );
  }

  #itemsPerMs(): number {
    const elapsedMs = this.#world.clock.monotonicMs() - (this.#firstHeardAtMs ?? Number.POSITIVE_INFINITY);
    return elapsedMs > PACE_MS ? this.#heard.size / elapsedMs : (UNMEASURED * this.#executors()) / this.#itemMs;
  }

  async #roundsPerMs(): Promise<number> {
    const { engine } = this.#world;
    if (engine.executors === 0) return ROUNDS_PER_MS;
    const input = writeCanaryInput({ rounds: PROBE_ROUNDS, seed: this.#key });
    const { durationMs } = await engine.run({ pipeline: PIPELINE, name: "canary", input, deadlineMs: PROBE_MS });
    return PROBE_ROUNDS / Math.max(durationMs, 1);
  }

  /** A refused submit is made again under its key: it is one job, whoever of two leaders took it. */
  async #feed(): Promise<void> {
    const { clock, telemetry } = this.#world;
    while (this.#isFeeding) {
      const wanted = Math.ceil(this.#itemsPerMs() * AHEAD_MS);
      const open = this.#records().reduce((sum, job) => sum + job.inputs.length - job.recordedCount, 0);
      if (open < wanted) {
        try {
          await this.#submit(Math.min(Math.ceil(wanted / 2), LIMITS.canariesPerJobMax));
          continue;
        } catch (error) {
          telemetry.log("debug", "canariesRefused", { reason: SkeinError.from(error).message });
        }
      }
      await delay(clock, LOOK_MS);
    }
  }

  async #submit(items: number): Promise<void> {
    const key = `${this.#key}/${this.#jobs}`;
    const inputs: JobInput[] = [];
    for (let from = 0; from < items; from += PUTS_AT_ONCE)
      inputs.push(
        ...(await Promise.all(
          Array.from({ length: Math.min(PUTS_AT_ONCE, items - from) }, (_, i) => this.#input(key, from + i)),
        )),
      );
    const { jobId } = await this.#parts.submit({ pipeline: PIPELINE, inputs, idempotencyKey: key });
    this.#acknowledged.add(jobId);
    this.#jobs++;
  }

  async #input(key: string, item: number): Promise<JobInput> {
    const bytes = writeCanaryInput({ rounds: this.#rounds, seed: `${key}/${item}` });
    const { hash } = await this.#world.blobs.put(bytes);
    return { name: `canary-${item}`, blob: hash, bytes: bytes.length };
  }

  /** Reads some outputs back from whoever holds them, and computes some of those anew on this box. */
  async #checkOutputs(jobs: readonly JobRecord[]): Promise<Pick<Checked, "wrong" | "outputsChecked">> {
    const all = jobs.flatMap((job) =>
      job.results.flatMap((result, item) =>
        result?.output ? [{ input: job.inputs[item]!, output: result.output }] : [],
      ),
    );
    const step = Math.max(1, Math.floor(all.length / READ_MAX));
    const sample = all.filter((_, i) => i % step === 0).slice(0, READ_MAX);
    let wrong = 0;
    for (const [i, { input, output }] of sample.entries())
      if (!(await this.#isRight(input, output, i < COMPUTED_MAX))) wrong++;
    return { wrong, outputsChecked: sample.length };
  }

  async #isRight(input: JobInput, output: BlobHash, isComputed: boolean): Promise<boolean> {
    const { engine } = this.#world;
    const { blobAccess, ledger } = this.#parts;
    try {
      const bytes = await blobAccess.read(output, ledger.holdersOf(output));
      if (readCanaryOutput(bytes).rounds !== this.#rounds) return false;
      if (!isComputed || engine.executors === 0) return true;
      const given = await blobAccess.read(input.blob, ledger.holdersOf(input.blob));
      const anew = await engine.run({ pipeline: PIPELINE, name: input.name, input: given, deadlineMs: PROBE_MS });
      return this.#world.sha256(anew.output) === output;
    } catch (error) {
      this.#world.telemetry.log("warn", "canaryUnreadable", { output, reason: SkeinError.from(error).message });
      return false;
    }
  }

  /** Lets everything end that was handed in. */
  untilDone(deadlineMs: number): Promise<boolean> {
    return eventually(this.#world.clock, deadlineMs, () => this.isDone());
  }
}

/** Items that were leased in vain before, or reported again after they were recorded. */
function repeatedIn({ results, ignoredReports, duplicatesIgnored }: JobRecord): number {
  const items = new Set(ignoredReports.map(({ item }) => item));
  for (const [item, result] of results.entries()) if ((result?.lostAttempts?.length ?? 0) > 0) items.add(item);
  return items.size + Math.max(0, duplicatesIgnored - ignoredReports.length);
}
