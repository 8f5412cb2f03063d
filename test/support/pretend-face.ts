/** An AgentFace that lives in memory: three boxes, blobs, jobs that move when the test says so, and events. */
import { createHash } from "node:crypto";
import { explainJob, explainNode, planJob } from "../../agent/core/planner/index.ts";
import type { AgentFace } from "../../agent/runtime/face.ts";
import type { BundledBlob } from "../../shared/blob-bundle.ts";
import type { BoxView } from "../../shared/box.ts";
import type { JobCandidate, JobDecision } from "../../shared/decision.ts";
import type { DrainView, LeaveView } from "../../shared/departure.ts";
import type { DrillAnswer, DrillLine, DrillList, DrillRecord, DrillRequest, DrillView } from "../../shared/drill.ts";
import { type ErrorBody, SkeinError } from "../../shared/errors.ts";
import type { Explanation } from "../../shared/explanation.ts";
import { type DatasetView, datasetView, readRow } from "../../shared/fitting/dataset.ts";
import type { FitPlaces, FitRoundAnswer, FitRoundRequest } from "../../shared/fitting/wire.ts";
import type { FleetView, NodeView } from "../../shared/fleet.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "../../shared/ids.ts";
import { isOpen, type JobSpec, type JobView, type Receipt, type RecordedResult } from "../../shared/job.ts";
import type { Labels } from "../../shared/labels.ts";
import { LIMITS } from "../../shared/limits.ts";
import type {
  ModelAddRequest,
  ModelAddView,
  ModelCheckAnswer,
  ModelCheckRequest,
  ModelDetail,
  ModelRemoval,
  ModelView,
} from "../../shared/model-registry.ts";
import type { OnlineAnswer } from "../../shared/online.ts";
import { type PageLine, writePageText } from "../../shared/page-text.ts";
import type {
  PipelineAddAnswer,
  PipelineCheckAnswer,
  PipelineDetail,
  PipelineRemoval,
  PipelineSource,
  PipelineView,
} from "../../shared/pipeline-registry.ts";
import type { PlacementView } from "../../shared/placement.ts";
import type { RecoverAnswer, RecoverRequest, RecoveryView } from "../../shared/recovery.ts";
import type { AgentEvent, Health, JobDetail, LabelsView, SubmitAnswer } from "../../shared/routes.ts";
import { type Rule, type RuleView, ruleText } from "../../shared/rules.ts";
import type { ScrubView } from "../../shared/scrub.ts";
import { type Setting, settingOf, settingsOf } from "../../shared/settings.ts";
import type { JobStory } from "../../shared/story.ts";
import type { TuneRequest, TuningView } from "../../shared/tuning.ts";
import type { VerifyPage, VerifyRequest } from "../../shared/verification.ts";
import { pretendBox } from "./pretend-box.ts";
import { PretendCatalogue } from "./pretend-catalogue.ts";
import { PretendPipelines } from "./pretend-pipelines.ts";
import { PRETEND_FLEET, pretendReceipt } from "./pretend-receipt.ts";

export const sha256 = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;

export const NODE_IDS = ["a", "b", "c"].map((letter) => `12D3KooW${letter.repeat(44)}` as NodeId);
export const NODE_NAMES = ["attic", "bench", "cellar"];

/** A drill in which the leader was killed, and so many results were lost. */
export const pretendRecord = (drillId: string, lost: number, startedAtMs = 1_700_000_000_000): DrillRecord => ({
  version: 1,
  drillId,
  startedAtMs,
  endedAtMs: startedAtMs + 20_000,
  coordinator: "attic",
  boxes: 3,
  holdMs: 5_000,
  outcomes: [
    {
      fault: "killLeader",
      victim: "bench",
      victimLed: true,
      detectedAfterMs: 3,
      leaderAfterMs: 41,
      firstResultAfterMs: 130,
      longestPauseMs: 210,
      healedAfterMs: 11_300,
      items: 640,
      repeated: 4,
      lost,
      recordedTwice: 0,
      wrong: 0,
      outputsChecked: 48,
      verdict: lost > 0 ? "broken" : "held",
      because: lost > 0 ? [`${lost} of 640 results are lost`] : [],
    },
  ],
});

const failedBy = (error: unknown): { error: ErrorBody } => ({ error: SkeinError.from(error).toJSON() });

interface PretendJob {
  spec: JobSpec;
  view: JobView;
  results: RecordedResult[];
}

