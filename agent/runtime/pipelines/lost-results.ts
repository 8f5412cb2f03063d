import type { NodeId } from "../../../shared/ids.ts";
import type { JobRecord, Ledger } from "../../core/ledger/index.ts";

/** Tasks of a stage job whose output something still starts from, and none of these nodes holds. */
export function lostTasks(ledger: Ledger, stage: JobRecord, given: ReadonlySet<NodeId>): number[] {
  const found = ledger.stagingOf(stage);
  if (!found) return [];
  const isHeld = (task: number): boolean =>
    ledger.holdersOf(stage.results[task]!.output!).some((node) => given.has(node));
  return [...stage.results.keys()].filter((task) => found.staging.isNeeded(found.segment, task) && !isHeld(task));
}
