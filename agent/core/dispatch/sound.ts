import { invariant } from "../../../shared/errors.ts";
import type { DispatchTable } from "./table.ts";

/** Throws where the table contradicts itself. */
export function assertTableSound(table: DispatchTable): void {
  for (const shard of table.shards.values()) {
    const { shardId, jobId, node, items, reported } = shard;
    const job = table.jobs.get(jobId);
    invariant(items.size > 0, `${shardId}: a leased shard has items`);
    invariant(job, `${shardId}: its job is open`);
    invariant(job.shards.has(shard) && table.shardsOf(node).includes(shard), `${shardId}: is found by job and by node`);
    for (const item of reported) invariant(items.has(item), `${shardId}: what is reported is leased`);
    for (const item of items) {
      const waits = job.waiting.has(item) || job.picky.has(item) || job.restingUntilMs.has(item);
      invariant(!waits, `${shardId}: a leased item does not wait`);
      const copies = table.copiesOf(jobId, item);
      invariant(copies.includes(shard), `${shardId}: is found by item`);
      invariant(copies.length <= 2, `${shardId}: at most two copies run at a time`);
      invariant(
        new Set(copies.map((copy) => copy.node)).size === copies.length,
        `${shardId}: copies are on different nodes`,
      );
    }
  }
  for (const [nodeId] of table.nodes) {
    const counted = table.shardsOf(nodeId).reduce((sum, shard) => sum + shard.items.size, 0);
    invariant(counted === table.itemsLeasedTo(nodeId), `${nodeId}: its items are counted`);
  }
  for (const job of table.jobs.values())
    for (const [item, copies] of job.copies)
      for (const copy of copies) invariant(copy.items.has(item), `${copy.shardId}: has what it is listed for`);
}