export class PretendFace implements AgentFace {
  readonly blobs = new Map<BlobHash, Uint8Array>();
  readonly pretendJobs = new Map<JobId, PretendJob>();
  readonly pretendSettings = new Map<string, string>();
  readonly catalogue = new PretendCatalogue();
  readonly pipelinesKnown = new PretendPipelines();
  readonly events: AgentEvent[] = [];
  readonly calls: string[] = [];
  readonly pretendRules: RuleView[] = [];
  pretendPlacement: PlacementView = { models: [] };
  state: Health["state"] = "ready";
  hasQuorum = true;
  stopRequested = false;
  leader: NodeId = NODE_IDS[1]!;
  readonly drained = new Set<NodeId>();
  readonly labels = new Map<NodeId, Labels>();
  scrub: ScrubView = { damagedFound: 0 };
  /** What the next answers to drain and leave say of the work that is left. */
  itemsAtWork: number[] = [];
  recoveryRefusal: SkeinError | undefined;
  receiptChanges: Partial<Receipt> = {};
  /** The next answers to verify; by default all is well. */
  verifyPages: Partial<VerifyPage>[] = [];
  /** Errors thrown by the next calls of a method, one each. */
  readonly failures: Partial<Record<keyof AgentFace, Error[]>> = {};
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  /** The pages' text by the pretend model: by default the bytes as they are. */
  read: (input: Uint8Array) => string = (input) => new TextDecoder().decode(input);
  /** What a pipeline of the fleet gives for an item; an error thrown is the item's. */
  runs: (input: Uint8Array) => Uint8Array = (input) => input;

  health(): Health {
    return {
      ok: this.state === "ready",
      nodeId: NODE_IDS[0]!,
      name: NODE_NAMES[0]!,
      state: this.state,
      hasLeader: true,
      hasQuorum: this.hasQuorum,
    };
  }

  fleet(): FleetView {
    return {
      fleetId: PRETEND_FLEET,
      fleetName: "home",
      self: NODE_IDS[0]!,
      term: 7,
      leader: this.leader,
      hasQuorum: this.hasQuorum,
      votersMissing: this.hasQuorum ? [] : ["bench", "cellar"],
      commitIndex: 120,
      nodes: NODE_IDS.map((nodeId, i) => ({
        ...pretendNode(nodeId, i),
        isLeader: nodeId === this.leader,
        ...(this.drained.has(nodeId) && { drained: true as const }),
        ...(this.labels.has(nodeId) && { labels: this.labels.get(nodeId)! }),
      })),
      scrub: this.scrub,
    };
  }

  async probe(): Promise<BoxView> {
    return pretendBox(NODE_IDS[1]!);
  }

  async rules(): Promise<RuleView[]> {
    return this.pretendRules;
  }

  async addRule(rule: Rule): Promise<RuleView> {
    this.#called("addRule", ruleText(rule));
    const view = { ruleId: `rule-${this.pretendRules.length + 1}`, rule, text: ruleText(rule), nodes: ["cellar"] };
    this.pretendRules.push(view);
    return view;
  }

  async removeRule(ruleId: string): Promise<RuleView> {
    this.#called("removeRule", ruleId);
    const at = this.pretendRules.findIndex((one) => one.ruleId === ruleId);
    if (at < 0) throw new SkeinError("RULE_UNKNOWN", { rule: ruleId });
    return this.pretendRules.splice(at, 1)[0]!;
  }

  async placement(): Promise<PlacementView> {
    return this.pretendPlacement;
  }

  async removeNode(node: string): Promise<NodeId> {
    this.#called("removeNode", node);
    return this.#nodeNamed(node);
  }

