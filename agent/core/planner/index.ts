/**
 * The planner splits a job over unequal nodes: how many items each is expected to do, when the last one ends, and why
 * each node got what it got. One job alone needs no solver: the closed form (divisible load theory: at the optimum all
 * nodes that are used end together) gives the first wave and the expected end, and an exact rounding to whole items
 * follows. What the plan says is an expectation: while the job runs, nodes pull chunks, and measured work corrects it.
 */
export { type PlannedNode, type PlanRequest, planJob } from "./plan-job.ts";
export { fluidBound, type SplitNode } from "./split.ts";
export { type Candidate, greedy, rounded } from "./placement/greedy.ts";
export { boundOf, placementProgram, readPlacement, sureOf } from "./placement/program.ts";
export { askWhere, type PlacementRequest } from "./placement/question.ts";
export { serve } from "./placement/serve.ts";
