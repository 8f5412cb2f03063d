import type { NodeId } from "../../shared/ids.ts";
import type { DispatchEvent } from "../core/dispatch/index.ts";
import { type JobRecord, type Ledger, type LedgerEvent, stagesOf } from "../core/ledger/index.ts";
import { homesOf } from "./pipelines/input-homes.ts";

/** A job that is cut in several segments with its stage jobs, which begin first; of others the job alone. */
export const recordsOf = (job: JobRecord, ledger: Ledger): JobRecord[] => [...stagesOf(ledger, job), job];

/** What a change of the ledger means to a leader's table, for jobs that are in it. */
export function dispatchEventsOf(event: LedgerEvent, ledger: Ledger): DispatchEvent[] {
  switch (event.kind) {
    case "jobPaused": {
      const paused = event.job.state === "paused";
      return recordsOf(event.job, ledger).map(({ jobId }) => ({ kind: "jobPaused", jobId, paused }));
    }
    case "tasksOpened":
      return [
        {
          kind: "itemsOpened",
          jobId: event.job.jobId,
          items: event.items,
          homes: homesOf(ledger, event.job, event.items),
        },
      ];
    case "tasksClosed":
      return tasksClosed(event, ledger);
    case "resultsRecorded":
      return resultsRecorded(event);
    default:
      return [];
  }
}

/** Of an item that has ended nothing is wanted any more; where a part was lost it comes again. */
function tasksClosed({ job, items }: LedgerEvent & { kind: "tasksClosed" }, ledger: Ledger): DispatchEvent[] {
  const { jobId, parent, tasks } = job;
  const whole = parent ? ledger.jobs.get(parent.jobId) : job;
  const hasEnded = (item: number): boolean => whole?.results[parent ? tasks[item]!.item : item] !== undefined;
  return [true, false].flatMap((isOver): DispatchEvent[] => {
    const some = items.filter((item) => hasEnded(item) === isOver);
    return some.length > 0 ? [{ kind: "itemsClosed", jobId, items: some, isOver }] : [];
  });
}

function resultsRecorded({ job, results }: LedgerEvent & { kind: "resultsRecorded" }): DispatchEvent[] {
  const byNode = new Map<NodeId, number[]>();
  for (const { item, node } of results) byNode.set(node, [...(byNode.get(node) ?? []), item]);
  return [...byNode].map(([node, items]) => ({ kind: "itemsRecorded", jobId: job.jobId, items, node }));
}
