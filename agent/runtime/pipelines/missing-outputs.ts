import { type ErrorBody, SkeinError } from "../../../shared/errors.ts";
import { type BlobHash, isBlobHash, type JobId } from "../../../shared/ids.ts";
import { type JobRecord, type Ledger, taskParts } from "../../core/ledger/index.ts";
import { checkCopies } from "../check-copies.ts";
import type { Events } from "../events.ts";
import type { Peers } from "../peers.ts";
import type { Proposer } from "../proposer.ts";
import type { Surroundings } from "../surroundings.ts";

/** Times that one result is made again because the box that made it is there and has it no more: a disk that loses it so often will do so again. */
export const STAGE_OUTPUT_LOSSES_MAX = 3;
/** Before holders that said they have it are asked again: each reads all of it for that. */
const ASK_AGAIN_MS = 5_000;

export interface MissingOutputsInit {
  ledger: Ledger;
  peers: Peers;
  proposer: Proposer;
  events: Events;
}

/**
 * While this node leads: what a stage made and a task could not get. Its holders read it back, and those that have it no more
 * are struck from the record, so that what nobody holds counts as lost; never by the word of the one that asked for it alone.
 */
export class MissingOutputs {
  readonly #world: Surroundings;
  readonly #init: MissingOutputsInit;
  /** When holders were asked last, by job and blob. */
  readonly #askedAtMs = new Map<string, number>();
  /** By stage job and place. */
  readonly #losses = new Map<string, number>();

  constructor(world: Surroundings, init: MissingOutputsInit) {
    this.#world = world;
    this.#init = init;
  }

  /** A task could not be begun, or not go on. Which segment made what it misses, if that was lost too often to be made again. */
  missed({ jobId, item }: { jobId: JobId; item: number }, error: ErrorBody): string | undefined {
    const { ledger } = this.#init;
    const blob = blobNamed(error);
    const job = ledger.jobs.get(jobId);
    const parts = (blob && job && taskParts(ledger, job, item)) ?? [];
    const part = parts.find((one) => one.kind === "values" && one.blob === blob);
    if (!blob || !job || part?.kind !== "values") return undefined;
    const maker = this.#hopelessMaker(job, blob);
    if (maker !== undefined) return maker;
    const whole = job.parent?.jobId ?? jobId;
    void this.#ask(whole, { item, name: job.inputs[item]!.name, blob, bytes: part.bytes });
    return undefined;
  }

  /** A result was taken back though the box that made it is there. */
  lost(stage: JobRecord, place: number): void {
    const key = keyOf(stage, place);
    this.#losses.set(key, (this.#losses.get(key) ?? 0) + 1);
  }

  /** Not to be made again. */
  isHopeless(stage: JobRecord, place: number): boolean {
    return (this.#losses.get(keyOf(stage, place)) ?? 0) >= STAGE_OUTPUT_LOSSES_MAX;
  }

  close(jobId: JobId): void {
    for (const kept of [this.#askedAtMs, this.#losses])
      for (const key of kept.keys()) if (key.includes(jobId)) kept.delete(key);
  }

  #hopelessMaker(job: JobRecord, blob: BlobHash): string | undefined {
    if (this.#losses.size === 0) return undefined;
    const stages = this.#init.ledger.stagingOf(job)?.staging.stages ?? [];
    const isHopeless = (stage: JobRecord): boolean =>
      stage.results.some((result, place) => result?.output === blob && this.isHopeless(stage, place));
    return stages.find(isHopeless)?.pipeline;
  }

  async #ask(jobId: JobId, wanted: { item: number; name: string; blob: BlobHash; bytes: number }): Promise<void> {
    const { ledger, peers, proposer, events } = this.#init;
    const { clock, telemetry } = this.#world;
    const { blob } = wanted;
    const key = `${jobId} ${blob}`;
    if (clock.monotonicMs() - (this.#askedAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < ASK_AGAIN_MS) return;
    this.#askedAtMs.set(key, clock.monotonicMs());
    const { found } = await checkCopies(peers, [{ ...wanted, of: "output" }], (hash) => ledger.holdersOf(hash));
    const { damaged, missing } = found.get(blob)!;
    const dropped = [...damaged, ...missing];
    if (dropped.length === 0) return;
    events.emit("stageOutputMissing", { jobId, blob, damaged, missing }, "warn");
    await proposer
      .propose({ kind: "holdersChanged", changes: [{ blob, added: [], dropped }] })
      .catch((error: unknown) => {
        telemetry.log("warn", "damageUnrecorded", { reason: SkeinError.from(error).message });
      });
  }
}

/** Which one a worker could not get, by its error. */
function blobNamed({ code, facts }: ErrorBody): BlobHash | undefined {
  const named = code === "BLOB_MISSING" ? facts.hash : code === "BLOB_HASH_MISMATCH" ? facts.expected : undefined;
  return isBlobHash(named) ? named : undefined;
}

const keyOf = ({ jobId }: JobRecord, place: number): string => `${jobId} ${place}`;
