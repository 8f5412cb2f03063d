import type { PlacementDecision, PlacementModel } from "../../shared/decision.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
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
import { demandChange, demandOf } from "./placement-demand.ts";
import { placementNodes } from "./placement-nodes.ts";
import { type Found, searchPlacement } from "./placement-search.ts";
import { decisionFrom } from "./placement-view.ts";
import type { Proposer } from "./proposer.ts";
import type { Surroundings } from "./surroundings.ts";
import { rulesOf } from "./workers.ts";

export interface PlacementLoopInit {
  ledger: Ledger;
  proposer: Proposer;
  events: Events;
  nodes: () => NodeView[];
}

/** Boxes that a model stands on unless a rule says otherwise, if there are so many: one may die. */
const REPLICAS_MIN = 2;
/** A change of the demand that is worth a thought. */
const DEMAND_CHANGE = 1.2;
/** And of a box's memory. */
const MEMORY_CHANGE = 256e6;

/** What is known before the solver is asked. */
interface Quick {
  question: Question;
  standing: Candidate | undefined;
  key: string;
  turn: number;
}

interface Failure {
  because: string;
  atMs: number;
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
  /** By node and pipeline. */
  readonly #failures = new Map<string, Failure>();

  constructor(world: Surroundings, init: PlacementLoopInit) {
    this.#world = world;
    this.#init = init;
  }

  begin(term: number): void {
    this.#term = term;
    this.#life++;
    this.#leads = true;
    this.#failures.clear();
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
    if (event.kind === "jobSubmitted" || event.kind === "jobEnded") this.#lookAtDemand();
  }

  /** A box came, went, rests or is back; a model failed to load on one. */
  fleetChanged(): void {
    if (!this.#leads || this.#init.ledger.planning.models.size === 0) return;
    if (this.#noteFailures()) this.#want("a model failed to load");
    const able = this.#ableNow();
    if (able !== this.#able && this.#able !== "") this.#want("the fleet changed", TIMING.placementFleetMs);
  }

  #lookAtDemand(): void {
    const { ledger } = this.#init;
    if (ledger.planning.models.size === 0) return;
    const { clock } = this.#world;
    const now = demandOf([...ledger.planning.models.keys()], ledger.jobs.values(), clock.nowMs());
    if (demandChange(this.#demand, now) < DEMAND_CHANGE) return;
    const waitMs = this.#decidedAtMs + TIMING.placementDemandMs - clock.monotonicMs();
    this.#want("the demand changed", Math.max(TIMING.placementSoonMs, waitMs));
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
    this.#demand = demandOf([...ledger.planning.models.keys()], ledger.jobs.values(), nowMs);
    this.#decidedAtMs = clock.monotonicMs();
    this.#noteFailures();
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
    const situation = { ruling: { rules, nowMs }, models, before, failed: (view: NodeView) => this.#failedOn(view) };
    return askWhere({ nodes: placementNodes(views, situation), models, rules, before });
  }

  #ableNow(): string {
    const { ledger, nodes } = this.#init;
    const ruling = { rules: rulesOf(ledger.planning), nowMs: this.#world.clock.nowMs() };
    const situation = { ruling, models: [], before: [], failed: () => [] };
    return placementNodes(nodes(), situation)
      .filter(({ eligible, rests, executors }) => (eligible || rests) && executors > 0)
      .map(({ nodeId, rests }) => `${nodeId}${rests ? " rests" : ""}`)
      .join(" ");
  }

  /** Whether there is a new one. */
  #noteFailures(): boolean {
    const atMs = this.#world.clock.monotonicMs();
    let isNew = false;
    for (const { nodeId, report } of this.#init.nodes())
      for (const { pipeline, state, reason } of report?.models ?? []) {
        if (state !== "failed" || !this.#isMeant(nodeId, pipeline)) continue;
        const key = keyOf(nodeId, pipeline);
        if (this.#failures.has(key)) continue;
        this.#failures.set(key, { because: reason ?? "it gave no reason", atMs });
        isNew = true;
      }
    for (const [key, failure] of this.#failures)
      if (atMs - failure.atMs > TIMING.placementFailedMs) this.#failures.delete(key);
    return isNew;
  }

  /** Of one that it shall not have any more, an old failure is no news. */
  #isMeant(nodeId: NodeId, pipeline: string): boolean {
    const replicas = this.#init.ledger.planning.placements.at(-1)?.replicas ?? [];
    return replicas.some((one) => one.pipeline === pipeline && one.nodes.includes(nodeId));
  }

  #failedOn({ nodeId }: NodeView): { pipeline: string; because: string }[] {
    return [...this.#init.ledger.planning.models.keys()].flatMap((pipeline) => {
      const failure = this.#failures.get(keyOf(nodeId, pipeline));
      return failure ? [{ pipeline, because: failure.because }] : [];
    });
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

const keyOf = (nodeId: NodeId, pipeline: string): string => `${nodeId} ${pipeline}`;

/** Of a question whose figures moved a little it is the same. */
function keyOfQuestion({
  models,
  nodes,
  rate,
  memory,
  stands,
  pinned,
  min,
  max,
  whyNot,
  moveSeconds,
}: Question): string {
  const coarse = (value: number): string => value.toPrecision(1);
  return JSON.stringify([
    models.map(({ pipeline, demandPerSecond }) => [
      pipeline,
      Math.round(Math.log(demandPerSecond) / Math.log(DEMAND_CHANGE)),
    ]),
    nodes.map(({ nodeId }) => nodeId),
    Array.from(rate, coarse),
    Array.from(memory, (bytes) => Math.round(bytes / MEMORY_CHANGE)),
    Array.from(moveSeconds, coarse),
    [...stands].join(""),
    [...pinned].join(""),
    [...whyNot.keys()],
    min,
    max,
  ]);
}

/** Other places, other reasons, or the solver's word on what only the greedy rule had said. */
function saysMore(decision: PlacementDecision, replicas: PlacementDecision["replicas"], lastJson: string): boolean {
  const placesOf = (all: PlacementDecision["replicas"]): string =>
    all
      .map(({ pipeline, nodes }) => `${pipeline} ${[...nodes].sort().join(" ")}`)
      .sort()
      .join("\n");
  if (placesOf(decision.replicas) !== placesOf(replicas)) return true;
  const last = decisionFrom(lastJson);
  const isProved = decision.boundBy === "solver" && last?.boundBy !== "solver";
  // The reasons tell figures that are others every time; whom they are about says enough.
  const shortOf = (one: PlacementDecision | undefined): string =>
    (one?.short ?? []).map(({ pipeline }) => pipeline).join();
  return isProved || shortOf(decision) !== shortOf(last);
}
