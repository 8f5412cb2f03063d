import type { JobDecision, PlacementDecision } from "../../shared/decision.ts";
import { readJobDecision, readPlacementDecision } from "../../shared/decision-check.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { ExplainQuestion, Explanation } from "../../shared/explanation.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { JobId, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { BUILT_IN, isModelReference, modelReference } from "../../shared/model.ts";
import type { Answer } from "../../shared/peer-requests.ts";
import type { Program, Solution } from "../../shared/program.ts";
import { findModel, type Ledger } from "../core/ledger/index.ts";
import { explainJob, explainModel, explainNode, placementMatter, relaxedProgram } from "../core/planner/index.ts";
import type { Surroundings } from "./surroundings.ts";

/** For a linear program of milliseconds. */
const PRICE_MS = 1_000;

export interface ExplainingInit {
  ledger: Ledger;
  nodes: () => NodeView[];
  /** Of the leader; undefined if none answers. */
  askNews: (jobId: JobId) => Promise<Answer<"jobNews"> | undefined>;
}

/** Finds the decision that is asked about in the ledger, and has it explained. */
export class Explaining {
  readonly #world: Surroundings;
  readonly #init: ExplainingInit;

  constructor(world: Surroundings, init: ExplainingInit) {
    this.#world = world;
    this.#init = init;
  }

  /**
   * Of a job by its id, of a model by its name, `name:version` or `name:alias`, or of a node by its name or id.
   * @throws EXPLAIN_UNKNOWN, DECISION_MISSING, NODE_UNKNOWN, BAD_REQUEST
   */
  async explain(what: string, question: ExplainQuestion): Promise<Explanation> {
    const { ledger, nodes } = this.#init;
    const jobId = what as JobId;
    if (ledger.jobs.has(jobId)) return this.#withErrors(explainJob(this.#decisionOf(jobId), question));
    const pipeline = this.#modelNamed(what);
    if (pipeline !== undefined) return this.#explainModel(pipeline, question);
    const node = nodes().find((one) => one.name === what) ?? nodes().find((one) => one.nodeId === what);
    if (!node)
      throw new SkeinError("EXPLAIN_UNKNOWN", { what, isBuiltIn: (BUILT_IN as readonly string[]).includes(what) });
    const placement = this.#placement(node.name);
    const matter = {
      node,
      stands: this.#standingOn(node.nodeId),
      jobs: this.#lately(),
      ...(placement && { placement }),
    };
    return this.#withErrors(explainNode(matter, question), node);
  }

  #modelNamed(what: string): string | undefined {
    if (!isModelReference(what)) return undefined;
    const model = findModel(this.#init.ledger.planning, what);
    return model && modelReference(model.manifest);
  }

  /** Undefined if there was none yet. @throws DECISION_MISSING */
  #placement(what: string): PlacementDecision | undefined {
    const newest = this.#init.ledger.planning.placements.at(-1);
    return newest && this.#read(what, () => readPlacementDecision(newest.decisionJson));
  }

  /** The newest placement; what memory is worth only if the solver answers soon. */
  async #explainModel(pipeline: string, question: ExplainQuestion): Promise<Explanation> {
    const decision = this.#placement(pipeline);
    if (!decision) throw new SkeinError("DECISION_MISSING", { what: pipeline, kept: LIMITS.decisionsKept });
    const { program } = relaxedProgram(placementMatter(decision, pipeline));
    return explainModel(decision, pipeline, question, await this.#solved(program));
  }

  async #solved(program: Program): Promise<Solution | undefined> {
    try {
      return await this.#world.solver.solve(program, { timeLimitMs: PRICE_MS });
    } catch (error) {
      this.#world.telemetry.log("warn", "priceUnknown", { reason: SkeinError.from(error).message });
      return undefined;
    }
  }

  #decisionOf(jobId: JobId): JobDecision {
    const newest = this.#init.ledger.planning.decisions.get(jobId)?.at(-1);
    if (newest === undefined) throw new SkeinError("DECISION_MISSING", { what: jobId, kept: LIMITS.decisionsKept });
    return this.#read(jobId, () => readJobDecision(newest));
  }

  /** @throws DECISION_MISSING for what another version wrote, and this one cannot read */
  #read<T>(what: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      const { message: reason } = SkeinError.from(error);
      this.#world.telemetry.log("warn", "decisionUnreadable", { what, reason });
      throw new SkeinError("DECISION_MISSING", { what, kept: LIMITS.decisionsKept, reason });
    }
  }

  /** The newest first; what cannot be read is left out. */
  #lately(): JobDecision[] {
    const decided = [...this.#init.ledger.planning.decisions].reverse().slice(0, 4 * LIMITS.explainedJobsMax);
    return decided.flatMap(([jobId, kept]) => {
      try {
        return this.#read(jobId, () => readJobDecision(kept.at(-1)!));
      } catch (error) {
        if (SkeinError.from(error).code !== "DECISION_MISSING") throw error;
        return [];
      }
    });
  }

  #standingOn(nodeId: NodeId): string[] {
    const placed = this.#init.ledger.planning.placements.at(-1)?.replicas ?? [];
    return placed.filter(({ nodes }) => nodes.includes(nodeId)).map(({ pipeline }) => pipeline);
  }

  /** How far the leader's forecasts are off by now; nothing if no leader answers. */
  async #withErrors(explanation: Explanation, only?: NodeView): Promise<Explanation> {
    // Of a node no job is meant.
    const news = await this.#init.askNews(only ? ("" as JobId) : (explanation.what as JobId));
    const names = new Map(this.#init.nodes().map(({ nodeId, name }) => [nodeId, name]));
    const involved = only ? [only.nodeId] : explanation.nodes.map(({ nodeId }) => nodeId);
    const predictionErrors = (news?.predictionErrors ?? [])
      .filter(({ nodeId }) => involved.includes(nodeId))
      .map((error) => ({ ...error, name: names.get(error.nodeId) ?? error.nodeId }));
    return predictionErrors.length === 0 ? explanation : { ...explanation, predictionErrors };
  }
}
