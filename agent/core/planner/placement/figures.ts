import type { PlacementModel, PlacementNode } from "../../../../shared/decision.ts";
import { bestBatch, type ModelProfile } from "../../../../shared/model-profile.ts";

/** What one node does with one model, all its executors together. */
export interface Figure {
  /** Before heat and battery. */
  itemsPerSecond: number;
  /** Once it stands, and at the most while it is loaded. */
  settledBytes: number;
  peakBytes: number;
  /** `guess`: from the model's size, and the slowest that is known. */
  from: "measured" | "class" | "guess";
}

/**
 * Of a model loaded from a file, beyond its executor, per byte of its files and for what its tensors take: measured for 180 MB
 * (2 and 1.2 times) and for 5 MB, whose tensors of 640 by 640 pixels took a hundred.
 */
const PEAK_PER_BYTE = 2;
const SETTLED_PER_BYTE = 1.25;
const TENSOR_BYTES = 96e6;
/** Of one executor, while nothing of any model is known. */
const UNKNOWN_PER_SECOND = 1;

/** Finds the figure of any pair: measured there, else on a box of its class, else guessed. */
export class Figures {
  readonly #byClass = new Map<string, ModelProfile>();
  readonly #slowest = new Map<string, number>();
  readonly #slowestOfAll: number;

  constructor(nodes: readonly PlacementNode[]) {
    let slowest = Number.POSITIVE_INFINITY;
    for (const node of nodes)
      for (const profile of node.profiles) {
        const perSecond = perExecutor(profile);
        slowest = Math.min(slowest, perSecond);
        this.#slowest.set(profile.pipeline, Math.min(perSecond, this.#slowest.get(profile.pipeline) ?? perSecond));
        const key = `${node.class} ${profile.pipeline}`;
        if (node.class !== undefined && !this.#byClass.has(key)) this.#byClass.set(key, profile);
      }
    this.#slowestOfAll = Number.isFinite(slowest) ? slowest : UNKNOWN_PER_SECOND;
  }

  of({ pipeline, bytes }: PlacementModel, node: PlacementNode): Figure {
    const own = node.profiles.find((profile) => profile.pipeline === pipeline);
    if (own) return figureOf(own, node.executors, own.source);
    const alike = this.#byClass.get(`${node.class} ${pipeline}`);
    if (alike) return figureOf(alike, node.executors, "class");
    return {
      itemsPerSecond: node.executors * (this.#slowest.get(pipeline) ?? this.#slowestOfAll),
      settledBytes: node.executors * (SETTLED_PER_BYTE * bytes + TENSOR_BYTES),
      peakBytes: node.executors * (PEAK_PER_BYTE * bytes + TENSOR_BYTES),
      from: "guess",
    };
  }
}

const figureOf = (profile: ModelProfile, executors: number, from: "measured" | "class"): Figure => ({
  itemsPerSecond: executors * perExecutor(profile),
  settledBytes: executors * profile.memorySettledBytes,
  peakBytes: executors * Math.max(profile.memoryPeakBytes, profile.memorySettledBytes),
  from,
});

function perExecutor(profile: ModelProfile): number {
  const batch = bestBatch(profile);
  const run = profile.runs.find(({ items }) => items === batch);
  return run ? (1_000 * run.items) / run.ms : UNKNOWN_PER_SECOND;
}
