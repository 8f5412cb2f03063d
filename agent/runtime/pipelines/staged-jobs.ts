import { type ErrorBody, SkeinError } from "../../../shared/errors.ts";
import type { NodeView } from "../../../shared/fleet.ts";
import type { JobId, NodeId } from "../../../shared/ids.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import type { CompiledPipeline, JobForm } from "../../../shared/pipeline/compiled.ts";
import type { Dispatch } from "../../core/dispatch/index.ts";
import { type JobRecord, type Ledger, type LedgerEvent, LostResults } from "../../core/ledger/index.ts";
import { type ChosenForm, type FormFacts, formOf, wholeForm } from "../../core/pipeline/index.ts";
import type { Events } from "../events.ts";
import type { Verdict } from "../item-faults.ts";
import type { Peers } from "../peers.ts";
import type { Proposer } from "../proposer.ts";
import type { Surroundings } from "../surroundings.ts";
import { type Ruling, whyNotEligible } from "../workers.ts";
import { formFacts } from "./form-facts.ts";
import { FormSlowness } from "./form-slowness.ts";
import { MissingOutputs, STAGE_OUTPUT_LOSSES_MAX } from "./missing-outputs.ts";
import type { KnownPipelines } from "./segments.ts";
import { StageFigures } from "./stage-figures.ts";

/** Before what could not be recorded is offered again. */
const RETRY_MS = 1_000;

export interface StagedJobsInit {
  ledger: Ledger;
  proposer: Proposer;
  peers: Peers;
  events: Events;
  pipelines: KnownPipelines;
  nodes: () => NodeView[];
  ruling: () => Ruling;
  dispatch: Pick<Dispatch, "seenRateOf">;
}

/**
 * While this node leads: decides once how each job of a pipeline is cut, and has results made again that are lost with the
 * nodes that held them.
 */
export class StagedJobs {
  readonly #world: Surroundings;
  readonly #init: StagedJobsInit;
  /** What was offered to the ledger, and when last. */
  readonly #offeredAtMs = new Map<string, number>();
  readonly #why = new Map<JobId, string>();
  readonly #slowness: FormSlowness;
  readonly #missing: MissingOutputs;
  readonly #lost: LostResults;

  constructor(world: Surroundings, init: StagedJobsInit) {
    this.#world = world;
    this.#init = init;
    this.#slowness = new FormSlowness(world.clock, init.ledger);
    this.#missing = new MissingOutputs(world, init);
    this.#lost = new LostResults(init.ledger);
  }

  /** Why it is cut as it is, if this leader decided that. */
  whyOf(jobId: JobId): string | undefined {
    return this.#why.get(jobId);
  }

  ledgerMoved(event: LedgerEvent): void {
    this.#lost.ledgerMoved(event);
  }

  close(job: JobRecord): void {
    const { jobId } = job;
    this.#slowness.ended(job);
    this.#missing.close(jobId);
    this.#lost.close(jobId);
    this.#why.delete(jobId);
    for (const key of this.#offeredAtMs.keys()) if (key.includes(jobId)) this.#offeredAtMs.delete(key);
  }

  /** A task could not be begun, or not go on. Why it never will, if what it misses is not made again. */
  couldNotRun(task: { jobId: JobId; item: number }, error: ErrorBody): Verdict | undefined {
    const maker = this.#missing.missed(task, error);
    return maker === undefined
      ? undefined
      : { code: "STAGE_OUTPUT_LOST", facts: { maker, times: STAGE_OUTPUT_LOSSES_MAX + 1 } };
  }

  /** @param given nodes that work is given to now; what others hold counts as lost */
  look(given: ReadonlySet<NodeId>): void {
    const { ledger } = this.#init;
    this.#slowness.look();
    for (const job of ledger.openJobs()) {
      if (!job.staged) continue;
      if (!job.form) this.#form(job);
      else if (job.state === "running") this.#findLost(job, given);
    }
  }

  /** Not before every stage of it can be run by some node: until then nothing could begin anyway. */
  #form(job: JobRecord): void {
    const { jobId } = job;
    if (this.#isOffered(`form ${jobId}`)) return;
    const pipeline = this.#init.pipelines.compiled(job.pipeline);
    if (!pipeline) return;
    const able = this.#init.nodes().filter((node) => whyNotEligible(node, this.#init.ruling()) === undefined);
    const figures = new StageFigures(this.#init.nodes());
    const seenRate = ({ nodeId }: NodeView) => this.#init.dispatch.seenRateOf(nodeId, pipeline.reference);
    const slowness = this.#slowness.of(pipeline.reference);
    const facts = { ...formFacts(pipeline, job, { able, figures, seenRate }), slowness };
    if (!pipeline.stages.every((_, place) => facts.nodes.some(({ canRun }) => canRun[place]))) return;
    const { form, why, seconds } = this.#formOf(pipeline, facts, job);
    this.#why.set(jobId, why);
    if (seconds !== undefined) this.#slowness.began(job, { isStaged: form.segments.length > 1, seconds });
    this.#init.events.emit("jobFormChosen", { jobId, segments: namesOf(form), why });
    this.#offer(`form ${jobId}`, { kind: "jobFormed", jobId, form });
  }

  /** A fault in the foretelling must not end this leader, and the next one over the same job. */
  #formOf(pipeline: CompiledPipeline, facts: FormFacts, { jobId, cut }: JobRecord): ChosenForm {
    try {
      return formOf(pipeline, facts, cut);
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#init.events.emit("jobFormFailed", { jobId, reason }, "error");
      return wholeForm(pipeline, facts);
    }
  }

  #findLost(job: JobRecord, given: ReadonlySet<NodeId>): void {
    for (const { stage, tasks } of this.#lost.of(job, given)) {
      const items = tasks.filter((place) => !this.#missing.isHopeless(stage, place));
      const key = `lost ${stage.jobId}`;
      if (items.length === 0 || this.#isOffered(key)) continue;
      const facts = { jobId: job.jobId, segment: stage.pipeline, tasks: items.length };
      this.#init.events.emit("stageResultsLost", facts, "warn");
      const withTheirMakers = items.filter((place) => given.has(stage.results[place]!.node));
      this.#offer(key, { kind: "resultsLost", jobId: stage.jobId, items }, () => {
        for (const place of withTheirMakers) this.#missing.lost(stage, place);
      });
    }
  }

  #isOffered(key: string): boolean {
    return this.#world.clock.monotonicMs() - (this.#offeredAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < RETRY_MS;
  }

  /** Looked at again later: a proposal that came to nothing is made anew. */
  #offer(key: string, entry: LedgerEntry, onApplied: () => void = () => {}): void {
    this.#offeredAtMs.set(key, this.#world.clock.monotonicMs());
    this.#init.proposer.propose(entry).then(onApplied, (error: unknown) => {
      this.#world.telemetry.log("warn", "stagesUnrecorded", { key, reason: SkeinError.from(error).message });
    });
  }
}

const namesOf = ({ segments }: JobForm): string => segments.map(({ name }) => name).join(" ");
