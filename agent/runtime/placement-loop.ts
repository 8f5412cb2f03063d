import type { PlacementDecision, PlacementModel } from "../../shared/decision.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import { modelBytes } from "../../shared/model.ts";
import type { Ledger, LedgerEvent } from "../core/ledger/index.ts";
import {
  askWhere,
  type Candidate,
  choose,
  greedy,
  type Occasion,
  type Question,
  replicaRules,
  standingOf,
  trimDecision,
} from "../core/planner/index.ts";
import type { Cancel } from "../ports/index.ts";
import type { Events } from "./events.ts";
import { modelsTogether } from "./models/together.ts";
import { modelRuns } from "./pipelines/model-runs.ts";
import type { KnownPipelines } from "./pipelines/segments.ts";
import { DEMAND_CHANGE, keyOfQuestion, saysMore } from "./placement-change.ts";
import { demandChange, demandOf } from "./placement-demand.ts";
import { PlacementFailures } from "./placement-failures.ts";
import { placementNodes, whyNotOf } from "./placement-nodes.ts";
import { type Found, searchPlacement } from "./placement-search.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";
import { rulesOf } from "./workers.ts";

export interface PlacementLoopInit {
  ledger: Ledger;
  proposer: Proposer;
  events: Events;
  pipelines: Pick<KnownPipelines, "compiled">;
  nodes: () => NodeView[];
}

/** Boxes that a model stands on unless a rule says otherwise, if there are so many: one may die. */
const REPLICAS_MIN = 2;

/** What is known before the solver is asked. */
interface Quick {
  question: Question;
  standing: Candidate | undefined;
  key: string;
  turn: number;
}

/**
 * While this node leads: decides where each model stands, and has that agreed. The greedy rule answers at once where
 * something is amiss (a new model, a box that went), so that nobody waits; the solver's answer follows, if it is better by more
 * than a move is worth. Without a model in the ledger it does nothing at all.
 */
export class PlacementLoop {
  readonly #world: Surroundings;
  readonly #init: PlacementLoopInit;
  #term = 0;
  /** Counts up with each leadership: what was begun in an earlier one ends without a word. */
  #life = 0;
  #leads = false;
  #ticking: Cancel = () => {};
  #soon: Cancel | undefined;
  #dueAtMs = 0;
  #because: string | undefined;
  #isBusy = false;
  /** Counts what was looked at: an answer to an older question is not taken. */
  #turn = 0;
  /** Nodes that could take models, and those that rest, when that was decided last. */
  #able = "";
  /** What the solver answered last: until something moves, it would say the same again. */
  #answered = "";
  #demand: ReadonlyMap<string, number> = new Map();
  #decidedAtMs = 0;
  readonly #failures: PlacementFailures;

  constructor(world: Surroundings, init: PlacementLoopInit) {
    this.#world = world;
    this.#init = init;
    this.#failures = new PlacementFailures(world.clock, init);
  }

  begin(term: number): void {
    this.#term = term;
    this.#life++;
    this.#leads = true;
    this.#failures.forget();
    this.#able = "";
    this.#answered = "";
    this.#ticking = this.#world.clock.every(TIMING.placementMs, () => this.#want("it was time to look again"));
    this.#want("another box leads");
  }

  end(): void {
    this.#leads = false;
    this.#life++;
    this.#ticking();
    this.#soon?.();
    this.#soon = undefined;
    this.#because = undefined;
  }

