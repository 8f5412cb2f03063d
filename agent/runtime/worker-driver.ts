import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, FleetId, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Carried, HeldShard, Lease } from "../../shared/peer-requests.ts";
import { isGoingOn } from "../../shared/pipeline/segment.ts";
import type { CopyPlace } from "../core/replication/index.ts";
import {
  type FinishedResult,
  type OutputToCopy,
  Worker,
  type WorkerEffect,
  type WorkerEvent,
} from "../core/worker/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { BlobAccess, BlobToCopy } from "./blob-access.ts";
import type { Events } from "./events.ts";
import { copyOutputs } from "./output-copies.ts";
import { OwnRates } from "./own-rates.ts";
import type { Peers } from "./peers.ts";
import { type KnownPipelines, Segments } from "./pipelines/segments.ts";
import { StageTimes } from "./pipelines/stage-times.ts";
import { StageTimesNote } from "./pipelines/stage-times-note.ts";
import { TaskInputs } from "./pipelines/task-inputs.ts";
import { ResultSigner } from "./proof.ts";
import { SmallInHand } from "./small-in-hand.ts";
import type { Surroundings } from "./surroundings.ts";
import { WorkerMemory } from "./worker-memory.ts";

/** Results that wait for their copies are told of this often, not at each try. */
const WAITING_TOLD_MS = 10_000;
/** How often paused copies and reports are looked at. */
const TICK_MS = 100;
/** How often results that are not recorded yet, and rates, are looked at to be noted. */
const MEMORY_MS = 1_000;
/** A report waits for a commit: longer than an election, shorter than a person would. */
const REPORT_DEADLINE_MS = 8_000;

export interface WorkerInit {
  fleetId: FleetId;
  blobAccess: BlobAccess;
  peers: Peers;
  events: Events;
  /** By this node's own ledger; none without one. */
  holdersOf: (blob: BlobHash) => NodeId[];
  pipelines: KnownPipelines;
  /** The leader now, if any is known. */
  leader: () => NodeId | undefined;
  /** The latest term that this node's own log heard of; 0 without a log. */
  term: () => number;
  /** The leader did not take a report: it may not lead any more. */
  doubtLeader: () => void;
  /** The ledger here has this very result. */
  isRecorded: (result: FinishedResult) => boolean;
  /** Where copies may go: every node that counts, this one included. */
  places: () => CopyPlace[];
  /** Items a second of one executor of a pipeline that was not measured here yet. */
  guess: (pipeline: string) => number | undefined;
  /** This node's figures changed enough to be told. */
  onRateChange: () => void;
}

