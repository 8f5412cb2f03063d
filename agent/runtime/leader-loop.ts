import { type ErrorBody, type ErrorCode, INPUT_FAULTS, SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { JobId, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Answer } from "../../shared/peer-requests.ts";
import type { Plan } from "../../shared/plan.ts";
import type { ReportedResult } from "../../shared/wire/results.ts";
import { Dispatch, type DispatchEffect, type DispatchEvent, type DispatchNode } from "../core/dispatch/index.ts";
import { type JobRecord, type Ledger, type LedgerEvent, unrecordedItems } from "../core/ledger/index.ts";
import { planJob } from "../core/planner/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import type { Peers } from "./peers.ts";
import type { Proposer } from "./proposer.ts";
import { Recorder } from "./recorder.ts";
import type { Surroundings } from "./surroundings.ts";
import { within } from "./waiting.ts";

/** How long a new leader waits for the workers' word on what they hold before it leases that to others. */
const HOLDING_MS = 400;
const LEASE_DEADLINE_MS = 3_000;
/** What a worker could not begin for want of something that may come back; tried again until it does. */
const NOT_NOW: readonly ErrorCode[] = ["BLOB_MISSING", "BLOB_HASH_MISMATCH", "DISK_FULL", "EXECUTORS_BUSY"];
const TICK_MS = 250;
/** Before a failure that could not be recorded is offered again. */
const GIVE_UP_RETRY_MS = 1_000;

export interface LeaderInit {
  term: number;
  ledger: Ledger;
  proposer: Proposer;
  peers: Peers;
  events: Events;
  nodes: () => NodeView[];
}

/**
 * What a leader does in one term: plans, leases, takes back, records. All of it lives in memory and dies with the term;
 * the next leader builds its own from the ledger and the workers' word.
 */
export class LeaderLoop {
  readonly #world: Surroundings;
  readonly #init: LeaderInit;
  readonly #dispatch: Dispatch;
  readonly #recorder: Recorder;
  readonly #plans = new Map<JobId, Plan>();
  /** Why an item failed last on a node, until it is given up or done. */
  readonly #faults = new Map<string, { result: ReportedResult; error: ErrorBody }>();
  #taking = false;
  readonly #begun = Promise.withResolvers<void>();
  #ended = false;
  #ticking: Cancel = () => {};

  constructor(world: Surroundings, init: LeaderInit) {
    this.#world = world;
    this.#init = init;
    this.#dispatch = new Dispatch(init.term);
    this.#recorder = new Recorder(init.proposer, init.term, () => init.ledger.appliedIndex);
  }

  /** Asks every worker what it holds, then takes the work over. */
  async begin(): Promise<void> {
    const peers = this.#init.nodes().filter((node) => node.isSelf || isReachable(node));
    const answers = await Promise.all(peers.map(async (node) => ({ node, held: await this.#askHolding(node.nodeId) })));
    if (this.#ended) return;
    // Nobody is eligible until every held shard is known, or running work would be leased a second time.
    const workers = this.#workers();
    this.#step({ kind: "nodesChanged", nodes: workers.map((worker) => ({ ...worker, eligible: false })) });
    for (const job of this.#init.ledger.openJobs()) this.#open(job);
    for (const { node, held } of answers)
      for (const shard of held) this.#step({ kind: "shardHeld", node: node.nodeId, ...shard });
    this.#taking = true;
    this.#begun.resolve();
    this.fleetChanged();
    this.#ticking = this.#world.clock.every(TICK_MS, () => this.#step({ kind: "ticked" }));
  }

  end(): void {
    this.#ended = true;
    this.#begun.resolve();
    this.#ticking();
  }

  fleetChanged(): void {
    if (this.#taking) this.#step({ kind: "nodesChanged", nodes: this.#workers() });
  }

  ledgerMoved(event: LedgerEvent): void {
    if (!this.#taking) return;
    if (event.kind === "jobSubmitted") this.#open(event.job);
    if (event.kind === "jobEnded") this.#close(event.job);
    if (event.kind === "resultsRecorded") {
      const jobId = event.job.jobId;
      for (const { item, node } of event.results) {
        this.#faults.delete(`${jobId} ${item}`);
        this.#step({ kind: "itemsRecorded", jobId, items: [item], node });
      }
    }
  }

  /**
   * A worker's results. Faults of the input are results like any other; faults of the node send the item to another node.
   * Answered once all that was worth recording is recorded.
   */
  async takeReport(from: NodeId, results: ReportedResult[]): Promise<Answer<"report">> {
    await this.#begun.promise;
    if (this.#ended) throw new SkeinError("NO_LEADER");
    const worthRecording: ReportedResult[] = [];
    for (const result of results) {
      if (result.node !== from) throw new SkeinError("FRAME_INVALID", { peer: from, reason: "it reports for another" });
      if (result.error && !INPUT_FAULTS.includes(result.error.code)) this.#blame(result, result.error);
      else worthRecording.push(result);
    }
    for (const { jobId, node, durationMs, error } of worthRecording)
      if (!error) this.#step({ kind: "itemReported", jobId, node, durationMs });
    return { recordedAtIndex: await this.#recorder.record(worthRecording) };
  }

  news(jobId: JobId): Answer<"jobNews"> {
    const leased = this.#init
      .nodes()
      .map(({ nodeId }) => ({ nodeId, items: this.#dispatch.table.itemsLeasedTo(nodeId, jobId) }));
    const plan = this.#plans.get(jobId);
    return { ...(plan ? { plan } : {}), leased };
  }

  /** Items in a node's hands, by this leader's table. @throws NO_LEADER until the table is whole */
  workAt(nodeId: NodeId): number {
    if (!this.#taking) throw new SkeinError("NO_LEADER");
    return this.#dispatch.table.itemsLeasedTo(nodeId);
  }

  assertSound(): void {
    this.#dispatch.assertSound();
  }

  async #askHolding(node: NodeId): Promise<Answer<"holding">["shards"]> {
    const question = { term: this.#init.term };
    const asked = this.#init.peers.ask(node, "holding", question, { deadlineMs: HOLDING_MS });
    const answer = await within(this.#world.clock, HOLDING_MS, asked).catch(() => undefined);
    if (!answer) this.#init.events.emit("workerSilent", { node, reason: "it did not say what it holds" }, "warn");
    return answer?.shards ?? [];
  }

  #workers(): DispatchNode[] {
    return this.#init
      .nodes()
      .filter((node) => node.report && (node.isSelf || isReachable(node)))
      .map((node) => ({
        nodeId: node.nodeId,
        name: node.name,
        executors: node.report!.executors,
        rates: new Map(node.report!.rates.map((rate) => [rate.pipeline, rate.itemsPerSecond])),
        eligible: whyNotEligible(node) === undefined,
      }));
  }

  #open(job: JobRecord): void {
    const items = unrecordedItems(job);
    this.#plan(job, items.length);
    this.#step({ kind: "jobOpened", jobId: job.jobId, pipeline: job.pipeline, items });
  }

  #close(job: JobRecord): void {
    this.#plans.delete(job.jobId);
    this.#step({ kind: "jobClosed", jobId: job.jobId, because: `the job is ${job.state}` });
  }

  #plan(job: JobRecord, items: number): void {
    const nodes = this.#init.nodes().map((node) => {
      const whyNot = whyNotEligible(node);
      return {
        nodeId: node.nodeId,
        name: node.name,
        itemsPerSecond: node.report?.rates.find((rate) => rate.pipeline === job.pipeline)?.itemsPerSecond ?? 0,
        overheadMs: node.isSelf ? 0 : 2 * (node.link?.rttMs ?? 0),
        itemsQueued: this.#dispatch.table.itemsLeasedTo(node.nodeId),
        eligible: whyNot === undefined,
        ...(whyNot ? { whyNot } : {}),
      };
    });
    const nowMs = this.#world.clock.nowMs();
    const plan = planJob({ jobId: job.jobId, term: this.#init.term, nowMs, items, nodes });
    this.#plans.set(job.jobId, plan);
    this.#init.events.emit("jobPlanned", { jobId: job.jobId, items, summary: plan.summary });
  }

  #blame(result: ReportedResult, error: ErrorBody): void {
    const { jobId, item, node } = result;
    this.#faults.set(`${jobId} ${item}`, { result, error });
    const kind = NOT_NOW.includes(error.code) ? "itemDelayed" : "itemFailed";
    this.#init.events.emit(kind, { jobId, item, node, code: error.code, reason: error.message }, "warn");
    this.#step({ kind, jobId, item, node });
  }

  #step(event: DispatchEvent): void {
    if (this.#ended) return;
    for (const effect of this.#dispatch.step(event, this.#world.clock.monotonicMs())) this.#carryOut(effect);
  }

  #carryOut(effect: DispatchEffect): void {
    switch (effect.kind) {
      case "leaseShard":
        return void this.#lease(effect);
      case "takeBackShard":
        return void this.#takeBack(effect);
      case "giveUpItem":
        return void this.#giveUp(effect.jobId, effect.item);
    }
  }

  async #lease(effect: DispatchEffect & { kind: "leaseShard" }): Promise<void> {
    const job = this.#init.ledger.jobs.get(effect.jobId);
    if (!job) return;
    const { shardId, jobId, node, because, isHedge } = effect;
    const items = effect.items.flatMap((item) => {
      const input = job.inputs[item];
      return input ? [{ item, ...input }] : [];
    });
    const inputHolders = this.#init.ledger.holdersOf(items[0]!.blob);
    const lease = {
      term: this.#init.term,
      shardId,
      jobId,
      pipeline: job.pipeline,
      items,
      inputHolders,
      copies: job.copies,
    };
    this.#init.events.emit("shardLeased", { shardId, node, items: items.length, because, isHedge }, "debug");
    try {
      const answer = await this.#init.peers.ask(node, "lease", lease, { deadlineMs: LEASE_DEADLINE_MS });
      if (!answer.accepted) throw new SkeinError("PEER_BUSY", { peer: node, reason: answer.reason });
    } catch (error) {
      const reason = SkeinError.from(error).message;
      this.#init.events.emit("leaseRefused", { shardId, node, reason }, "warn");
      this.#step({ kind: "leaseRefused", shardId, because: reason });
    }
  }

  async #takeBack(effect: DispatchEffect & { kind: "takeBackShard" }): Promise<void> {
    const { shardId, jobId, node, items, because } = effect;
    if (items > 0) this.#init.events.emit("shardTakenBack", { shardId, jobId, node, items, because });
    const question = { term: this.#init.term, shardIds: [shardId], because };
    // A node that cannot be told is gone or will learn from a recorded no-op; its work is not waited for.
    await this.#init.peers.ask(node, "takeBack", question).catch((error: unknown) => {
      this.#world.telemetry.log("debug", "takeBackUntold", { shardId, node, reason: SkeinError.from(error).message });
    });
  }

  async #giveUp(jobId: JobId, item: number): Promise<void> {
    const fault = this.#faults.get(`${jobId} ${item}`);
    if (!fault) return;
    try {
      await this.#recorder.record([{ ...fault.result, error: fault.error }]);
    } catch (error) {
      this.#world.telemetry.log("warn", "failureUnrecorded", { jobId, item, reason: SkeinError.from(error).message });
      // Still this node's to settle, if it still leads; without a quorum the next try would fail at once, so it waits.
      this.#world.clock.after(GIVE_UP_RETRY_MS, () =>
        this.#step({ kind: "itemFailed", jobId, item, node: fault.result.node }),
      );
    }
  }
}

const isReachable = (node: NodeView): boolean => node.link !== undefined && node.link.state !== "down";

/** Why a node gets no new work, as the end of a sentence; undefined if it does. */
function whyNotEligible(node: NodeView): string | undefined {
  const { report, presence, role } = node;
  if (role === "witness") return "it only votes";
  if (node.leaving) return "it is leaving the fleet";
  if (node.drained) return "it is drained";
  if (!report) return "nothing was heard of it yet";
  if (presence !== "fresh") return `it is ${presence}`;
  if (report.vitals.diskFreeBytes < LIMITS.diskFreeBytesMin) return "its disk is nearly full";
  if (report.vitals.throttled) return "it is too hot";
  return undefined;
}
