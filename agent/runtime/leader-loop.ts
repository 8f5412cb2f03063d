import { type ErrorBody, INPUT_FAULTS, SkeinError } from "../../shared/errors.ts";
import type { NodeView, PredictionError } from "../../shared/fleet.ts";
import type { JobId, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Answer, HeldShard, Question } from "../../shared/peer-requests.ts";
import type { ReportedResult } from "../../shared/wire/results.ts";
import { Dispatch, type DispatchEffect, type DispatchEvent } from "../core/dispatch/index.ts";
import {
  type JobRecord,
  type Ledger,
  type LedgerEvent,
  openItems,
  runsAs,
  type SomeTasks,
  unrecordedItems,
} from "../core/ledger/index.ts";
import type { Cancel } from "../ports/index.ts";
import { transfersOf } from "./candidates.ts";
import type { Events } from "./events.ts";
import { ItemFaults } from "./item-faults.ts";
import { JobExpiry } from "./job-expiry.ts";
import { JobPlanning } from "./job-planning.ts";
import { leaderStory } from "./leader-story.ts";
import { LeaseSending, type LeaseSendingInit } from "./lease-sending.ts";
import { dispatchEventsOf, recordsOf } from "./ledger-dispatch.ts";
import { withLostAttempts } from "./lost-attempts.ts";
import type { Peers } from "./peers.ts";
import { homesOf } from "./pipelines/input-homes.ts";
import type { KnownPipelines } from "./pipelines/segments.ts";
import { StagedJobs } from "./pipelines/staged-jobs.ts";
import { proofFault } from "./proof.ts";
import type { Proposer } from "./proposer.ts";
import { Recorder } from "./recorder.ts";
import type { SmallInHand } from "./small-in-hand.ts";
import type { Surroundings } from "./surroundings.ts";
import { within } from "./waiting.ts";
import { isReachable } from "./workers.ts";
import { Workforce } from "./workforce.ts";

/** How long a new leader waits for the workers' word on what they hold before it leases that to others. */
const HOLDING_MS = 400;
const TICK_MS = 250;

export interface LeaderInit {
  term: number;
  ledger: Ledger;
  proposer: Proposer;
  peers: Peers;
  events: Events;
  pipelines: KnownPipelines;
  inHand: SmallInHand;
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
  readonly #sending: LeaseSending;
  readonly #sinceMs: number;
  readonly #planning: JobPlanning;
  readonly #workforce: Workforce;
  readonly #expiry: JobExpiry;
  readonly #faults: ItemFaults;
  readonly #staged: StagedJobs;
  #taking = false;
  readonly #begun = Promise.withResolvers<void>();
  #ended = false;
  #ticking: Cancel = () => {};

