/**
 * The planner: how a job is split over unequal nodes, where each model stands, what people's rules make of both, and why.
 * What it says is an expectation: while work runs, nodes pull chunks, and measured work corrects it. Which file decides what:
 *
 * A job's split: `plan-job` makes the plan and says whom it counts on; `split` is its arithmetic, the closed form (divisible
 * load theory: at the optimum all nodes that are used end together), its bound, and whole items; `ways` whether to split at
 * all, never slower than the best single node; `reasons` and `words` how it is said.
 * A node's speed: `derating`, what heat and battery are expected to leave of it.
 * What people ask: `rules`, what the rules mean for one node or one model now; `conflicts`, whether a new one can hold with the
 * others.
 * Where models stand, in placement/: `figures`, what a node does with a model, measured or guessed; `question`, which pairs may
 * be, what they cost in memory and moves; `serve`, what a placement serves; `greedy`, the quick answer, and when a placement is
 * better than another; `program`, the same question for the solver, and its answer read; `choose`, which of the answers is
 * taken; `trim`, what a decision may leave out to fit into the ledger.
 * Linear programs for a solver: `allocation`, needs and capacities in general; `shares`, how nodes divide their time over all
 * that is to be done.
 * Why, in explain/: `job*`, `model*` and `node` tell of one decision from what it was made from; `changes`, what "what if" may
 * change.
 */

export {
  type Allocation,
  type AllocationRequest,
  allocationProgram,
  type Capacity,
  type Need,
  readAllocation,
  wholeUnits,
} from "./allocation.ts";
export { type Conflict, conflictOf, type RuledFleet } from "./conflicts.ts";
export { type Condition, type Derating, Deratings, deratingOf } from "./derating.ts";
export {
  explainJob,
  explainModel,
  explainNode,
  type NodeMatter,
  placementMatter,
  relaxedProgram,
} from "./explain/index.ts";
export { type Answers, choose, type Occasion, standingOf } from "./placement/choose.ts";
export { type Figure, Figures } from "./placement/figures.ts";
export { type Candidate, candidate, greedy, isBetter, rounded } from "./placement/greedy.ts";
export { boundOf, type PlacementProgram, placementProgram, readPlacement, sureOf } from "./placement/program.ts";
export { askWhere, type PlacementRequest, type Question } from "./placement/question.ts";
export { type Served, serve } from "./placement/serve.ts";
export { trimDecision } from "./placement/trim.ts";
export { type PlanRequest, planJob } from "./plan-job.ts";
export { barredBecause, pinnedBy, type ReplicaRules, replicaRules, reservedBytes, restsBecause } from "./rules.ts";
export { readShares, type SharedWork, type Shares, sharesProgram } from "./shares.ts";
export { fluidBound, type SplitNode, type Uplink } from "./split.ts";
