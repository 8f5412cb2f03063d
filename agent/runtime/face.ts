import type { BundledBlob } from "../../shared/blob-bundle.ts";
import type { BoxView } from "../../shared/box.ts";
import type { DrainView, LeaveView } from "../../shared/departure.ts";
import type { DrillAnswer, DrillList, DrillRequest, DrillView } from "../../shared/drill.ts";
import type { Explanation } from "../../shared/explanation.ts";
import type { DatasetView } from "../../shared/fitting/dataset.ts";
import type { FitPlaces, FitRoundAnswer, FitRoundRequest } from "../../shared/fitting/wire.ts";
import type { FleetView } from "../../shared/fleet.ts";
import type { BlobHash, JobId, NodeId } from "../../shared/ids.ts";
import type { JobSpec, JobView, Receipt } from "../../shared/job.ts";
import type { Labels } from "../../shared/labels.ts";
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
import type {
  AgentEvent,
  Health,
  InviteAnswer,
  JobDetail,
  LabelsView,
  ResultsPage,
  SubmitAnswer,
} from "../../shared/routes.ts";
import type { Rule, RuleView } from "../../shared/rules.ts";
import type { Setting } from "../../shared/settings.ts";
import type { JobStory } from "../../shared/story.ts";
import type { TuneRequest, TuningView } from "../../shared/tuning.ts";
import type { VerifyPage, VerifyRequest } from "../../shared/verification.ts";
import type { BlobInfo } from "../ports/index.ts";