/** Carries out what `core/worker` decides: fetches, runs, stores, copies, reports; every effect comes home as an event. */
export class WorkerDriver {
  readonly #world: Surroundings;
  readonly #init: WorkerInit;
  readonly #worker: Worker;
  readonly inHand: SmallInHand;
  readonly signer: ResultSigner;
  readonly #memory: WorkerMemory;
  readonly rates: OwnRates;
  readonly stageTimes: StageTimes;
  readonly #stageTimesNote: StageTimesNote;
  readonly segments: Segments;
  readonly #inputs: TaskInputs;
  #ticking: Cancel = () => {};
  #looking: Cancel = () => {};
  #stopped = false;
  #toldWaitingAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: Surroundings, init: WorkerInit) {
    this.#world = world;
    this.#init = init;
    this.#worker = new Worker(world.network.self, world.engine.executors, (pipeline) => this.#atOnce(pipeline));
    this.inHand = new SmallInHand(world, init);
    this.segments = new Segments(world.engine, init.pipelines);
    this.signer = new ResultSigner(world, init.fleetId, (name) => this.segments.pipelineOf(name));
    const { signer } = this;
    const memory = new WorkerMemory(world, signer);
    this.#memory = memory;
    const { guess, onRateChange: onChange } = init;
    this.stageTimes = new StageTimes(onChange);
    this.#stageTimesNote = new StageTimesNote(world, this.stageTimes);
    this.#inputs = new TaskInputs({ ...init, clock: world.clock, inHand: this.inHand });
    const isOfStages = (name: string): boolean => this.segments.has(name);
    this.rates = new OwnRates(world, { signer, memory, guess, onChange, isOfStages });
    init.peers.answer("lease", async (_from, { contents, ...lease }) => this.#accept(lease, contents && { contents }));
    init.peers.answer("takeBack", async (_from, { term, shardIds }) => {
      if (!this.#worker.fence(term, init.term())) this.#step({ kind: "takenBack", shardIds });
      return {};
    });
    init.peers.answer("holding", async (_from, { term }) => ({ shards: this.#worker.adopt(term) }));
  }

  /** Takes up what an earlier life had finished and could not hand in, and what it measured; to be called before a leader asks what is held. */
  async recall(): Promise<void> {
    await this.#stageTimesNote.recall();
    const remembered = await this.#memory.results();
    for (const { lease, result } of remembered) this.#step({ kind: "remembered", lease, result });
    if (remembered.length > 0) this.#init.events.emit("resultsRemembered", { results: remembered.length });
  }

  start(): void {
    this.#looking = this.#world.clock.every(MEMORY_MS, () => {
      if (this.#stopped) return;
      void this.#memory.look(this.#worker.finished(), this.rates.measured());
      void this.#stageTimesNote.look();
    });
    this.#ticking = this.#world.clock.every(TICK_MS, () => {
      if (this.#worker.itemsQueued > 0) this.#step({ kind: "ticked" });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#ticking();
    this.#looking();
  }

  /** Called when a leader is known anew. */
  leaderKnown(): void {
    if (this.#worker.itemsQueued > 0) this.#step({ kind: "leaderKnown" });
  }

  held(): HeldShard[] {
    return this.#worker.held();
  }

  get itemsQueued(): number {
    return this.#worker.itemsQueued;
  }

  /** Whether any work of this pipeline is in hand. */
  holds(pipeline: string): boolean {
    return this.#worker.holds(pipeline);
  }

  async #accept(lease: Lease, carried: Carried = {}): Promise<{ accepted: boolean; reason: string }> {
    const known = this.#init.term();
    const refusal = await this.#refusal(lease);
    const reason = refusal ?? this.#worker.fence(lease.term, Math.max(known, this.#init.term()));
    if (reason) return { accepted: false, reason };
    this.inHand.take(carried);
    this.#step({ kind: "leased", lease });
    return { accepted: true, reason: "" };
  }

  async #refusal(lease: Lease): Promise<string | undefined> {
    if (this.#stopped) return "it is stopping";
    await this.segments.ready(lease.pipeline);
    if (!this.#world.engine.pipelines().some((pipeline) => pipeline.name === lease.pipeline))
      return `it has no pipeline ${lease.pipeline}`;
    if (this.#worker.itemsQueued + lease.items.length > LIMITS.jobItemsMax) return "its queue is full";
    if ((await this.#world.blobs.freeBytes()) < LIMITS.diskFreeBytesMin) return "its disk is full";
    return undefined;
  }

  #step(event: WorkerEvent): void {
    if (this.#stopped) return;
    const { clock } = this.#world;
    for (const effect of this.#worker.step(event, clock.monotonicMs(), clock.nowMs())) void this.#carryOut(effect);
  }

  async #carryOut(effect: WorkerEffect): Promise<void> {
    switch (effect.kind) {
      case "fetchInput":
        return this.#fetchInput(effect);
      case "runItem":
        return this.#runItem(effect);
      case "copyOutputs":
        return this.#copyOutputs(effect);
      case "reportResults":
        return this.#report(effect.results);
    }
  }

  async #fetchInput({ jobId, item, from }: WorkerEffect & { kind: "fetchInput" }): Promise<void> {
    try {
      await this.#inputs.fetch(item, from);
      this.#step({ kind: "inputReady", jobId, item: item.item });
    } catch (error) {
      this.#step({ kind: "inputFailed", jobId, item: item.item, error: SkeinError.from(error).toJSON() });
    }
  }

  async #runItem({ jobId, item, pipeline, itemDeadlineMs }: WorkerEffect & { kind: "runItem" }): Promise<void> {
    const { clock, engine, blobs } = this.#world;
    const startedAtMs = clock.monotonicMs();
    try {
      const started = await this.#inputs.of(item);
      const segment = await this.segments.ready(pipeline);
      const deadlineMs = itemDeadlineMs ?? this.rates.deadlineMs(pipeline);
      const outcome = await engine.run({ pipeline, name: item.name, ...started, deadlineMs });
      const { durationMs, elements } = outcome;
      if (segment) this.stageTimes.learn(segment, outcome);
      else this.rates.learn(pipeline, durationMs);
      this.#step({ kind: "runEnded", jobId, item: item.item, durationMs });
      const { hash, bytes } = await blobs.put(outcome.output);
      this.inHand.keep(hash, outcome.output);
      const stored = { output: hash, outputBytes: bytes, durationMs, ...(elements && { elements }) };
      this.#step({ kind: "outputStored", jobId, item: item.item, ...stored });
    } catch (error) {
      const durationMs = clock.monotonicMs() - startedAtMs;
      this.#step({ kind: "runFailed", jobId, item: item.item, error: SkeinError.from(error).toJSON(), durationMs });
    }
  }

  /** A result counts only once enough boxes hold it. Until then it is kept and the copy tried again: never fewer, to go on. */
  async #copyOutputs({ outputs, copies }: WorkerEffect & { kind: "copyOutputs" }): Promise<void> {
    const group = [...new Map(outputs.map((one) => [one.output, this.#toCopy(one)])).values()];
    const wish = { copies, places: this.#init.places() };
    const { holders, wanted, made, reason } = await copyOutputs(this.#world, this.#init.blobAccess, group, wish);
    const copied = outputs.filter(({ output }) => made(output) >= wanted);
    const short = outputs.filter(({ output }) => made(output) < wanted);
    if (copied.length > 0)
      this.#step({
        kind: "outputsCopied",
        outputs: copied.map(({ jobId, item, output }) => ({ jobId, item, holders: [...holders.get(output)!] })),
      });
    if (short.length === 0) return;
    this.#tellWaiting(made(short[0]!.output), wanted, reason);
    this.#step({ kind: "copiesFailed", outputs: short.map(({ jobId, item }) => ({ jobId, item })) });
  }

  #toCopy({ output, bytes }: OutputToCopy): BlobToCopy {
    const content = this.inHand.kept(output);
    return { hash: output, bytes, ...(content && { content }) };
  }

  #tellWaiting(made: number, wanted: number, reason: string): void {
    const nowMs = this.#world.clock.monotonicMs();
    if (nowMs - this.#toldWaitingAtMs < WAITING_TOLD_MS) return;
    this.#toldWaitingAtMs = nowMs;
    this.#init.events.emit("copiesWaiting", { made, wanted, reason }, "warn");
  }

  /** Items that fill all executors of a pipeline that runs in batches; nothing of one that does not. */
  #atOnce(pipeline: string): number {
    const { engine } = this.#world;
    const info = engine.pipelines().find(({ name }) => name === pipeline);
    return (info?.batch ?? 1) > 1 ? (info?.executors ?? engine.executors) * info!.batch! : 0;
  }

  async #report(reported: FinishedResult[]): Promise<void> {
    // A leader that died after it had recorded them, or an earlier life of this node that did not come to know.
    const recorded = reported.filter((result) => this.#init.isRecorded(result));
    if (recorded.length > 0) this.#step({ kind: "resultsRecorded", results: recorded });
    const results = reported.filter((result) => !recorded.includes(result));
    if (results.length === 0) return;
    try {
      const leader = this.#init.leader();
      if (!leader) throw new SkeinError("NO_LEADER");
      const going = results.flatMap(({ output, pipeline }) => (output && isGoingOn(pipeline) ? [output] : []));
      const signed = results.map((result) => this.signer.signed(result));
      const bases = results.map(({ basis }) => basis);
      const based = bases.some(Boolean) && { bases };
      const question = { results: signed, ...based, ...this.inHand.carry(going) };
      await this.#init.peers.ask(leader, "report", question, { deadlineMs: REPORT_DEADLINE_MS });
      this.#step({ kind: "resultsRecorded", results });
    } catch (error) {
      this.#init.doubtLeader();
      this.#world.telemetry.log("debug", "reportDelayed", { reason: SkeinError.from(error).message });
      this.#step({ kind: "reportFailed", results });
    }
  }
}
