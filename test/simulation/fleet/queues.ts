import { LIMITS } from "../../../shared/limits.ts";
import type { SimNode } from "./sim-node.ts";

/** What waits in a box, against its bound. */
export function queuesOf({ agent, engine, network }: SimNode): { what: string; length: number; max: number }[] {
  if (!agent || !engine || !network) return [];
  return [
    ...agent.queues(),
    { what: "items before the executors", length: engine.waiting, max: LIMITS.inferenceQueueMax },
    { what: "requests of one peer", length: network.answeringMax, max: LIMITS.requestsPerPeerMax },
    { what: "bytes before one wire", length: network.heldBytesMax, max: LIMITS.laneQueueBytesMax },
  ];
}
