/**
 * Decisions explained from what they were made from, in sentences and in figures; and made again with something changed. A
 * decision is never made again from now: who asks a day later is told what was known then.
 */
export { explainJob } from "./job.ts";
export { explainModel } from "./model.ts";
export { placementMatter, relaxedProgram } from "./model-matter.ts";
export { explainNode, type NodeMatter } from "./node.ts";
