/**
 * Tuning: which choice of executors, threads, batch, graph level, memory pattern, spinning and variant is the quickest for
 * a model on a box. Says what to try next and for how long, and is told what came of it; it runs nothing itself.
 */
export { type Axes, batched, defaultsChoice, finer, plainness, shapes } from "./choices.ts";
export { Search, type SearchInit, type TrialEnd, type TrialWanted } from "./search.ts";
