import type { BundledBlob } from "../../shared/blob-bundle.ts";
import type { BoxView } from "../../shared/box.ts";
import type { DrainView, LeaveView } from "../../shared/departure.ts";
import type { DrillAnswer, DrillList, DrillRequest, DrillView } from "../../shared/drill.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { Explanation } from "../../shared/explanation.ts";
import type { DatasetView } from "../../shared/fitting/dataset.ts";
import type { FitPlaces, FitRoundAnswer, FitRoundRequest } from "../../shared/fitting/wire.ts";
import type { FleetView, NodePart, NodeView, PredictionError } from "../../shared/fleet.ts";
import type { BlobHash, JobId, NodeId } from "../../shared/ids.ts";
import type { JobSpec, JobView, Receipt } from "../../shared/job.ts";
import type { Labels } from "../../shared/labels.ts";
import { TIMING } from "../../shared/limits.ts";
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
import type { Ledger } from "../core/ledger/index.ts";
import type { BlobInfo } from "../ports/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Box } from "./box.ts";
import type { Departure } from "./departure.ts";
import type { Deputy } from "./deputy.ts";
import type { Events } from "./events.ts";
import type { AgentFace } from "./face.ts";
import type { FleetFitting } from "./fitting.ts";
import type { FleetIdentity } from "./membership.ts";
import { pipelineMeant } from "./model-names.ts";
import type { Bench } from "./models/bench.ts";
import type { ModelRegistry } from "./models/registry.ts";
import type { Online } from "./online.ts";
import type { Outlook } from "./outlook.ts";
import type { Proposer } from "./proposer.ts";
import type { Recovery } from "./recovery.ts";
import type { Scrub } from "./scrub.ts";
import type { Standing } from "./standing.ts";
import { submitJob } from "./submit.ts";
import type { Surroundings } from "./surroundings.ts";
import { fleetView } from "./views.ts";

/** What the face is made of. */
export interface FrontParts {
  world: Surroundings;
  name: string;
  identity: FleetIdentity;
  part: NodePart;
  events: Events;
  ledger: Ledger;
  proposer: Proposer;
  blobAccess: BlobAccess;
  standing: Standing;
  outlook: Outlook;
  scrub: Scrub;
  box: Box;
  online: Online;
  bench: Bench;
  departure: Departure;
  recovery: Recovery;
  deputy: Deputy;
  registry: ModelRegistry;
  fitting: FleetFitting;
  /** Empty unless this node leads. */
  predictionErrorsOf: (nodeId: NodeId) => PredictionError[];
  isReady: () => boolean;
  onStopRequested: () => void;
}

/**
 * The face of an agent: each call is handed to the part whose matter it is. What reads or moves the ledger goes through the
 * deputy, which answers here or has a member answer.
 */
export abstract class Front implements AgentFace {
  protected abstract readonly front: FrontParts;

  health(): Health {
    const view = this.fleet();
    return {
      ok: this.front.isReady(),
      nodeId: view.self,
      name: this.front.name,
      state: this.front.isReady() ? "ready" : "starting",
      hasLeader: view.leader !== undefined,
      hasQuorum: view.hasQuorum,
    };
  }