  constructor(world: Surroundings, init: LeaderInit) {
    this.#world = world;
    this.#init = init;
    this.#dispatch = new Dispatch(init.term);
    this.#recorder = new Recorder(world, {
      ...init,
      onExpected: (tasks) => this.#openAhead(tasks),
      onVain: (tasks) => this.#step({ kind: "itemsClosed", ...tasks, isOver: true }),
    });
    const onTooLarge = (task: Parameters<LeaseSendingInit["onTooLarge"]>[0]): void => this.#tooLarge(task);
    const sendingInit = { ...init, onTooLarge, recorder: this.#recorder };
    this.#sending = new LeaseSending(world, sendingInit, (event) => this.#step(event));
    this.#sinceMs = world.clock.nowMs();
    this.#workforce = new Workforce(world, init);
    this.#expiry = new JobExpiry(world, init);
    const [workforce, dispatch, recorder] = [this.#workforce, this.#dispatch, this.#recorder];
    const formBecause = (jobId: JobId) => this.#staged.whyOf(jobId);
    this.#planning = new JobPlanning(world, { ...init, dispatch, workforce, formBecause });
    this.#staged = new StagedJobs(world, { ...init, dispatch, ruling: () => workforce.ruling() });
    this.#faults = new ItemFaults(world, {
      ...{ ledger: init.ledger, events: init.events, dispatch, recorder },
      step: (event) => this.#step(event),
      isEnded: () => this.#ended,
    });
  }

  /** Asks every worker what it holds, then takes the work over. */
  async begin(): Promise<void> {
    const peers = this.#init.nodes().filter((node) => node.isSelf || isReachable(node));
    const answers = await Promise.all(peers.map(async (node) => ({ node, held: await this.#askHolding(node.nodeId) })));
    if (this.#ended) return;
    // Nobody is eligible until every held shard is known, or running work would be leased a second time.
    const workers = this.#workforce.workers(this.#dispatch.table.nodes);
    this.#step({ kind: "nodesChanged", nodes: workers.map((worker) => ({ ...worker, eligible: false })) });
    for (const [place, job] of this.#init.ledger.openJobs().entries())
      this.#openAll(job, (one) => openItems(this.#init.ledger, one), place < LIMITS.decisionsAtTakeover);
    for (const { node, held } of answers)
      for (const shard of held) this.#step({ kind: "shardHeld", node: node.nodeId, ...this.#sound(shard) });
    this.#taking = true;
    this.#begun.resolve();
    this.fleetChanged();
    this.#ticking = this.#world.clock.every(TICK_MS, () => {
      this.#expiry.look();
      this.#staged.look(new Set(this.#dispatch.table.nodes.keys()));
      this.#step({ kind: "ticked" });
    });
  }

  end(): void {
    this.#ended = true;
    this.#begun.resolve();
    this.#ticking();
  }

  fleetChanged(): void {
    if (this.#taking) this.#step({ kind: "nodesChanged", nodes: this.#workforce.workers(this.#dispatch.table.nodes) });
  }

  ledgerMoved(event: LedgerEvent): void {
    if (!this.#taking) return;
    this.#staged.ledgerMoved(event);
    if (event.kind === "jobSubmitted") this.#openAll(event.job, (job) => openItems(this.#init.ledger, job), true);
    // What of it may be leased is told next.
    if (event.kind === "jobFormed") this.#openAll(event.job, () => [], true);
    if (event.kind === "jobEnded") for (const job of recordsOf(event.job, this.#init.ledger)) this.#close(job);
    if (event.kind === "rulesChanged") this.fleetChanged();
    if (event.kind === "resultsRecorded")
      for (const { item } of event.results) this.#faults.forget(event.job.jobId, item);
    this.#recorder.ledgerMoved(event);
    for (const one of dispatchEventsOf(event, this.#init.ledger)) this.#step(one);
  }

  /**
   * A worker's results. Faults of the input are results like any other; faults of the node send the item to another node.
   * Answered once all that was worth recording is recorded.
   */
  async takeReport(
    from: NodeId,
    { results: all, bases = [], ...carried }: Question<"report">,
  ): Promise<Answer<"report">> {
    await this.#begun.promise;
    if (this.#ended) throw new SkeinError("NO_LEADER");
    if (all.some(({ node }) => node !== from))
      throw new SkeinError("FRAME_INVALID", { peer: from, reason: "it reports for another" });
    // That a task failed says something of it only once it is certain what it is.
    if (all.some(({ error }, n) => error && bases[n])) await this.#recorder.reached();
    const basisOf = new Map(all.map((result, n) => [result, bases[n]]));
    // Of what was leased ahead of something that did not come to be nobody wants to know.
    const results = all.filter((result, n) => !bases[n] || this.#recorder.holds(result, bases[n]));
    const isOwn = from === this.#world.network.self;
    const unproven = await Promise.all(results.map((result) => (isOwn ? undefined : this.#unproven(result))));
    if (this.#ended) throw new SkeinError("NO_LEADER");
    const worthRecording: ReportedResult[] = [];
    for (const [i, result] of results.entries()) {
      const reason = unproven[i];
      if (reason) this.#refuseResult(result, reason);
      else if (result.error && !INPUT_FAULTS.includes(result.error.code)) this.#blame(result, result.error);
      else worthRecording.push(result);
    }
    const outputs = new Set(worthRecording.map(({ output }) => output));
    this.#init.inHand.take(carried, (hash) => outputs.has(hash));
    const told = worthRecording.map((result) => withLostAttempts(this.#dispatch, this.#world.clock, result));
    for (const { jobId, item, node, durationMs, error } of worthRecording)
      if (!error) this.#step({ kind: "itemReported", jobId, item, node, durationMs });
    const recorded = this.#recorder.record(
      told,
      worthRecording.map((result) => basisOf.get(result)),
    );
    return { recordedAtIndex: await recorded };
  }

  #blame(result: ReportedResult, error: ErrorBody): void {
    this.#faults.blame(result, error);
    const verdict = this.#staged.couldNotRun(result, error);
    if (verdict) void this.#faults.giveUp(result.jobId, result.item, verdict);
  }

  /** Why everything was done for a job in this term, as JSON. */
  story(jobId: JobId): Answer<"story"> {
    const { term, peers } = this.#init;
    const about = { term, leader: peers.self, sinceMs: this.#sinceMs };
    const { clock } = this.#world;
    const aheadMs = clock.nowMs() - clock.monotonicMs();
    return { storyJson: leaderStory(about, this.#dispatch.storyOf(jobId), aheadMs) };
  }

  /** Without tasks that an earlier leader leased ahead of something that did not come to be. */
  #sound({ bases = [], ...shard }: HeldShard): HeldShard {
    const { jobId } = shard;
    const items = shard.items.filter((item, n) => !bases[n] || this.#recorder.holds({ jobId, item }, bases[n]));
    return { ...shard, items };
  }

  #openAhead({ jobId, items }: SomeTasks): void {
    const { ledger } = this.#init;
    const homes = homesOf(ledger, ledger.jobs.get(jobId)!, items, this.#recorder);
    this.#step({ kind: "itemsOpened", jobId, items, homes });
  }

  /** Nothing is recorded that its maker does not stand for. Of what this ledger does not know nothing is recorded anyway. */
  async #unproven(result: ReportedResult): Promise<string | undefined> {
    const { fleetId, jobs } = this.#init.ledger;
    const { jobId, item } = result;
    const input = jobs.get(jobId)?.inputs[item]?.blob ?? this.#recorder.ahead(result)?.blob;
    if (!fleetId || !input) return undefined;
    return await proofFault(this.#world, { fleetId, jobId: result.jobId, input }, result);
  }

  /** The item goes to another node; if none does better, that it was refused is how it ends. */
  #refuseResult({ jobId, item, node, shardId, durationMs, finishedAtMs }: ReportedResult, reason: string): void {
    const nothing = { jobId, item, node, shardId, durationMs, finishedAtMs, outputBytes: 0, holders: [] };
    const peer = this.#init.nodes().find(({ nodeId }) => nodeId === node)?.name ?? node;
    const error = new SkeinError("RESULT_UNPROVEN", { peer, item, reason }).toJSON();
    this.#init.events.emit("reportRefused", { jobId, item, node, code: error.code, reason }, "warn");
    if (!this.#init.ledger.jobs.get(jobId)?.results[item]) this.#faults.blame(nothing, error);
  }

  /** On every node alike, so that it is given up soon. */
  #tooLarge(task: Parameters<LeaseSendingInit["onTooLarge"]>[0]): void {
    const limit = LIMITS.leasedPartsMax;
    const error = new SkeinError("TOO_LARGE", { what: "the number of parts of one task", actual: limit + 1, limit });
    const nothing = { durationMs: 0, finishedAtMs: this.#world.clock.nowMs(), outputBytes: 0, holders: [] };
    this.#faults.blame({ ...task, ...nothing }, error.toJSON());
  }

  news(jobId: JobId): Answer<"jobNews"> {
    const leased = this.#init
      .nodes()
      .map(({ nodeId }) => ({ nodeId, items: this.#dispatch.table.itemsLeasedTo(nodeId, jobId) }));
    const plan = this.#planning.planOf(jobId);
    const predictionErrors = leased
      .flatMap(({ nodeId }) => this.predictionErrorsOf(nodeId).map((error) => ({ nodeId, ...error })))
      .slice(0, LIMITS.predictionErrorsMax);
    return { ...(plan ? { plan } : {}), leased, predictionErrors };
  }

  predictionErrorsOf(nodeId: NodeId): PredictionError[] {
    return this.#dispatch.predictionErrorsOf(nodeId);
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

  /** One of a pipeline waits until it is decided how it is cut; then nodes are asked first how quick they are at its parts. */
  #openAll(job: JobRecord, itemsOf: (job: JobRecord) => number[], isKept: boolean): void {
    if (job.staged) this.fleetChanged();
    if (job.staged && !job.form) this.#staged.look(new Set(this.#dispatch.table.nodes.keys()));
    else for (const record of recordsOf(job, this.#init.ledger)) this.#open(record, itemsOf(record), isKept);
  }

  /** How the items of a job are expected to be split is told of the job, and not of its stages. */
  #open(job: JobRecord, items: number[], isKept: boolean): void {
    const transferSeconds = job.parent ? new Map() : this.#plan(job, isKept);
    const { jobId, priority, state, deadlineAtMs = Number.POSITIVE_INFINITY } = job;
    const segment = job.parent?.segment ?? (job.form?.segments.length ?? 1) - 1;
    const partOf = segment > 0 || job.parent ? { partOf: { jobId: job.parent?.jobId ?? jobId, segment } } : {};
    const about = { jobId, pipeline: runsAs(job), priority, deadlineAtMs, transferSeconds, ...partOf };
    const homes = homesOf(this.#init.ledger, job, items);
    this.#step({ kind: "jobOpened", ...about, paused: state === "paused", items, homes });
  }

  #plan(job: JobRecord, isKept: boolean): Map<NodeId, number> {
    const { nodes, bytesPerItem } = this.#planning.plan(job, unrecordedItems(job), isKept);
    return transfersOf(nodes, bytesPerItem);
  }

  #close(job: JobRecord): void {
    this.#staged.close(job);
    this.#planning.forget(job.jobId);
    this.#tellPredictions(job);
    this.#expiry.forget(job.jobId);
    this.#faults.forgetJob(job.jobId);
    this.#step({ kind: "jobClosed", jobId: job.jobId, because: `the job is ${job.state}` });
  }

  /** At the end of a job: how well its nodes' times were foretold by now. */
  #tellPredictions({ jobId, pipeline, results }: JobRecord): void {
    const nodes = new Set(results.flatMap((result) => (result ? [result.node] : [])));
    for (const node of nodes)
      for (const { median, shards, ...error } of this.predictionErrorsOf(node))
        if (error.pipeline === pipeline)
          this.#init.events.emit("predictionMeasured", { jobId, node, pipeline, predictionError: median, shards });
  }

  #step(event: DispatchEvent): void {
    if (this.#ended) return;
    for (const effect of this.#dispatch.step(event, this.#world.clock.monotonicMs())) this.#carryOut(effect);
  }

  #carryOut(effect: DispatchEffect): void {
    switch (effect.kind) {
      case "leaseShard":
        return void this.#sending.lease(effect);
      case "takeBackShard":
        return void this.#sending.takeBack(effect);
      case "giveUpItem":
        return void this.#faults.giveUp(effect.jobId, effect.item);
      case "quarantineItem":
        return void this.#faults.giveUp(effect.jobId, effect.item, {
          code: "ITEM_QUARANTINED",
          facts: { kills: effect.kills },
        });
    }
  }
}
