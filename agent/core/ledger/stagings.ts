import type { JobId } from "../../../shared/ids.ts";
import { isOpen } from "../../../shared/job.ts";
import type { JobRecord } from "./job.ts";
import type { LedgerEvent } from "./outcome.ts";
import { stagesOf } from "./stages.ts";
import { Staging, type TaskChanges } from "./staging.ts";
import type { GrowingJob } from "./tasks.ts";

/** A job's place in a job of several segments. */
export interface StagedPart {
  staging: Staging;
  segment: number;
}

/** The tasks of all open jobs that are cut in several segments. */
export class Stagings {
  readonly #byJob = new Map<JobId, Staging>();

  constructor(jobs: ReadonlyMap<JobId, JobRecord> = new Map()) {
    for (const job of jobs.values()) {
      const stages = isOpen(job.state) ? stagesOf({ jobs }, job) : [];
      if (stages.length > 0) this.add(job, stages as GrowingJob[]);
    }
  }

  add(job: JobRecord, stages: readonly GrowingJob[]): Staging {
    const staging = new Staging(job, stages);
    this.#byJob.set(job.jobId, staging);
    return staging;
  }

  /** Of such a job, or of one of its stage jobs. */
  of({ jobId, parent }: JobRecord): StagedPart | undefined {
    const staging = this.#byJob.get(parent?.jobId ?? jobId);
    return staging && { staging, segment: parent?.segment ?? staging.stages.length };
  }

  /** The job has ended. */
  delete(jobId: JobId): void {
    this.#byJob.delete(jobId);
  }
}

/** As events, but for tasks of jobs that have ended: first what may not be leased any more, so that nobody does meanwhile. */
export function taskEvents(changes: TaskChanges): LedgerEvent[] {
  const told = (isOpened: boolean): LedgerEvent[] =>
    [...changes].flatMap(([job, places]): LedgerEvent[] => {
      const items = [...places].flatMap(([place, mayBeLeased]) => (mayBeLeased === isOpened ? [place] : []));
      return items.length > 0 && isOpen(job.state)
        ? [{ kind: isOpened ? "tasksOpened" : "tasksClosed", job, items }]
        : [];
    });
  return [...told(false), ...told(true)];
}
