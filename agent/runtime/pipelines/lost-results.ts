import type { NodeId } from "../../../shared/ids.ts";
import type { JobRecord, Ledger } from "../../core/ledger/index.ts";
import { stagesOf } from "../../core/ledger/index.ts";

/** Tasks of a stage job whose output is held by none of these nodes, while something of its item that takes it is not done. */
export function lostTasks(
  ledger: Ledger,
  job: JobRecord,
  { stage, given }: { stage: JobRecord; given: ReadonlySet<NodeId> },
): number[] {
  const lost = stage.results.flatMap((result, task) => {
    if (!result?.output) return [];
    const isHeld = ledger.holdersOf(result.output).some((node) => given.has(node));
    return isHeld ? [] : [task];
  });
  return lost.length === 0 ? [] : lost.filter((task) => isNeeded(ledger, job, stage, stage.tasks[task]!.item));
}

/** A segment after it has not got all its tasks of the item recorded, or none yet. */
function isNeeded(ledger: Ledger, job: JobRecord, stage: JobRecord, item: number): boolean {
  const place = stage.parent!.segment;
  const { segments } = job.form!;
  if (job.results[item] !== undefined) return false;
  const stages = stagesOf(ledger, job);
  return segments.some(({ after }, nth) => {
    if (!after.includes(place)) return false;
    const taker = stages[nth];
    if (!taker) return true;
    const results = taker.tasks.flatMap((task, at) => (task.item === item ? [taker.results[at]] : []));
    return results.length === 0 || results.some((result) => result === undefined);
  });
}
