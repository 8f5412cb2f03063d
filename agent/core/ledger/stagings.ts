import type { JobId } from "../../../shared/ids.ts";
import { isOpen } from "../../../shared/job.ts";
import type { JobRecord } from "./job.ts";
import type { LedgerEvent } from "./outcome.ts";
import { stagesOf } from "./stages.ts";
import { type GrowingJob, Staging, type TaskChanges } from "./staging.ts";

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

/** As events, but for tasks of jobs that have ended. */
export function taskEvents(changes: TaskChanges): LedgerEvent[] {
  const events: LedgerEvent[] = [];
  for (const [job, places] of changes) {
    if (!isOpen(job.state)) continue;
    const opened = [...places].flatMap(([place, mayBeLeased]) => (mayBeLeased ? [place] : []));
    const closed = [...places].flatMap(([place, mayBeLeased]) => (mayBeLeased ? [] : [place]));
    if (closed.length > 0) events.push({ kind: "tasksClosed", job, items: closed });
    if (opened.length > 0) events.push({ kind: "tasksOpened", job, items: opened });
  }
  return events;
}
