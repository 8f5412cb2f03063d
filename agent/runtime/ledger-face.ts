import type { CopiesOwed, DrainView } from "../../shared/departure.ts";
import type { DrillAnswer, DrillList, DrillRequest, DrillView, RunningDrill } from "../../shared/drill.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { Explanation } from "../../shared/explanation.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { BlobHash, FleetId, JobId, NodeId } from "../../shared/ids.ts";
import { isOpen, type JobView, type Receipt } from "../../shared/job.ts";
import type { Labels } from "../../shared/labels.ts";
import type { ModelDetail, ModelRemoval, ModelView } from "../../shared/model-registry.ts";
import type {
  PipelineAddAnswer,
  PipelineCheckAnswer,
  PipelineDetail,
  PipelineParts,
  PipelineRemoval,
  PipelineSource,
  PipelineView,
} from "../../shared/pipeline-registry.ts";
import type { PlacementView } from "../../shared/placement.ts";
import type { InviteAnswer, JobDetail, LabelsView, ResultsPage } from "../../shared/routes.ts";
import type { Rule, RuleView } from "../../shared/rules.ts";
import type { Setting } from "../../shared/settings.ts";
import type { JobStory, LeaderStory } from "../../shared/story.ts";
import type { VerifyPage, VerifyRequest } from "../../shared/verification.ts";
import type { WantedModels } from "../../shared/wanted-models.ts";
import { decodeLeaderStory } from "../../shared/wire/story.ts";
import type { JobRecord, Ledger } from "../core/ledger/index.ts";
import { type CopyPlace, copiesOwed } from "../core/replication/index.ts";
import type { BlobAccess } from "./blob-access.ts";
import type { Departure } from "./departure.ts";
import type { LedgerCalls } from "./deputy.ts";
import type { Drills } from "./drill/drills.ts";
import { Explaining } from "./explaining.ts";
import type { Handover } from "./handover.ts";
import { jobStory } from "./job-story.ts";
import type { Membership } from "./membership.ts";
import { type MeantModel, modelMeant, modelsIn } from "./model-names.ts";
import { Catalogue } from "./models/catalogue.ts";
import { wantedModels } from "./models/wanted.ts";
import type { Peers } from "./peers.ts";
import type { PipelineCatalogue } from "./pipelines/catalogue.ts";
import { PipelineRegistry } from "./pipelines/registry.ts";
import { stageViews } from "./pipelines/stage-views.ts";
import { placementView } from "./placement-view.ts";
import type { Proposer } from "./proposer.ts";
import { receiptOf } from "./receipt.ts";
import type { RuleBook } from "./rule-book.ts";
import type { Settings } from "./settings.ts";
import type { Surroundings } from "./surroundings.ts";
import { Verifier } from "./verifier.ts";
import { jobView, resultsOf } from "./views.ts";

export interface LedgerFaceInit {
  fleetId: FleetId;
  ledger: Ledger;
  proposer: Proposer;
  peers: Peers;
  blobAccess: BlobAccess;
  membership: Membership;
  settings: Settings;
  ruleBook: RuleBook;
  departure: Departure;
  handover: Handover;
  drills: Drills;
  pipelines: PipelineCatalogue;
  places: () => CopyPlace[];
  nodes: () => NodeView[];
  reachable: () => NodeId[];
  leader: () => NodeId | undefined;
}

const NEWS_DEADLINE_MS = 1_000;

/** The calls that read or move the ledger, answered from this node's own. */
export class LedgerFace implements LedgerCalls {
  readonly #world: Surroundings;
  readonly #init: LedgerFaceInit;
  readonly #verifier: Verifier;
  readonly #catalogue: Catalogue;
  readonly #pipelines: PipelineRegistry;
  readonly #explaining: Explaining;

  constructor(world: Surroundings, init: LedgerFaceInit) {
    this.#world = world;
    this.#init = init;
    this.#verifier = new Verifier(world, init);
    this.#catalogue = new Catalogue(world, init);
    this.#pipelines = new PipelineRegistry(world, init);
    this.#explaining = new Explaining(world, { ...init, askNews: (jobId) => this.#askNews(jobId) });
  }

