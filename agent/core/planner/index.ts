/**
 * The planner splits a job over unequal nodes: how many items each is expected to do, when the last one ends, and why
 * each node got what it got. One job alone needs no solver: the closed form (divisible load theory: at the optimum all
 * nodes that are used end together) gives the first wave and the expected end, and an exact rounding to whole items
 * follows. What the plan says is an expectation: while the job runs, nodes pull chunks, and measured work corrects it.
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
