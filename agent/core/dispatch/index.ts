/**
 * The leader's table of shards: which node has which slice of which job, who gets the next one, what is taken back and from
 * whom, when a slow shard deserves a second copy, and why. A recorded item only comes back
 * into the table where the ledger opens it again.
 */
export { chunkItems } from "./chunk.ts";
export { Dispatch, type DispatchEvent } from "./dispatch.ts";
export { HEDGE_ALLOWANCE_ITEMS, HEDGE_ALLOWANCE_SECONDS, HEDGE_PART } from "./hedge.ts";
export { ItemSet } from "./item-set.ts";
export type { DispatchEffect } from "./leases.ts";
export type { DispatchJob, DispatchNode, LeasedShard } from "./records.ts";
export { DurationSketch } from "./sketch.ts";
export type { ItemHome } from "./waiting-items.ts";