  #nodeNamed(node: string): NodeId {
    const found = this.fleet().nodes.find((one) => one.nodeId === node || one.name === node);
    if (!found) throw new SkeinError("NODE_UNKNOWN", { node });
    return found.nodeId;
  }

  async drainNode(node: string, drained: boolean): Promise<DrainView> {
    this.#called("drainNode", `${node} ${drained}`);
    const nodeId = this.#nodeNamed(node);
    if (drained) this.drained.add(nodeId);
    else this.drained.delete(nodeId);
    const { name, isLeader } = this.fleet().nodes.find((one) => one.nodeId === nodeId)!;
    const itemsAtWork = this.itemsAtWork.shift() ?? 0;
    return { nodeId, name, drained, leads: isLeader, isReachable: true, itemsAtWork };
  }

  async labelNode(node: string, labels: Labels): Promise<LabelsView> {
    this.#called("labelNode", `${node} ${JSON.stringify(labels)}`);
    const nodeId = this.#nodeNamed(node);
    this.labels.set(nodeId, labels);
    return { nodeId, name: NODE_NAMES[NODE_IDS.indexOf(nodeId)]!, labels };
  }

  async forget(jobId: JobId): Promise<{ forgotten: JobId }> {
    this.#called("forget", jobId);
    if (this.#jobOf(jobId).view.state === "running") throw new SkeinError("JOB_OPEN", { jobId });
    this.pretendJobs.delete(jobId);
    return { forgotten: jobId };
  }

  async transferLeader(node?: string): Promise<{ leader: NodeId; term: number }> {
    this.#called("transferLeader", String(node));
    this.leader = node === undefined ? NODE_IDS[0]! : this.#nodeNamed(node);
    return { leader: this.leader, term: 8 };
  }

  async leave(force: boolean): Promise<LeaveView> {
    this.#called("leave", String(force));
    const itemsAtWork = this.itemsAtWork.shift() ?? 0;
    const isWaiting = !force && itemsAtWork > 0;
    const onlyHere = itemsAtWork > 0 ? 1 : 0;
    if (!isWaiting) this.requestStop();
    return {
      state: isWaiting ? "waiting" : "left",
      nodeId: NODE_IDS[0]!,
      fleetName: "home",
      itemsAtWork,
      copiesOwed: itemsAtWork,
      onlyHere,
    };
  }

  async recoveryView(): Promise<RecoveryView> {
    this.#called("recoveryView", "");
    const refusal = this.recoveryRefusal && { refusal: this.recoveryRefusal.toJSON() };
    const standing = { term: 7, lastTerm: 7, lastIndex: 120, commit: 118, applied: 118, leads: false, keepsLog: true };
    return {
      fleetName: "home",
      self: NODE_IDS[0]!,
      survivors: [{ nodeId: NODE_IDS[0]!, name: "attic", role: "voter", standing }],
      missing: [
        { nodeId: NODE_IDS[1]!, name: "bench", role: "voter", silentMs: 200_000 },
        { nodeId: NODE_IDS[2]!, name: "cellar", role: "voter" },
      ],
      losses: [{ jobId: "job-0001" as JobId, results: [0, 3], inputs: [4] }],
      ...refusal,
    };
  }

  async recover({ fleetName, missing }: RecoverRequest): Promise<RecoverAnswer> {
    this.#called("recover", `${fleetName} ${missing.length}`);
    return { recoveredBy: NODE_IDS[0]!, removed: missing, term: 1_000_007, atIndex: 122 };
  }

  async invite(validForMs = 900_000): Promise<{ token: string; expiresAtMs: number }> {
    this.#called("invite", String(validForMs));
    return { token: "skein1-abc", expiresAtMs: 1_700_000_000_000 + validForMs };
  }

  async submit(spec: JobSpec): Promise<SubmitAnswer> {
    this.#called("submit", spec.pipeline);
    if (!this.hasQuorum)
      throw new SkeinError("NO_QUORUM", { reachable: 1, voters: 3, needed: 2, missing: ["bench", "cellar"] });
    const pipeline = spec.pipeline === "ocr" ? "ocr" : this.pipelinesKnown.details.get(spec.pipeline)?.pipeline;
    if (!pipeline) throw new SkeinError("UNKNOWN_PIPELINE", { pipeline: spec.pipeline, known: ["ocr"] });
    const lacking = spec.inputs.find((input) => !this.blobs.has(input.blob));
    if (lacking) throw new SkeinError("BLOB_MISSING", { hash: lacking.blob });
    const { idempotencyKey } = spec;
    const first = [...this.pretendJobs.values()].find(
      ({ view }) => idempotencyKey !== undefined && view.idempotencyKey === idempotencyKey,
    );
    if (first) return { jobId: first.view.jobId, existing: true, pipeline };
    const jobId = `job-${String(this.pretendJobs.size + 1).padStart(4, "0")}` as JobId;
    const view: JobView = {
      jobId,
      pipeline: spec.pipeline,
      state: "running",
      submittedAtMs: 1_700_000_000_000,
      items: spec.inputs.length,
      itemsRecorded: 0,
      itemsFailed: 0,
      shares: NODE_IDS.map((nodeId, i) => ({
        nodeId,
        name: NODE_NAMES[i]!,
        itemsRecorded: 0,
        itemsLeased: 1,
        shardsRecorded: 0,
      })),
      duplicatesIgnored: 0,
      priority: spec.priority ?? "normal",
      copies: spec.copies ?? 2,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(spec.deadlineInMs === undefined ? {} : { deadlineAtMs: 1_700_000_000_000 + spec.deadlineInMs }),
    };
    this.pretendJobs.set(jobId, { spec, view, results: [] });
    this.emit("jobSubmitted", { jobId, items: view.items });
    return { jobId, existing: false, pipeline };
  }

  /** Records the next `count` items of a job, in turns over the nodes. An empty input fails. */
  record(jobId: JobId, count: number): void {
    const job = this.#jobOf(jobId);
    for (let n = 0; n < count && job.results.length < job.view.items; n++) {
      const item = job.results.length;
      const result = this.#resultOf(job, item);
      job.results.push(result);
      const share = job.view.shares[item % NODE_IDS.length]!;
      share.itemsRecorded++;
      share.shardsRecorded++;
      job.view.itemsRecorded++;
      if (result.error) job.view.itemsFailed++;
      this.emit("resultRecorded", { jobId, item, name: result.name, node: share.name });
    }
    if (job.view.itemsRecorded < job.view.items) return;
    job.view.state = "done";
    job.view.endedAtMs = 1_700_000_004_000;
    for (const share of job.view.shares) share.itemsLeased = 0;
    this.emit("jobEnded", { jobId, state: "done", items: job.view.items, itemsFailed: job.view.itemsFailed });
  }

  async jobs(): Promise<JobView[]> {
    return [...this.pretendJobs.values()].map((job) => job.view).reverse();
  }

  async job(jobId: JobId): Promise<JobDetail> {
    this.#called("job", jobId);
    const { view } = this.#jobOf(jobId);
    return { job: view, plan: pretendPlan(view) };
  }

  async cancel(jobId: JobId): Promise<JobView> {
    this.#called("cancel", jobId);
    const { view } = this.#jobOf(jobId);
    view.state = "cancelled";
    return view;
  }

  async pause(jobId: JobId, paused: boolean): Promise<JobView> {
    this.#called("pause", `${jobId} ${paused}`);
    const { view } = this.#jobOf(jobId);
    if (!isOpen(view.state)) throw new SkeinError("JOB_ENDED", { jobId, state: view.state });
    view.state = paused ? "paused" : "running";
    return view;
  }

  async why(jobId: JobId, shard?: string, item?: string): Promise<JobStory> {
    this.#called("why", `${jobId} ${shard} ${item}`);
    const { view, results } = this.#jobOf(jobId);
    return pretendStory(view, results);
  }

  async explain(what: string, whyNot: string | undefined, whatIf: string[]): Promise<Explanation> {
    this.#called("explain", [what, whyNot, ...whatIf].join(" "));
    const job = this.pretendJobs.get(what as JobId);
    const node = this.fleet().nodes.find(({ name }) => name === what);
    const question = { ...(whyNot !== undefined && { whyNot }), whatIf };
    if (job) return explainJob(pretendDecision(job.view, this.fleet().nodes), question);
    if (!node) throw new SkeinError("EXPLAIN_UNKNOWN", { what });
    const jobs = [...this.pretendJobs.values()].map(({ view }) => pretendDecision(view, this.fleet().nodes));
    return explainNode({ node, stands: [], jobs }, question);
  }

  async results(jobId: JobId): Promise<{ job: JobView; results: RecordedResult[] }> {
    this.#called("results", jobId);
    const { view, results } = this.#jobOf(jobId);
    return { job: view, results };
  }

  async receipt(jobId: JobId): Promise<Receipt> {
    const { view, results } = this.#jobOf(jobId);
    return { ...pretendReceipt(view, results, NODE_IDS[0]!), ...this.receiptChanges };
  }

  async verify(jobId: JobId, request: VerifyRequest): Promise<VerifyPage> {
    this.#called("verify", `${jobId} ${request.fromItem ?? 0} ${request.recompute ?? 0}`);
    const { view } = this.#jobOf(jobId);
    return {
      jobId,
      itemsVerified: view.itemsRecorded,
      copiesSound: 4 * view.itemsRecorded,
      bytesRead: 1_000_000,
      signaturesValid: view.itemsRecorded,
      recomputed: request.recompute ?? 0,
      recomputedAlike: 0,
      faults: [],
      ...this.verifyPages.shift(),
    };
  }

  async putBlob(
    source: AsyncIterable<Uint8Array>,
    expected: BlobHash,
  ): Promise<{ hash: BlobHash; bytes: number; existed: boolean }> {
    this.#called("putBlob", expected);
    const chunks: Uint8Array[] = [];
    for await (const chunk of source) chunks.push(chunk);
    const bytes = new Uint8Array(Buffer.concat(chunks));
    const actual = sha256(bytes);
    if (actual !== expected) throw new SkeinError("BLOB_HASH_MISMATCH", { expected, actual });
    const existed = this.blobs.has(expected);
    this.blobs.set(expected, bytes);
    return { hash: expected, bytes: bytes.length, existed };
  }

  async infer(pipeline: string, name: string, input: Uint8Array): Promise<OnlineAnswer> {
    this.#called("infer", `${pipeline} ${name}`);
    const isStaged = this.pipelinesKnown.details.has(pipeline);
    if (pipeline !== "ocr" && !isStaged) throw new SkeinError("UNKNOWN_PIPELINE", { pipeline, known: ["ocr"] });
    if (input.length === 0) throw new SkeinError("INPUT_EMPTY", { name });
    if (isStaged)
      return { output: this.runs(input), node: NODE_IDS[1]!, name: NODE_NAMES[1]!, durationMs: 12, attempts: 1 };
    const output = writePageText({ version: 1, width: 1, height: 1, text: new TextDecoder().decode(input), lines: [] });
    return { output, node: NODE_IDS[1]!, name: NODE_NAMES[1]!, durationMs: 12, attempts: 1 };
  }

  /** Of the box this face is of. */
  readonly datasetViews = new Map<string, DatasetView>();

  async datasets(): Promise<DatasetView[]> {
    return [...this.datasetViews.values()];
  }

  async putDataset(name: string, chunks: AsyncIterable<Uint8Array>): Promise<DatasetView> {
    this.#called("putDataset", name);
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const lines = Buffer.concat(parts).toString().trim().split("\n");
    const rows = lines.map((line, i) => readRow(line, i + 1));
    const view = datasetView(name, rows);
    this.datasetViews.set(name, view);
    return view;
  }

  async removeDataset(name: string): Promise<{ removed: string }> {
    if (!this.datasetViews.delete(name)) throw new SkeinError("DATASET_UNKNOWN", { dataset: name });
    return { removed: name };
  }

  places: FitPlaces | undefined;

  async fitPlaces(dataset: string): Promise<FitPlaces> {
    return this.places ?? { dataset, nodes: [], silent: [] };
  }

  onFitRound: (request: FitRoundRequest) => FitRoundAnswer = () => ({ parts: [], missing: [] });

  async fitRound(request: FitRoundRequest): Promise<FitRoundAnswer> {
    this.#called("fitRound", `${request.dataset} ${request.round}`);
    return this.onFitRound(request);
  }

  async putBlobs(blobs: readonly BundledBlob[]): Promise<void> {
    this.#called("putBlobs", blobs.map(({ hash }) => hash).join(" "));
    for (const { hash, bytes } of blobs) {
      const actual = sha256(bytes);
      if (actual !== hash) throw new SkeinError("BLOB_HASH_MISMATCH", { expected: hash, actual });
      this.blobs.set(hash, new Uint8Array(bytes));
    }
  }

  async blobSize(hash: BlobHash): Promise<number | undefined> {
    this.#called("blobSize", hash);
    return this.blobs.get(hash)?.length;
  }

  async readBlob(hash: BlobHash): Promise<{ bytes: number; chunks: AsyncIterable<Uint8Array> }> {
    this.#called("readBlob", hash);
    const blob = this.blobs.get(hash);
    if (!blob) throw new SkeinError("BLOB_MISSING", { hash });
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < blob.length; at += LIMITS.bulkChunkBytes)
        yield blob.subarray(at, at + LIMITS.bulkChunkBytes);
    };
    return { bytes: blob.length, chunks: chunks() };
  }

  async settings(): Promise<Setting[]> {
    return settingsOf(this.pretendSettings);
  }

  async setting(name: string): Promise<Setting> {
    this.#called("setting", name);
    return settingOf(this.pretendSettings, name);
  }

  async setSetting(name: string, value: string): Promise<Setting> {
    this.#called("setSetting", `${name} ${value}`);
    this.pretendSettings.set(name, value);
    return { name, value };
  }

  async pipelines(): Promise<PipelineView[]> {
    this.#called("pipelines", "");
    const details = [...this.pipelinesKnown.details.values()];
    return details.map(({ definition: _, compiled: __, jobs: ___, ...view }) => view);
  }

  async pipeline(pipeline: string): Promise<PipelineDetail> {
    this.#called("pipeline", pipeline);
    return this.pipelinesKnown.show(pipeline);
  }

  async checkPipeline(source: PipelineSource): Promise<PipelineCheckAnswer> {
    this.#called("checkPipeline", "");
    return this.pipelinesKnown.check(source);
  }

  async addPipeline(source: PipelineSource): Promise<PipelineAddAnswer> {
    this.#called("addPipeline", "");
    return this.pipelinesKnown.add(source);
  }

  async removePipeline(pipeline: string, force: boolean): Promise<PipelineRemoval> {
    this.#called("removePipeline", `${pipeline} ${force}`);
    return this.pipelinesKnown.remove(pipeline, force);
  }

  async models(): Promise<ModelView[]> {
    this.#called("models", "");
    return [...this.catalogue.details.values()].map(({ manifest: _, jobs: __, ...view }) => view);
  }

  async model(model: string): Promise<ModelDetail> {
    this.#called("model", model);
    return this.catalogue.show(model);
  }

  async checkModel({ name, files }: ModelCheckRequest): Promise<ModelCheckAnswer> {
    this.#called("checkModel", `${name} ${files.map(({ path, use }) => `${path} ${use}`).join(", ")}`);
    return { memoryNeededBytes: 1e6, memoryHereBytes: 5e9 };
  }

  async addModel(request: ModelAddRequest): Promise<ModelAddView> {
    this.#called("addModel", `${request.name} ${request.version}`);
    return this.catalogue.add(request, this.blobs);
  }

  async removeModel(model: string, force: boolean): Promise<ModelRemoval> {
    this.#called("removeModel", `${model} ${force}`);
    return this.catalogue.remove(model, force);
  }

  async aliasModel(name: string, alias: string, version: number): Promise<{ alias: string; version: number }> {
    this.#called("aliasModel", `${name} ${alias} ${version}`);
    return this.catalogue.alias(name, alias, version);
  }

  emit(event: string, facts: Record<string, unknown> = {}): void {
    const line = { id: (this.events.at(-1)?.id ?? 0) + 1, atMs: 1_700_000_000_000, event, facts };
    this.events.push(line);
    if (this.events.length > LIMITS.eventsKeptMax) this.events.shift();
    for (const listener of this.#listeners) listener(line);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** What the next drill shows; its lines come one with each question. */
  drillRecord: DrillRecord = pretendRecord("drill-000001", 0);
  drillLines: DrillLine[] = [
    { atMs: 300, text: "killLeader: bench, which leads" },
    { atMs: 1_340, text: "attic leads (term 8)" },
  ];
  readonly keptDrills: DrillRecord[] = [];
  drillRefusal: string | undefined;
  #drillAsked = 0;

  async startDrill({ faults, holdMs = 5_000, onlyPlan }: DrillRequest): Promise<DrillAnswer> {
    this.#called("startDrill", `${faults.join(" ")} ${holdMs}${onlyPlan ? " only the plan" : ""}`);
    const refusal = this.drillRefusal === undefined ? {} : { refusal: this.drillRefusal };
    const planned = faults.map((fault) => ({ fault, victim: NODE_NAMES[1]!, ...refusal }));
    const plan = { coordinator: NODE_NAMES[0]!, holdMs, faults: planned, jobsUnderWay: 2 };
    if (onlyPlan) return { plan };
    if (this.drillRefusal) throw new SkeinError("DRILL_REFUSED", { reason: this.drillRefusal });
    return { drillId: this.drillRecord.drillId, plan };
  }

  async drills(): Promise<DrillList> {
    this.#called("drills", "");
    return { kept: this.keptDrills };
  }

  async drill(drillId: string): Promise<DrillView> {
    this.#called("drill", drillId);
    const { drillRecord: record, drillLines } = this;
    if (drillId !== record.drillId) throw new SkeinError("DRILL_UNKNOWN", { drillId });
    const lines = drillLines.slice(0, ++this.#drillAsked);
    const { startedAtMs, coordinator, outcomes } = record;
    const view = { drillId, startedAtMs, coordinator, lines, outcomes };
    return this.#drillAsked > drillLines.length ? { ...view, record } : view;
  }

  tune(model: string, { seconds = 60, tolerance = 1e-3 }: TuneRequest): TuningView {
    this.#called("tune", `${model} ${seconds} ${tolerance}`);
    this.tuned = { model, state: "running", seconds, tolerance, startedAtMs: 1_000, rungs: [] };
    return this.tuned;
  }

  /** What is answered to each look at the search, in order; the last again and again. */
  tunings: TuningView[] = [];
  tuned: TuningView | undefined;

  tuning(model: string): TuningView {
    this.#called("tuning", model);
    const view = this.tunings.length > 1 ? this.tunings.shift() : (this.tunings[0] ?? this.tuned);
    if (!view || view.model !== model) throw new SkeinError("MODEL_UNKNOWN", { model });
    return view;
  }

  eventsSince(id: number): AgentEvent[] {
    return this.events.filter((event) => event.id > id);
  }

  onEvent(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  requestStop(): void {
    this.stopRequested = true;
  }

  #called(method: keyof AgentFace, what: string): void {
    this.calls.push(`${method} ${what}`);
    const failure = this.failures[method]?.shift();
    if (failure) throw failure;
  }

  #jobOf(jobId: JobId): PretendJob {
    const job = this.pretendJobs.get(jobId);
    if (!job) throw new SkeinError("JOB_UNKNOWN", { jobId });
    return job;
  }

  #resultOf(job: PretendJob, item: number): RecordedResult {
    const input = job.spec.inputs[item]!;
    const bytes = this.blobs.get(input.blob)!;
    const isEmpty = bytes.length === 0;
    const fate = isEmpty ? failedBy(new SkeinError("INPUT_EMPTY", { name: input.name })) : this.#outcome(job, bytes);
    return {
      item,
      name: input.name,
      input: input.blob,
      outputBytes: 0,
      node: NODE_IDS[item % NODE_IDS.length]!,
      shardId: `${job.view.jobId}/7.${item}` as ShardId,
      durationMs: 120,
      finishedAtMs: 1_700_000_001_000 + item,
      recordedAtIndex: 101 + item,
      holders: [NODE_IDS[0]!, NODE_IDS[1]!],
      ...fate,
    };
  }

  #outcome({ spec }: PretendJob, input: Uint8Array): { output: BlobHash; outputBytes: number } | { error: ErrorBody } {
    if (spec.pipeline === "ocr") return this.#page(input);
    try {
      return this.#kept(this.runs(input));
    } catch (error) {
      return failedBy(error);
    }
  }

  #kept(output: Uint8Array): { output: BlobHash; outputBytes: number } {
    this.blobs.set(sha256(output), output);
    return { output: sha256(output), outputBytes: output.length };
  }

  #page(input: Uint8Array): { output: BlobHash; outputBytes: number } {
    const text = this.read(input);
    const lines = text.split("\n").map((line) => ({ text: line, score: 0.99, box: [0, 0, 90, 10] as PageLine["box"] }));
    return this.#kept(writePageText({ version: 1, width: 100, height: 100, text, lines }));
  }
}

