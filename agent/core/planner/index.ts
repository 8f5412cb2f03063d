/**
 * The planner splits a job over unequal nodes: how many items each is expected to do, when the last one ends, and why
 * each node got what it got. One job alone needs no solver: the closed form (divisible load theory: at the optimum all
 * nodes that are used end together) gives the first wave and the expected end, and an exact rounding to whole items
 * follows. What the plan says is an expectation: while the job runs, nodes pull chunks, and measured work corrects it.
 */
export { type Condition, type Derating, Deratings, deratingOf } from "./derating.ts";
export { explainJob, explainNode, type NodeMatter } from "./explain/index.ts";
export { type PlanRequest, planJob } from "./plan-job.ts";
export { fluidBound, type SplitNode, type Uplink } from "./split.ts";