/** What the agent offers to whoever stands in front of it: the API today. Every method may throw a SkeinError. */
export interface AgentFace {
  health(): Health;
  fleet(): FleetView;
  /** Of the box that this node runs on. Takes seconds the first time. */
  probe(): Promise<BoxView>;
  /** By id or by name. Resolves when the removal is committed. @throws NODE_UNKNOWN, NO_QUORUM, MEMBERSHIP_BUSY */
  removeNode(nodeIdOrName: string): Promise<NodeId>;
  /** By id or by name; empties it or takes that back, and tells how far it is. May be called again. @throws NODE_UNKNOWN, NO_QUORUM */
  drainNode(nodeIdOrName: string, drained: boolean): Promise<DrainView>;
  /** By id or by name; takes the place of what was said before. @throws NODE_UNKNOWN, BAD_REQUEST, NO_QUORUM */
  labelNode(nodeIdOrName: string, labels: Labels): Promise<LabelsView>;
  /** Resolves when the new leader is known. @throws NODE_UNKNOWN, NO_LEADER, HANDOVER_FAILED */
  transferLeader(nodeIdOrName?: string): Promise<{ leader: NodeId; term: number }>;
  /** Takes this node one step out of the fleet; to be called until it has left. @throws LEAVE_REFUSED, NO_QUORUM, HANDOVER_FAILED */
  leave(force: boolean): Promise<LeaveView>;
  /** Asks everyone who is reachable how far its log goes. */
  recoveryView(): Promise<RecoveryView>;
  /** Goes on without the missing, from this node's log. @throws RECOVERY_REFUSED, BAD_REQUEST */
  recover(request: RecoverRequest): Promise<RecoverAnswer>;
  /** @throws NO_QUORUM */
  invite(validForMs?: number): Promise<InviteAnswer>;
  /**
   * Resolves when the inputs have their copies and the job is committed: it then survives the loss of any one box.
   * @throws UNKNOWN_PIPELINE, BAD_REQUEST, TOO_LARGE, BLOB_MISSING, COPIES_SHORT, IDEMPOTENCY_CONFLICT, NO_QUORUM
   */
  submit(spec: JobSpec): Promise<SubmitAnswer>;
  jobs(): Promise<JobView[]>;
  /** @throws JOB_UNKNOWN */
  job(jobId: JobId): Promise<JobDetail>;
  /** @throws JOB_UNKNOWN, NO_QUORUM */
  cancel(jobId: JobId): Promise<JobView>;
  /** What runs ends; nothing more is handed out until it is resumed. @throws JOB_UNKNOWN, JOB_ENDED, NO_QUORUM */
  pause(jobId: JobId, paused: boolean): Promise<JobView>;
  /** The chain of causes, of one shard or of one item (name or number from 0) if it is named. @throws JOB_UNKNOWN, BAD_REQUEST */
  why(jobId: JobId, shard?: string, item?: string): Promise<JobStory>;
  /**
   * Why a job was split as it was, from what was known then, or what a node was given; `whyNot` names a node, `whatIf` changes
   * to be thought through. @throws EXPLAIN_UNKNOWN, DECISION_MISSING, NODE_UNKNOWN, BAD_REQUEST
   */
  explain(what: string, whyNot: string | undefined, whatIf: string[]): Promise<Explanation>;
  /** An ended job, its results, and the blobs that no other job stands on; every box removes them soon after. @throws JOB_UNKNOWN, JOB_OPEN, NO_QUORUM */
  forget(jobId: JobId): Promise<{ forgotten: JobId }>;
  /** What is recorded so far, in the order of the inputs. @throws JOB_UNKNOWN */
  results(jobId: JobId): Promise<ResultsPage>;
  /** Asks every holder. @throws JOB_UNKNOWN */
  receipt(jobId: JobId): Promise<Receipt>;
  /** Proves a part of a job: every copy where it lies, every signature, and a sample computed again. @throws JOB_UNKNOWN */
  verify(jobId: JobId, request: VerifyRequest): Promise<VerifyPage>;
  /** Takes bytes in on this node. @throws BLOB_HASH_MISMATCH, DISK_FULL, TOO_LARGE */
  putBlob(source: AsyncIterable<Uint8Array>, expected: BlobHash): Promise<BlobInfo & { existed: boolean }>;
  /** Runs one input now, here or on the box that answers soonest; recorded nowhere, and needs no quorum. @throws UNKNOWN_PIPELINE, NOT_READY, TOO_LARGE, DEADLINE_EXCEEDED, and what is wrong with the input */
  infer(pipeline: string, name: string, input: Uint8Array): Promise<OnlineAnswer>;
  /** The same for many small ones; resolves when all of them are durable. */
  putBlobs(blobs: readonly BundledBlob[]): Promise<void>;
  /** On this node. */
  blobSize(hash: BlobHash): Promise<number | undefined>;
  /** From this node or whichever holds it, hash checked before the first byte is handed out. @throws BLOB_MISSING */
  readBlob(hash: BlobHash): Promise<{ bytes: number; chunks: AsyncIterable<Uint8Array> }>;
  /** Linearizable: what every earlier answer said has happened by then. @throws NO_QUORUM, DEADLINE_EXCEEDED */
  settings(): Promise<Setting[]>;
  /** Likewise. */
  setting(name: string): Promise<Setting>;
  /** Resolves when it is agreed. @throws BAD_REQUEST, TOO_LARGE, NO_QUORUM, OUTCOME_UNKNOWN if it may yet be done or not */
  setSetting(name: string, value: string): Promise<Setting>;
  rules(): Promise<RuleView[]>;
  /** The same rule again is the one that is there. @throws RULES_CONFLICT, NODE_UNKNOWN for a box that is none, BAD_REQUEST, NO_QUORUM */
  addRule(rule: Rule): Promise<RuleView>;
  /** @throws RULE_UNKNOWN, NO_QUORUM */
  removeRule(ruleId: string): Promise<RuleView>;
  placement(): Promise<PlacementView>;
  /**
   * Begins a rehearsal that this box coordinates (or, without a ledger here, the member that answers for it), or tells what
   * it would do. @throws DRILL_REFUSED, NO_QUORUM
   */
  startDrill(request: DrillRequest): Promise<DrillAnswer>;
  drills(): Promise<DrillList>;
  /** From the box that coordinates it while it goes on. @throws DRILL_UNKNOWN */
  drill(drillId: string): Promise<DrillView>;
  models(): Promise<ModelView[]>;
  /** By name, `name:version` or `name:alias`. @throws MODEL_UNKNOWN */
  model(model: string): Promise<ModelDetail>;
  /** Before anything is uploaded: whether this box may take such a model in. @throws MODEL_REFUSED, BAD_REQUEST, TOO_LARGE, NO_QUORUM */
  checkModel(request: ModelCheckRequest): Promise<ModelCheckAnswer>;
  /**
   * Takes a model in whose files are here, or tells how far that is: to be called with the same request until it is `added`.
   * @throws MODEL_REFUSED, MODEL_EXISTS, BAD_REQUEST, TOO_LARGE, BLOB_MISSING, COPIES_SHORT, DISK_FULL, NO_QUORUM, PEER_BUSY
   */
  addModel(request: ModelAddRequest): Promise<ModelAddView>;
  /** @throws MODEL_UNKNOWN, BAD_REQUEST, NO_QUORUM, MODEL_WANTED unless forced: then the jobs that want it are cancelled */
  removeModel(model: string, force: boolean): Promise<ModelRemoval>;
  /** From now on `name:alias` means this version; 0 takes the alias away. @throws MODEL_UNKNOWN, TOO_LARGE, NO_QUORUM, OUTCOME_UNKNOWN */
  aliasModel(name: string, alias: string, version: number): Promise<{ alias: string; version: number }>;
  pipelines(): Promise<PipelineView[]>;
  /** By name (the newest version) or `name:version`. @throws UNKNOWN_PIPELINE */
  pipeline(pipeline: string): Promise<PipelineDetail>;
  /** As a whole, against the fleet's models; nothing is kept. @throws PIPELINE_INVALID, NAME_TAKEN, PIPELINE_EXISTS */
  checkPipeline(source: PipelineSource): Promise<PipelineCheckAnswer>;
  /** The same content again is the one that is there. @throws PIPELINE_INVALID, NAME_TAKEN, PIPELINE_EXISTS, TOO_LARGE, NO_QUORUM */
  addPipeline(source: PipelineSource): Promise<PipelineAddAnswer>;
  /** @throws UNKNOWN_PIPELINE, BAD_REQUEST, PART_WANTED, NO_QUORUM, PIPELINE_WANTED unless forced: then its open jobs are cancelled */
  removePipeline(pipeline: string, force: boolean): Promise<PipelineRemoval>;
  /** Kept events after `id`, oldest first. */
  /** Data sets of this box. */
  datasets(): Promise<DatasetView[]>;
  /** Onto this box's disk, and no other's. @throws BAD_REQUEST with the line, TOO_LARGE, DISK_FULL */
  putDataset(name: string, chunks: AsyncIterable<Uint8Array>): Promise<DatasetView>;
  /** @throws DATASET_UNKNOWN */
  removeDataset(name: string): Promise<{ removed: string }>;
  /** Which boxes have rows of a data set. */
  fitPlaces(dataset: string): Promise<FitPlaces>;
  /** One round of training on all boxes that are there. @throws FIT_NOBODY */
  fitRound(request: FitRoundRequest): Promise<FitRoundAnswer>;
  eventsSince(id: number): AgentEvent[];
  /** Calls for each new event until the returned function is called. */
  onEvent(listener: (event: AgentEvent) => void): () => void;
  /** Begins to search how a model is best run on this node; returns at once. @throws MODEL_UNKNOWN, TUNING_BUSY, BAD_REQUEST */
  tune(model: string, request: TuneRequest): TuningView;
  /** The last search of this life for that model. @throws MODEL_UNKNOWN */
  tuning(model: string): TuningView;
  /** Begins an orderly stop; returns at once. */
  requestStop(): void;
}
