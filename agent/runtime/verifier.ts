import { INPUT_FAULTS, SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { BlobHash, FleetId, JobId, NodeId } from "../../shared/ids.ts";
import type { RecordedResult } from "../../shared/job.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { outputDifference } from "../../shared/same-output.ts";
import { signatureState } from "../../shared/statement.ts";
import type { Fault, VerifyPage, VerifyRequest } from "../../shared/verification.ts";
import type { JobRecord, Ledger } from "../core/ledger/index.ts";
import { type CopyPlace, copiesPossible } from "../core/replication/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import { type CheckedCopies, type CopyToCheck, checkCopies } from "./check-copies.ts";
import type { Peers } from "./peers.ts";
import type { KnownPipelines } from "./pipelines/segments.ts";
import { canRun } from "./pipelines/stage-figures.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";

export interface VerifierInit {
  fleetId: FleetId;
  ledger: Ledger;
  peers: Peers;
  proposer: Proposer;
  blobAccess: BlobAccess;
  places: () => CopyPlace[];
  nodes: () => NodeView[];
  pipelines: Pick<KnownPipelines, "compiled">;
}

/** Items computed again at a time: as many as there are boxes in a small fleet. */
const RECOMPUTES_AT_ONCE = 4;

/** Proves what the ledger says of a job, or says what is wrong: every copy read back where it lies, every signature, a sample computed again. */
export class Verifier {
  readonly #world: Surroundings;
  readonly #init: VerifierInit;

  constructor(world: Surroundings, init: VerifierInit) {
    this.#world = world;
    this.#init = init;
  }

  /** As many items as fit in a stretch of time; whoever asks goes on from there. */
  async verify(job: JobRecord, { fromItem = 0, recompute = 0 }: VerifyRequest): Promise<VerifyPage> {
    const { clock } = this.#world;
    const untilMs = clock.monotonicMs() + TIMING.verifyStretchMs;
    const page = emptyPage(job.jobId);
    const draw = new Draw(job, fromItem, recompute, () => this.#world.randomness.random());
    let item = fromItem;
    while (item < job.inputs.length && (item === fromItem || clock.monotonicMs() < untilMs)) {
      const batch = batchOf(job, item, draw);
      await this.#verifyCopies(job, batch.items, page);
      await this.#verifySignatures(job, batch.items, page);
      await Promise.all(batch.drawn.map((drawn, nth) => this.#recompute(job, drawn, nth, page)));
      page.itemsVerified += batch.items.length;
      item += batch.items.length;
    }
    page.faults.sort((a, b) => (a.item ?? -1) - (b.item ?? -1));
    return { ...page, ...(item < job.inputs.length ? { nextItem: item } : {}) };
  }

  async #verifyCopies(job: JobRecord, items: readonly number[], page: VerifyPage): Promise<void> {
    const copies = items.flatMap((item): CopyToCheck[] => {
      const { name, blob, bytes } = job.inputs[item]!;
      const { output, outputBytes } = job.results[item] ?? {};
      const input = { item, name, blob, bytes, of: "input" as const };
      return output ? [input, { item, name, blob: output, bytes: outputBytes!, of: "output" as const }] : [input];
    });
    const { ledger } = this.#init;
    const checked = await checkCopies(this.#init.peers, copies, (blob) => ledger.holdersOf(blob));
    // What a node was relieved of while it was read is no copy that is missing.
    for (const [blob, found] of checked.found)
      found.missing = found.missing.filter((node) => ledger.holdersOf(blob).includes(node));
    page.copiesSound += checked.copiesSound;
    page.bytesRead += checked.bytesRead;
    const wanted = copiesPossible(job.copies, this.#init.places());
    for (const copy of copies) page.faults.push(...copyFaults(copy, checked, wanted));
    addSilent(page, checked.silent);
    await this.#strike(checked);
  }

  /** Holders that hold no more are struck from the record, so that the leader has others made; never the last that is said to hold. */
  async #strike({ found }: CheckedCopies): Promise<void> {
    const changes = [...found]
      .map(([blob, { sound, damaged, missing }]) => ({ blob, sound, dropped: [...damaged, ...missing] }))
      .filter(({ sound, dropped }) => sound.length > 0 && dropped.length > 0)
      .map(({ blob, dropped }) => ({ blob, added: [], dropped }));
    if (changes.length === 0) return;
    try {
      await this.#init.proposer.propose({ kind: "holdersChanged", changes });
    } catch (error) {
      // Without a quorum; the next verification, or the leader's own scrub, finds it again.
      this.#world.telemetry.log("warn", "damageUnrecorded", { reason: SkeinError.from(error).message });
    }
  }

  async #verifySignatures(job: JobRecord, items: readonly number[], page: VerifyPage): Promise<void> {
    const verify = async (result: RecordedResult): Promise<void> => {
      const place = { fleetId: this.#init.fleetId, jobId: job.jobId, input: result.input };
      const state = await signatureState(place, result, (...asked) => this.#world.signer.verify(...asked));
      const of = { item: result.item, name: result.name, node: result.node };
      if (state === "valid") page.signaturesValid++;
      else if (state === "absent") page.faults.push({ what: "signatureAbsent", ...of, reason: "it is not signed" });
      else page.faults.push({ what: "signatureWrong", ...of, reason: "its signature does not fit it" });
    };
    await Promise.all(items.flatMap((item) => job.results[item] ?? []).map(verify));
  }

  async #recompute(job: JobRecord, result: RecordedResult, nth: number, page: VerifyPage): Promise<void> {
    const { item, name, input, node: maker } = result;
    const candidates = this.#candidates(job, result);
    const node = candidates[nth % candidates.length];
    if (!node) {
      const reason = "no other node is there that can run it";
      page.faults.push({ what: "recomputeFailed", item, name, node: maker, reason });
      return;
    }
    const question = { pipeline: job.pipeline, name, blob: input, from: this.#init.ledger.holdersOf(input) };
    const { peers } = this.#init;
    try {
      const asked = peers.ask(node, "recompute", question, { deadlineMs: TIMING.recomputeDeadlineMs });
      const answer = await asked.catch((error: unknown) => ({ error: SkeinError.from(error) }));
      const because =
        "error" in answer ? failureDifference(result, answer.error) : await this.#difference(job, result, answer);
      if (because) page.faults.push({ what: "recomputeDiffers", item, name, node, reason: because });
      else page.recomputed++;
      if (!because && "output" in answer && answer.output !== result.output) page.recomputedAlike++;
    } catch (error) {
      page.faults.push({ what: "recomputeFailed", item, name, node, reason: SkeinError.from(error).message });
    }
  }

  /** Never the node that made it; first those that hold the input. */
  #candidates(job: JobRecord, { node, input }: RecordedResult): NodeId[] {
    const holders = this.#init.ledger.holdersOf(input);
    const able = this.#init
      .nodes()
      .filter((one) => one.nodeId !== node && (one.isSelf || one.link?.state === "up"))
      .filter((one) => this.#canRun(one, job.pipeline));
    const isHolder = ({ nodeId }: NodeView): number => Number(holders.includes(nodeId));
    return able.sort((a, b) => isHolder(b) - isHolder(a)).map(({ nodeId }) => nodeId);
  }

  #canRun(node: NodeView, name: string): boolean {
    const pipeline = this.#init.pipelines.compiled(name);
    if (pipeline) return pipeline.stages.every((stage) => canRun(node, stage));
    return node.report?.rates.some((rate) => rate.pipeline === name) === true;
  }

  async #difference(
    job: JobRecord,
    { output, error, madeWith }: RecordedResult,
    again: { output: BlobHash; inline: Uint8Array; madeWith?: BlobHash },
  ): Promise<string | undefined> {
    if (!output) return `it failed there with ${error?.code}, and did not here`;
    if (again.output === output) return undefined;
    if (again.inline.length === 0) return "its bytes are others, and too many to be looked into";
    const recorded = await this.#init.blobAccess.read(output, this.#init.ledger.holdersOf(output));
    const difference = outputDifference(job.pipeline, recorded, again.inline);
    const isOther = madeWith !== undefined && again.madeWith !== madeWith;
    return difference && `${difference}${isOther ? "; it was made by another version of the pipeline" : ""}`;
  }
}

/** An input that cannot be read fails everywhere alike. @throws what says nothing of the item */
function failureDifference({ error: recorded }: RecordedResult, error: SkeinError): string | undefined {
  if (!INPUT_FAULTS.includes(error.code)) throw error;
  return recorded?.code === error.code ? undefined : `it fails with ${error.code}`;
}

const emptyPage = (jobId: JobId): VerifyPage => ({
  jobId,
  itemsVerified: 0,
  copiesSound: 0,
  bytesRead: 0,
  signaturesValid: 0,
  recomputed: 0,
  recomputedAlike: 0,
  faults: [],
});

/** Draws items by chance as they come by, each set of them as likely as any other (Knuth, The Art of Computer Programming 2, 3.4.2 S). */
class Draw {
  readonly #job: JobRecord;
  readonly #random: () => number;
  #left: number;
  #drawn = 0;
  readonly #wanted: number;

  constructor(job: JobRecord, fromItem: number, wanted: number, random: () => number) {
    this.#job = job;
    this.#random = random;
    this.#left = job.results.slice(fromItem).filter(canRecompute).length;
    this.#wanted = Math.min(wanted, this.#left);
  }

  /** Asked once for each item, in order. */
  take(item: number): RecordedResult | undefined {
    const result = this.#job.results[item];
    if (!canRecompute(result)) return undefined;
    const isDrawn = this.#random() * this.#left < this.#wanted - this.#drawn;
    this.#left--;
    if (isDrawn) this.#drawn++;
    return isDrawn ? result : undefined;
  }
}

/** Whatever a node made of its input; not what a node's own trouble made of it. */
const canRecompute = (result: RecordedResult | undefined): result is RecordedResult =>
  result !== undefined && (result.error === undefined || INPUT_FAULTS.includes(result.error.code));

/** As many items as go into one check request of each holder, and one round of computing. */
function batchOf(job: JobRecord, from: number, draw: Draw): { items: number[]; drawn: RecordedResult[] } {
  const batch = { items: [] as number[], drawn: [] as RecordedResult[] };
  let bytes = 0;
  for (let item = from; item < job.inputs.length; item++) {
    bytes += job.inputs[item]!.bytes + (job.results[item]?.outputBytes ?? 0);
    const isFull = bytes > LIMITS.checkBytesMax || 2 * batch.items.length + 2 > LIMITS.checkBlobsMax;
    if (batch.items.length > 0 && (isFull || batch.drawn.length >= RECOMPUTES_AT_ONCE)) break;
    batch.items.push(item);
    const drawn = draw.take(item);
    if (drawn) batch.drawn.push(drawn);
  }
  return batch;
}

function copyFaults({ item, name, blob, of }: CopyToCheck, { found }: CheckedCopies, wanted: number): Fault[] {
  const { sound, damaged, missing, silent } = found.get(blob)!;
  const at = (what: "copyDamaged" | "copyMissing", reason: string) => (node: NodeId) =>
    ({ what, item, name, node, blob, reason }) as Fault;
  const faults = [
    ...damaged.map(at("copyDamaged", `its copy of the ${of} is damaged`)),
    ...missing.map(at("copyMissing", `it has no copy of the ${of} any more`)),
  ];
  if (sound.length === 0)
    faults.push({ what: "blobLost", item, name, blob, reason: `no sound copy of the ${of} was found` });
  else if (faults.length === 0 && silent.length === 0 && sound.length < wanted)
    faults.push({ what: "copiesShort", item, name, blob, reason: `the ${of} has ${sound.length} of ${wanted} copies` });
  return faults;
}

/** Once for each node, however many copies it holds. */
function addSilent(page: VerifyPage, silent: ReadonlyMap<NodeId, string>): void {
  for (const [node, reason] of silent)
    if (!page.faults.some((fault) => fault.what === "holderSilent" && fault.node === node))
      page.faults.push({ what: "holderSilent", node, reason });
}