  fleet(): FleetView {
    const { self } = this.front.world.network;
    const view = fleetView(
      this.front.identity,
      self,
      this.front.standing.status(),
      this.front.outlook.nodes(),
      this.front.ledger.lastRecovery,
    );
    return { ...view, nodes: view.nodes.map((node) => this.#withErrors(node)), scrub: this.front.scrub.view() };
  }

  #withErrors(node: NodeView): NodeView {
    const predictionErrors = this.front.predictionErrorsOf(node.nodeId);
    return predictionErrors.length > 0 ? { ...node, predictionErrors } : node;
  }

  probe(): Promise<BoxView> {
    return this.front.box.view();
  }

  removeNode(nodeIdOrName: string): Promise<NodeId> {
    return this.front.deputy.call("removeNode", nodeIdOrName);
  }

  drainNode(nodeIdOrName: string, drained: boolean): Promise<DrainView> {
    return this.front.deputy.call("drainNode", nodeIdOrName, drained);
  }

  labelNode(nodeIdOrName: string, labels: Labels): Promise<LabelsView> {
    return this.front.deputy.call("labelNode", nodeIdOrName, labels);
  }

  transferLeader(nodeIdOrName?: string): Promise<{ leader: NodeId; term: number }> {
    return this.front.deputy.call("transferLeader", nodeIdOrName);
  }

  leave(force: boolean): Promise<LeaveView> {
    return this.front.departure.leave(force);
  }

  recoveryView(): Promise<RecoveryView> {
    return this.front.recovery.view();
  }

  recover(request: RecoverRequest): Promise<RecoverAnswer> {
    return this.front.recovery.recover(request);
  }

  invite(validForMs: number = TIMING.inviteMs): Promise<InviteAnswer> {
    return this.front.deputy.call("invite", validForMs);
  }

  async submit(spec: JobSpec): Promise<SubmitAnswer> {
    this.#refuseWorkAtWitness();
    const { world, ledger, proposer, blobAccess, outlook, deputy } = this.front;
    const meant = (text: string, key: string | null) => deputy.call("modelMeant", text, key);
    return submitJob(world, { ledger, proposer, blobAccess, meant, ...outlook }, spec);
  }

  tune(model: string, request: TuneRequest): TuningView {
    return this.front.bench.tune(model, request);
  }

  tuning(model: string): TuningView {
    return this.front.bench.tuning(model);
  }

  jobs(): Promise<JobView[]> {
    return this.front.deputy.call("jobs");
  }

  job(jobId: JobId): Promise<JobDetail> {
    return this.front.deputy.call("job", jobId);
  }

  cancel(jobId: JobId): Promise<JobView> {
    return this.front.deputy.call("cancel", jobId);
  }

  pause(jobId: JobId, paused: boolean): Promise<JobView> {
    return this.front.deputy.call("pause", jobId, paused);
  }

  why(jobId: JobId, shard?: string, item?: string): Promise<JobStory> {
    return this.front.deputy.call("why", jobId, shard, item);
  }

  explain(what: string, whyNot: string | undefined, whatIf: string[]): Promise<Explanation> {
    return this.front.deputy.call("explain", what, whyNot, whatIf);
  }

  forget(jobId: JobId): Promise<{ forgotten: JobId }> {
    return this.front.deputy.call("forget", jobId);
  }

  results(jobId: JobId): Promise<ResultsPage> {
    return this.front.deputy.call("results", jobId);
  }

  receipt(jobId: JobId): Promise<Receipt> {
    return this.front.deputy.call("receipt", jobId);
  }

  verify(jobId: JobId, request: VerifyRequest): Promise<VerifyPage> {
    return this.front.deputy.call("verify", jobId, request);
  }

  async putBlob(source: AsyncIterable<Uint8Array>, expected: BlobHash): Promise<BlobInfo & { existed: boolean }> {
    this.#refuseWorkAtWitness();
    const existed = (await this.blobSize(expected)) !== undefined;
    return { ...(await this.front.world.blobs.put(source, expected)), existed };
  }

  infer(pipeline: string, name: string, input: Uint8Array): Promise<OnlineAnswer> {
    const { online, outlook, standing, ledger } = this.front;
    const planning = standing.holdsLedger ? ledger.planning : undefined;
    return online.run(pipelineMeant(pipeline, outlook.pipelines(), planning), name, input);
  }

  async putBlobs(blobs: readonly BundledBlob[]): Promise<void> {
    this.#refuseWorkAtWitness();
    await Promise.all(blobs.map(({ hash, bytes }) => this.front.world.blobs.put(bytes, hash)));
  }

  blobSize(hash: BlobHash): Promise<number | undefined> {
    return this.front.world.blobs.size(hash);
  }

  readBlob(hash: BlobHash): Promise<{ bytes: number; chunks: AsyncIterable<Uint8Array> }> {
    return this.front.blobAccess.readInChunks(hash, this.front.ledger.holdersOf(hash));
  }

  settings(): Promise<Setting[]> {
    return this.front.deputy.call("settings");
  }

  setting(name: string): Promise<Setting> {
    return this.front.deputy.call("setting", name);
  }

  setSetting(name: string, value: string): Promise<Setting> {
    return this.front.deputy.call("setSetting", name, value);
  }

  rules(): Promise<RuleView[]> {
    return this.front.deputy.call("rules");
  }

  addRule(rule: Rule): Promise<RuleView> {
    return this.front.deputy.call("addRule", rule);
  }

  removeRule(ruleId: string): Promise<RuleView> {
    return this.front.deputy.call("removeRule", ruleId);
  }

  placement(): Promise<PlacementView> {
    return this.front.deputy.call("placement");
  }

  startDrill(request: DrillRequest): Promise<DrillAnswer> {
    return this.front.deputy.call("startDrill", request);
  }

  drills(): Promise<DrillList> {
    return this.front.deputy.call("drills");
  }

  drill(drillId: string): Promise<DrillView> {
    return this.front.deputy.call("drill", drillId);
  }

  models(): Promise<ModelView[]> {
    return this.front.deputy.call("models");
  }

  model(model: string): Promise<ModelDetail> {
    return this.front.deputy.call("model", model);
  }

  async checkModel(request: ModelCheckRequest): Promise<ModelCheckAnswer> {
    this.#refuseWorkAtWitness();
    return this.front.registry.check(request);
  }

  async addModel(request: ModelAddRequest): Promise<ModelAddView> {
    this.#refuseWorkAtWitness();
    return this.front.registry.add(request);
  }

  removeModel(model: string, force: boolean): Promise<ModelRemoval> {
    return this.front.deputy.call("removeModel", model, force);
  }

  aliasModel(name: string, alias: string, version: number): Promise<{ alias: string; version: number }> {
    return this.front.deputy.call("aliasModel", name, alias, version);
  }

  datasets(): Promise<DatasetView[]> {
    return this.front.fitting.datasets();
  }

  putDataset(name: string, chunks: AsyncIterable<Uint8Array>): Promise<DatasetView> {
    this.#refuseWorkAtWitness();
    return this.front.fitting.putDataset(name, chunks);
  }

  removeDataset(name: string): Promise<{ removed: string }> {
    return this.front.fitting.removeDataset(name);
  }

  fitPlaces(dataset: string): Promise<FitPlaces> {
    return this.front.fitting.places(dataset);
  }

  fitRound(request: FitRoundRequest): Promise<FitRoundAnswer> {
    return this.front.fitting.round(request);
  }

  pipelines(): Promise<PipelineView[]> {
    return this.front.deputy.call("pipelines");
  }

  pipeline(pipeline: string): Promise<PipelineDetail> {
    return this.front.deputy.call("pipeline", pipeline);
  }

  checkPipeline(source: PipelineSource): Promise<PipelineCheckAnswer> {
    return this.front.deputy.call("checkPipeline", source);
  }

  addPipeline(source: PipelineSource): Promise<PipelineAddAnswer> {
    return this.front.deputy.call("addPipeline", source);
  }

  removePipeline(pipeline: string, force: boolean): Promise<PipelineRemoval> {
    return this.front.deputy.call("removePipeline", pipeline, force);
  }

  eventsSince(id: number): AgentEvent[] {
    return this.front.events.since(id);
  }

  onEvent(listener: (event: AgentEvent) => void): () => void {
    return this.front.events.on(listener);
  }

  requestStop(): void {
    this.front.onStopRequested();
  }

  #refuseWorkAtWitness(): void {
    if (this.front.part === "witness")
      throw new SkeinError("BAD_REQUEST", { reason: "this box is a witness and keeps no pages; hand them to another" });
  }
}
