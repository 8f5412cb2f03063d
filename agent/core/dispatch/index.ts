/**
 * The leader's table of shards: which node has which slice of which job, who gets the next one, what is taken back and from
 * whom, and when a slow shard deserves a second copy. A recorded item never comes back into the table.
 */
export { chunkItems } from "./chunk.ts";
export { Dispatch, type DispatchEffect, type DispatchEvent } from "./dispatch.ts";
export type { DispatchNode } from "./table.ts";