function pretendNode(nodeId: NodeId, i: number): NodeView {
  const rates = [3.2, 2.1, 0.9];
  return {
    nodeId,
    name: NODE_NAMES[i]!,
    isSelf: i === 0,
    isLeader: false,
    role: "voter",
    presence: i === 2 ? "late" : "fresh",
    ...(i === 0 ? {} : { link: { nodeId, state: "up" as const, rttMs: 0.4 * i, silentMs: 12 } }),
    report: {
      nodeId,
      name: NODE_NAMES[i]!,
      agentVersion: "0.1.0",
      startedAtMs: 1_699_999_000_000,
      sequence: 40,
      hardware: {
        profile: i === 2 ? "raspberry-pi-5" : "generic-x64",
        model: "a box",
        cpuModel: "a cpu",
        cores: 4,
        arch: i === 2 ? "arm64" : "x64",
        memoryTotalBytes: 8e9,
        memoryUsableBytes: 5e9,
      },
      vitals: { memoryFreeBytes: 4e9, diskFreeBytes: 90e9, cpuLoad: 0.4, temperatureC: 51 + 9 * i, throttled: i === 2 },
      executors: 3,
      rates: [{ pipeline: "ocr", itemsPerSecond: rates[i]!, source: "work" }],
      itemsQueued: i,
      apiUrl: "",
    },
  };
}

