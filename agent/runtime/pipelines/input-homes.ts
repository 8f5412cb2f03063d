import type { BlobHash, JobId, NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { LeasedItem } from "../../../shared/peer-requests.ts";
import type { ItemHome } from "../../core/dispatch/index.ts";
import { type JobRecord, type Ledger, taskParts } from "../../core/ledger/index.ts";

/** Tasks that are leased ahead of what they start from, and who holds a blob, be it recorded or on its way. */
interface Ahead {
  ahead(task: { jobId: JobId; item: number }): LeasedItem | undefined;
  holdersOf(jobId: JobId, blob: BlobHash): readonly NodeId[];
}
const nothingAhead = (ledger: Ledger): Ahead => ({
  ahead: () => undefined,
  holdersOf: (_, blob) => ledger.holdersOf(blob),
});

/**
 * Of tasks of stages: where most of what each starts from lies. Left out is what starts from so little that it goes along with
 * its lease, or comes with much else in one request.
 */
export function homesOf(
  ledger: Ledger,
  job: JobRecord,
  tasks: readonly number[],
  ahead = nothingAhead(ledger),
): Map<number, ItemHome> {
  const homes = new Map<number, ItemHome>();
  if (!ledger.stagingOf(job)) return homes;
  for (const task of tasks) {
    const home = homeOf(ledger, job, task, ahead);
    if (home) homes.set(task, home);
  }
  return homes;
}

function homeOf(ledger: Ledger, job: JobRecord, task: number, ahead: Ahead): ItemHome | undefined {
  const { jobId } = job;
  const all = ahead.ahead({ jobId, item: task })?.parts ?? taskParts(ledger, job, task) ?? [];
  const parts = all.filter((part) => part.kind !== "gap");
  // Most tasks of quick stages: who holds what need not be known of them.
  if (parts.reduce((sum, { bytes }) => sum + bytes, 0) <= LIMITS.smallInHandBytesMax) return undefined;
  const held = new Map<NodeId, number>();
  for (const part of parts) {
    // A list of which others take slices comes once for all that are run in one place.
    const bytes = part.kind === "values" && part.slice ? part.bytes / slicesWith(ledger, job, task) : part.bytes;
    for (const node of ahead.holdersOf(jobId, part.blob)) held.set(node, (held.get(node) ?? 0) + bytes);
  }
  const most = Math.max(0, ...held.values());
  if (most <= LIMITS.smallInHandBytesMax) return undefined;
  return { nodes: [...held].flatMap(([node, bytes]) => (bytes === most ? [node] : [])), bytes: most };
}

/** Tasks of the same segment and item, this one among them; 1 of one that has no place yet. */
function slicesWith(ledger: Ledger, job: JobRecord, task: number): number {
  const { staging, segment } = ledger.stagingOf(job)!;
  const known = staging.tasks.taskAt(segment, task);
  return (known && staging.tasks.slicesOf(segment, known.item)) ?? 1;
}
