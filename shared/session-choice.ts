/** How a model is run on a box: what a search may choose and an executor carries out. */
import { checkBoolean, checkKeys, checkOneOf, checkRecord, checkWhole } from "./checks.ts";

export const GRAPH_LEVELS = ["disabled", "basic", "extended", "layout", "all"] as const;

export interface SessionChoice {
  /** Executors that run this model at once. */
  executors: number;
  /** Threads within one run. */
  threads: number;
  /** Items that one run takes at most, if so many wait. */
  batch: number;
  /** By the names of onnxruntime's SessionOptions. */
  graphLevel: (typeof GRAPH_LEVELS)[number];
  memoryPattern: boolean;
  /** Threads that wait for work burn their core: quicker alone, harmful to whoever else runs. */
  spinning: boolean;
  /** Which graph of the manifest. */
  variant: "graph" | "int8";
}

/** Before anything was tried: one thread an executor, an executor a core (measured best for throughput almost everywhere). */
export const plainChoice = (executors: number): SessionChoice => ({
  executors,
  threads: 1,
  batch: 1,
  graphLevel: "all",
  memoryPattern: false,
  spinning: false,
  variant: "graph",
});

/** @throws BAD_REQUEST */
export function checkSessionChoice(value: unknown, at = "choice"): SessionChoice {
  const choice = checkRecord(value, at);
  const keys = ["executors", "threads", "batch", "graphLevel", "memoryPattern", "spinning", "variant"];
  checkKeys(choice, at, keys);
  return {
    executors: checkWhole(choice.executors, `${at}.executors`, 1, 256),
    threads: checkWhole(choice.threads, `${at}.threads`, 1, 256),
    batch: checkWhole(choice.batch, `${at}.batch`, 1, 1_024),
    graphLevel: checkOneOf(choice.graphLevel, `${at}.graphLevel`, GRAPH_LEVELS),
    memoryPattern: checkBoolean(choice.memoryPattern, `${at}.memoryPattern`),
    spinning: checkBoolean(choice.spinning, `${at}.spinning`),
    variant: checkOneOf(choice.variant, `${at}.variant`, ["graph", "int8"]),
  };
}