  ledgerMoved(event: LedgerEvent): void {
    if (!this.#leads) return;
    if (event.kind === "modelAdded") this.#want("a model was added");
    if (event.kind === "modelRemoved") this.#want("a model was removed");
    if (event.kind === "rulesChanged") this.#want("the rules changed");
    if (event.kind === "pipelinesChanged") this.#want("the pipelines changed");
    if (event.kind === "jobSubmitted" || event.kind === "jobEnded") this.#lookAtDemand();
  }

  /** A box came, went, rests or is back; a model failed to load on one. */
  fleetChanged(): void {
    if (!this.#leads || this.#init.ledger.planning.models.size === 0) return;
    if (this.#failures.note()) this.#want("a model failed to load");
    const able = this.#ableNow();
    if (able !== this.#able && this.#able !== "") this.#want("the fleet changed", TIMING.placementFleetMs);
  }

  #lookAtDemand(): void {
    const { ledger } = this.#init;
    if (ledger.planning.models.size === 0) return;
    const { clock } = this.#world;
    const now = this.#demandNow(clock.nowMs());
    if (demandChange(this.#demand, now) < DEMAND_CHANGE) return;
    const waitMs = this.#decidedAtMs + TIMING.placementDemandMs - clock.monotonicMs();
    this.#want("the demand changed", Math.max(TIMING.placementSoonMs, waitMs));
  }

  /** Work of pipelines asks for the models of their stages. */
  #demandNow(nowMs: number): Map<string, number> {
    const { ledger, pipelines, nodes } = this.#init;
    const runs = modelRuns(pipelines, nodes());
    return demandOf([...ledger.planning.models.keys()], ledger.jobs.values(), nowMs, runs);
  }

  /** Several wishes are one decision, when the most urgent of them wants it. */
  #want(because: string, afterMs: number = TIMING.placementSoonMs): void {
    if (!this.#leads || this.#init.ledger.planning.models.size === 0) return;
    const { clock } = this.#world;
    const dueAtMs = clock.monotonicMs() + afterMs;
    if (this.#soon && this.#dueAtMs <= dueAtMs) return;
    this.#soon?.();
    this.#because = because;
    this.#dueAtMs = dueAtMs;
    this.#soon = clock.after(afterMs, () => {
      this.#soon = undefined;
      void this.#decide();
    });
  }

  async #decide(): Promise<void> {
    if (!this.#because) return;
    const life = this.#life;
    const because = this.#because;
    if (this.#isBusy) {
      // A search is under way: who has no place gets one now, and all is thought through again when it has ended.
      await this.#unlessItFails(() => this.#placeNow(because));
      return;
    }
    this.#because = undefined;
    this.#isBusy = true;
    await this.#unlessItFails(() => this.#think(because, () => this.#leads && this.#life === life));
    this.#isBusy = false;
    // Meanwhile something may have been wished for.
    if (this.#because) this.#want(this.#because);
  }

  /** Without a quorum, say: it is tried again when it is time to look again. */
  async #unlessItFails(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#world.telemetry.log("warn", "placementUndecided", { reason: SkeinError.from(error).message });
    }
  }

  async #think(because: string, leads: () => boolean): Promise<void> {
    const startedMs = this.#world.clock.monotonicMs();
    const quick = await this.#placeNow(because);
    if (!quick || !leads() || quick.key === this.#answered) return;
    const { question, standing, turn } = quick;
    const base = greedy(question);
    const found = await this.#search(question, base, standing);
    // Where something was decided meanwhile this answer is of another question.
    if (!leads() || turn !== this.#turn) return;
    // After a failure it is asked again, whatever else stayed as it was.
    if (found.bound !== undefined) this.#answered = quick.key;
    const solveSeconds = (this.#world.clock.monotonicMs() - startedMs) / 1_000;
    const answers = { greedy: base, ...(standing && { standing }), ...found, solveSeconds };
    await this.#settle(choose(question, answers, this.#occasion(because)));
  }

  /** By the greedy rule, if what stands cannot stay so; then that is what stands. Undefined without a model. */
  async #placeNow(because: string): Promise<Quick | undefined> {
    const asked = this.#ask();
    if (asked.models.length === 0) return undefined;
    const standing = standingOf(asked);
    if (standing) return this.#quick(asked, standing);
    await this.#settle(choose(asked, { greedy: greedy(asked), solveSeconds: 0 }, this.#occasion(because)));
    const question = this.#ask();
    return this.#quick(question, standingOf(question));
  }

  #quick(question: Question, standing: Candidate | undefined): Quick {
    return { question, standing, key: keyOfQuestion(question), turn: ++this.#turn };
  }

  #occasion(because: string): Occasion {
    return { term: this.#term, madeAtMs: this.#world.clock.nowMs(), because };
  }

  /** What the solver makes of it; nothing if there are too many pairs for it, or if it failed. */
  async #search(question: Question, base: Candidate, standing: Candidate | undefined): Promise<Found> {
    if (question.models.length * question.nodes.length > LIMITS.placementSolvedPairsMax) return {};
    try {
      return await searchPlacement(this.#world.solver, question, base, standing);
    } catch (error) {
      const { message: reason } = SkeinError.from(error);
      this.#init.events.emit("solverFailed", { reason }, "warn");
      return {};
    }
  }

  #ask(): Question {
    const { ledger, nodes } = this.#init;
    const { clock } = this.#world;
    const nowMs = clock.nowMs();
    const views = nodes();
    const rules = rulesOf(ledger.planning);
    this.#demand = this.#demandNow(nowMs);
    this.#decidedAtMs = clock.monotonicMs();
    this.#failures.note();
    this.#able = this.#ableNow();
    const models = [...ledger.planning.models].map(([pipeline, { manifest }]): PlacementModel => {
      const { min, max } = replicaRules(rules, pipeline);
      return {
        pipeline,
        bytes: modelBytes(manifest),
        demandPerSecond: this.#demand.get(pipeline)!,
        replicasMin: min?.count ?? Math.min(REPLICAS_MIN, max?.count ?? REPLICAS_MIN),
        replicasMax: max?.count ?? views.length,
      };
    });
    const before = ledger.planning.placements.at(-1)?.replicas ?? [];
    const situation = { ruling: { rules, nowMs }, models, before, failed: (view: NodeView) => this.#failures.on(view) };
    const together = modelsTogether(ledger.planning, this.#init.pipelines);
    return askWhere({ nodes: placementNodes(views, situation), models, rules, together, before });
  }

  #ableNow(): string {
    const { ledger, nodes } = this.#init;
    const ruling = { rules: rulesOf(ledger.planning), nowMs: this.#world.clock.nowMs() };
    return nodes()
      .flatMap((view) => {
        const whyNot = whyNotOf(view, ruling);
        const isAble = (!whyNot || whyNot.rests) && (view.report?.executors ?? 0) > 0;
        return isAble ? [`${view.nodeId}${whyNot ? " rests" : ""}`] : [];
      })
      .join(" ");
  }

  /** Has it agreed on, if it says anything that the last one did not. */
  async #settle(decision: PlacementDecision): Promise<void> {
    const { ledger, proposer, events } = this.#init;
    const last = ledger.planning.placements.at(-1);
    if (last && !saysMore(decision, last.replicas, last.decisionJson)) return;
    const { term, replicas } = decision;
    const decisionJson = JSON.stringify(trimDecision(decision, LIMITS.placementBytesMax));
    await proposer.propose({ kind: "placementDecided", term, replicas, decisionJson });
    const { because, by, served, bound, solveSeconds, short } = decision;
    events.emit("modelsPlaced", { because, by, served, bound, solveSeconds, short: short.length });
  }
}
