import type { NodeId } from "../../../shared/ids.ts";
import type { DispatchNode } from "./records.ts";

/**
 * Nodes that heat or battery leave less than their whole speed rest between shards, so that on the whole they do as much as
 * is left to them. A smaller shard alone would change nothing: a node that is done sooner asks sooner.
 */
export class Sparing {
  readonly #untilMs = new Map<NodeId, number>();

  /** A node got work that takes so long at its full speed. */
  leased(node: DispatchNode, seconds: number, nowMs: number): void {
    const { nodeId, derating = 1 } = node;
    if (derating >= 1) this.#untilMs.delete(nodeId);
    else this.#untilMs.set(nodeId, Math.max(nowMs, this.#untilMs.get(nodeId) ?? 0) + (1_000 * seconds) / derating);
  }

  rests({ nodeId, derating = 1 }: DispatchNode, nowMs: number): boolean {
    return derating < 1 && nowMs < (this.#untilMs.get(nodeId) ?? 0);
  }

  keepOnly(nodes: ReadonlyMap<NodeId, unknown>): void {
    for (const nodeId of this.#untilMs.keys()) if (!nodes.has(nodeId)) this.#untilMs.delete(nodeId);
  }
}
