import type { PredictionError } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { medianOf } from "./speeds.ts";

/** How far the times of shards were off that were foretold when they were leased, by node and pipeline. */
export class Predictions {
  readonly #errors = new Map<NodeId, Map<string, number[]>>();

  /** A shard that its node did as a whole. */
  observe(node: NodeId, pipeline: string, foretoldMs: number, tookMs: number): void {
    if (tookMs <= 0) return;
    const pipelines = this.#errors.get(node) ?? new Map<string, number[]>();
    this.#errors.set(node, pipelines);
    const errors = pipelines.get(pipeline) ?? [];
    pipelines.set(pipeline, errors);
    errors.push(Math.abs(foretoldMs - tookMs) / tookMs);
    if (errors.length > LIMITS.predictionsKept) errors.shift();
  }

  of(node: NodeId): PredictionError[] {
    return [...(this.#errors.get(node) ?? [])].map(([pipeline, errors]) => ({
      pipeline,
      median: medianOf(errors),
      shards: errors.length,
    }));
  }

  keepOnly(nodes: ReadonlyMap<NodeId, unknown>): void {
    for (const nodeId of this.#errors.keys()) if (!nodes.has(nodeId)) this.#errors.delete(nodeId);
  }
}