/** The first item was taken back from a box that went, and done by another. */
function pretendStory(view: JobView, results: readonly RecordedResult[]): JobStory {
  const { jobId, state, submittedAtMs, items, itemsRecorded, itemsFailed } = view;
  const [attic, bench] = NODE_IDS as [NodeId, NodeId];
  const shard = (n: number): ShardId => `${jobId}/7.${n}` as ShardId;
  const at = (ms: number): number => submittedAtMs + ms;
  return {
    jobId,
    state,
    submittedAtMs,
    items,
    itemsRecorded,
    itemsFailed,
    leader: {
      term: 7,
      leader: bench,
      sinceMs: at(-60_000),
      linesDropped: 0,
      lines: [
        { atMs: at(5), kind: "opened", items: [[0, items - 1]], because: `${items} of its items are not recorded` },
        {
          atMs: at(6),
          kind: "leased",
          node: attic,
          name: "attic",
          shardId: shard(1),
          items: [[0, 1]],
          because: "attic is fast",
        },
        {
          atMs: at(900),
          kind: "takenBack",
          node: attic,
          name: "attic",
          shardId: shard(1),
          items: [[0, 0]],
          because: "attic is gone",
        },
        {
          atMs: at(901),
          kind: "leased",
          node: bench,
          name: "bench",
          shardId: shard(2),
          items: [[0, 0]],
          because: "bench was idle",
        },
      ],
    },
    itemStories: results
      .slice(0, 1)
      .map(({ item, name, node, shardId, durationMs, finishedAtMs, recordedAtIndex }) => ({
        item,
        name,
        recorded: { node, shardId, durationMs, finishedAtMs, recordedAtIndex },
        lostAttempts: [
          {
            node: attic,
            shardId: shard(0),
            leasedAtMs: at(1),
            endedAtMs: at(3),
            because: "it failed there",
            isHedge: false,
          },
        ],
      })),
    itemStoriesMore: 0,
    ignoredReports: [{ item: 0, node: attic, shardId: shard(1), because: "recorded", atIndex: 140 }],
    names: Object.fromEntries(NODE_IDS.map((nodeId, i) => [nodeId, NODE_NAMES[i]!])) as JobStory["names"],
  };
}