  removeNode(nodeIdOrName: string): Promise<NodeId> {
    return this.#init.membership.remove(nodeIdOrName);
  }

  drainNode(nodeIdOrName: string, drained: boolean): Promise<DrainView> {
    return this.#init.departure.drain(nodeIdOrName, drained);
  }

  async labelNode(nodeIdOrName: string, labels: Labels): Promise<LabelsView> {
    const { nodeId, name } = this.#init.departure.nodeNamed(nodeIdOrName);
    await this.#init.proposer.propose({ kind: "nodeLabelled", nodeId, labels });
    return { nodeId, name, labels };
  }

  async transferLeader(nodeIdOrName?: string): Promise<{ leader: NodeId; term: number }> {
    const { departure, handover } = this.#init;
    return handover.transfer(nodeIdOrName === undefined ? undefined : departure.nodeNamed(nodeIdOrName).nodeId);
  }

  async copiesOwed(node: NodeId): Promise<CopiesOwed> {
    const { ledger, places } = this.#init;
    const wantedOf = (blob: BlobHash): number => ledger.copiesOf(blob);
    return copiesOwed({ holders: ledger.holders, places: places(), wantedOf, node });
  }

  invite(validForMs: number): Promise<InviteAnswer> {
    return this.#init.membership.invite(validForMs);
  }

  async jobs(): Promise<JobView[]> {
    const nodes = this.#init.nodes();
    const submitted = [...this.#init.ledger.jobs.values()].filter(({ parent }) => !parent);
    return submitted.reverse().map((job) => jobView(job, nodes, new Map()));
  }

  async job(jobId: JobId): Promise<JobDetail> {
    const job = this.#job(jobId);
    const news = isOpen(job.state) ? await this.#askNews(jobId) : undefined;
    const leased = new Map(news?.leased.map(({ nodeId, items }) => [nodeId, items]));
    const nodes = this.#init.nodes();
    const stages = stageViews(this.#init.ledger, job, { ...this.#init, nodes });
    const view = { ...jobView(job, nodes, leased), ...(stages && { stages }) };
    return { job: view, ...(news?.plan ? { plan: news.plan } : {}) };
  }

  async cancel(jobId: JobId): Promise<JobView> {
    const job = this.#job(jobId);
    const cancelledAtMs = this.#world.clock.nowMs();
    if (isOpen(job.state))
      await this.#init.proposer.propose({ kind: "jobCancelled", jobId, reason: "asked for", cancelledAtMs });
    // Asked for again: a snapshot may have put another in its place.
    return jobView(this.#job(jobId), this.#init.nodes(), new Map());
  }

  async pause(jobId: JobId, paused: boolean): Promise<JobView> {
    const { state } = this.#job(jobId);
    if (!isOpen(state)) throw new SkeinError("JOB_ENDED", { jobId, state });
    if ((state === "paused") !== paused) await this.#init.proposer.propose({ kind: "jobPaused", jobId, paused });
    return jobView(this.#job(jobId), this.#init.nodes(), new Map());
  }

  async why(jobId: JobId, shard?: string, item?: string): Promise<JobStory> {
    const leader = await this.#askStory(jobId);
    return jobStory(this.#job(jobId), this.#init.nodes(), leader, { shard, item });
  }

  explain(what: string, whyNot: string | undefined, whatIf: string[]): Promise<Explanation> {
    return this.#explaining.explain(what, { ...(whyNot !== undefined && { whyNot }), whatIf });
  }

  async forget(jobId: JobId): Promise<{ forgotten: JobId }> {
    if (isOpen(this.#job(jobId).state)) throw new SkeinError("JOB_OPEN", { jobId });
    await this.#init.proposer.propose({ kind: "jobsForgotten", jobIds: [jobId] });
    return { forgotten: jobId };
  }

  async results(jobId: JobId): Promise<ResultsPage> {
    const job = this.#job(jobId);
    return { job: jobView(job, this.#init.nodes(), new Map()), results: resultsOf(job, this.#init.ledger) };
  }

  async receipt(jobId: JobId): Promise<Receipt> {
    const job = this.#job(jobId);
    const view = jobView(job, this.#init.nodes(), new Map());
    return receiptOf(this.#world, this.#init, job, view);
  }

  async verify(jobId: JobId, request: VerifyRequest): Promise<VerifyPage> {
    return this.#verifier.verify(this.#job(jobId), request);
  }

  settings(): Promise<Setting[]> {
    return this.#init.settings.all();
  }

  setting(name: string): Promise<Setting> {
    return this.#init.settings.get(name);
  }

  async rules(): Promise<RuleView[]> {
    return this.#init.ruleBook.list();
  }

  addRule(rule: Rule): Promise<RuleView> {
    return this.#init.ruleBook.add(rule);
  }

  removeRule(ruleId: string): Promise<RuleView> {
    return this.#init.ruleBook.remove(ruleId);
  }

  async placement(): Promise<PlacementView> {
    return placementView(this.#init.ledger.planning, this.#init.nodes());
  }

  startDrill(request: DrillRequest): Promise<DrillAnswer> {
    return this.#init.drills.begin(request);
  }

  async drills(): Promise<DrillList> {
    return this.#init.drills.list();
  }

  drill(drillId: string): Promise<DrillView> {
    return this.#init.drills.view(drillId);
  }

  async runningDrill(): Promise<RunningDrill | null> {
    return this.#init.ledger.drills.running ?? null;
  }

  async modelMeant(text: string, key: string | null): Promise<MeantModel> {
    return modelMeant(modelsIn(this.#init.ledger), text, key);
  }

  async models(): Promise<ModelView[]> {
    return this.#catalogue.list();
  }

  async model(model: string): Promise<ModelDetail> {
    return this.#catalogue.show(model);
  }

  removeModel(model: string, force: boolean): Promise<ModelRemoval> {
    return this.#catalogue.remove(model, force);
  }

  aliasModel(name: string, alias: string, version: number): Promise<{ alias: string; version: number }> {
    return this.#catalogue.alias(name, alias, version);
  }

  async pipelines(): Promise<PipelineView[]> {
    return this.#pipelines.list();
  }

  async pipeline(pipeline: string): Promise<PipelineDetail> {
    return this.#pipelines.show(pipeline);
  }

  async checkPipeline(source: PipelineSource): Promise<PipelineCheckAnswer> {
    return this.#pipelines.check(source);
  }

  addPipeline(source: PipelineSource): Promise<PipelineAddAnswer> {
    return this.#pipelines.add(source);
  }

  removePipeline(pipeline: string, force: boolean): Promise<PipelineRemoval> {
    return this.#pipelines.remove(pipeline, force);
  }

  async pipelineParts(reference: string): Promise<PipelineParts> {
    return this.#pipelines.parts(reference);
  }

  async modelsFor(node: NodeId, mark: string): Promise<WantedModels> {
    return wantedModels(this.#init.ledger, node, mark, this.#world.sha256);
  }

  setSetting(name: string, value: string): Promise<Setting> {
    return this.#init.settings.set(name, value);
  }

  #job(jobId: JobId): JobRecord {
    const job = this.#init.ledger.jobs.get(jobId);
    if (!job || job.parent) throw new SkeinError("JOB_UNKNOWN", { jobId });
    return job;
  }

  async #askStory(jobId: JobId): Promise<LeaderStory | undefined> {
    const leader = this.#init.leader();
    if (!leader) return undefined;
    try {
      const answer = await this.#init.peers.ask(leader, "story", { jobId }, { deadlineMs: NEWS_DEADLINE_MS });
      return decodeLeaderStory(answer.storyJson);
    } catch (error) {
      this.#world.telemetry.log("debug", "jobStoryMissing", { reason: SkeinError.from(error).message });
      return undefined;
    }
  }

  async #askNews(jobId: JobId) {
    const leader = this.#init.leader();
    if (!leader) return undefined;
    try {
      return await this.#init.peers.ask(leader, "jobNews", { jobId }, { deadlineMs: NEWS_DEADLINE_MS });
    } catch (error) {
      this.#world.telemetry.log("debug", "jobNewsMissing", { reason: SkeinError.from(error).message });
      return undefined;
    }
  }
}