/** As a leader makes it from these boxes: the third is late. */
export function pretendDecision(view: JobView, nodes: readonly NodeView[]): JobDecision {
  const { jobId, pipeline, items } = view;
  const candidates = nodes.map(({ nodeId, name, report, presence }): JobCandidate => {
    const isLate = presence !== "fresh";
    return {
      nodeId,
      name,
      profile: report!.hardware.profile,
      itemsPerSecond: report!.rates[0]!.itemsPerSecond,
      executors: report!.executors,
      derating: 1,
      handOverMs: 20,
      itemsQueued: 0,
      holdsInputs: true,
      memoryFreeBytes: report!.vitals.memoryFreeBytes,
      temperatureC: report!.vitals.temperatureC!,
      eligible: !isLate,
      ...(isLate && { whyNot: "it is late" }),
    };
  });
  const made = { jobId, term: 7, items, bytesPerItem: 200_000, nodes: candidates };
  const madeAtMs = 1_700_000_000_100;
  const plan = planJob({ ...made, nowMs: madeAtMs });
  return { kind: "job", pipeline, madeAtMs, ...made, nodesLeftOut: 0, plan };
}

function pretendPlan(view: JobView): NonNullable<JobDetail["plan"]> {
  return {
    jobId: view.jobId,
    madeAtMs: 1_700_000_000_100,
    term: 7,
    shares: NODE_IDS.map((nodeId, i) => ({
      nodeId,
      name: NODE_NAMES[i]!,
      items: Math.ceil(view.items / 3),
      itemsPerSecond: [3.2, 2.1, 0.9][i]!,
      reason: `${NODE_NAMES[i]} reads ${[3.2, 2.1, 0.9][i]} pages a second.`,
      computeSeconds: 4,
      transferSeconds: 0,
      queueSeconds: 0,
      handOverSeconds: 0.2,
      derating: 1,
      endSeconds: 4.2,
    })),
    expectedSeconds: 4.2,
    singleBestSeconds: 8.1,
    keptWhole: false,
    summary: "Three nodes share the pages by their measured speed.",
    ways: [
      { way: "one", seconds: 8.1, nodes: 1, name: "attic" },
      { way: "split", seconds: 4.2, nodes: 3 },
    ],
    chosen: "split",
    boundSeconds: 4.1,
  };
}
