import { JOB_PRIORITIES, type JobPriority } from "../../../shared/job.ts";
import type { DispatchJob } from "./records.ts";

/** For each second of work handed to a higher priority, a lower one that waits is owed this much, so that it never starves. */
const LOWER_SHARE = 1 / 20;
/** It gets its turn once it is owed about a shard. */
const TURN_SECONDS = 2;
/** Jobs of one priority that were served alike within this count as equal: the earlier deadline goes first. */
const EQUAL_SECONDS = 2;

export interface Turn {
  job: DispatchJob;
  /** Lower priorities that could have had it. */
  passedOver: JobPriority[];
}

/**
 * Whose work goes next. Between priorities strictly the highest, but for what a lower one is owed; within one, the job that
 * was served least, in seconds of node time handed out (stride scheduling: Waldspurger and Weihl, 1995). A job that comes
 * later starts level with the others and does not make up for the time before. The parts of one job share its turn.
 */
export class Turns {
  readonly #owedSeconds: Record<JobPriority, number> = { low: 0, normal: 0, high: 0 };
  /** How far the jobs of a priority have been served: what its last turn began at. */
  readonly #levelSeconds: Record<JobPriority, number> = { low: 0, normal: 0, high: 0 };

  next(jobs: Iterable<DispatchJob>, isWilling: (job: DispatchJob) => boolean): Turn | undefined {
    const best: Partial<Record<JobPriority, DispatchJob>> = {};
    for (const job of jobs) {
      if (job.paused || !isWilling(job)) continue;
      const other = best[job.priority];
      if (!other || this.#goesBefore(job, other)) best[job.priority] = job;
    }
    const waiting = JOB_PRIORITIES.filter((priority) => best[priority]);
    const chosen = waiting.find((priority) => this.#owedSeconds[priority] >= TURN_SECONDS) ?? waiting.at(-1);
    if (chosen === undefined) return undefined;
    return { job: best[chosen]!, passedOver: waiting.slice(0, waiting.indexOf(chosen)) };
  }

  served({ job, passedOver }: Turn, seconds: number): void {
    const { priority } = job;
    const level = Math.max(job.turn.servedSeconds, this.#levelSeconds[priority]);
    // A job's own arrears are at most what makes it first; more would let it shut the others out.
    this.#levelSeconds[priority] = Math.max(this.#levelSeconds[priority], job.turn.servedSeconds);
    job.turn.servedSeconds = Math.max(job.turn.servedSeconds, level - EQUAL_SECONDS) + seconds;
    this.#owedSeconds[priority] = Math.max(0, this.#owedSeconds[priority] - seconds);
    for (const lower of passedOver)
      this.#owedSeconds[lower] = Math.min(10 * TURN_SECONDS, this.#owedSeconds[lower] + seconds * LOWER_SHARE);
  }

  /** A job that opens. */
  levelOf(priority: JobPriority): number {
    return this.#levelSeconds[priority];
  }

  #goesBefore(a: DispatchJob, b: DispatchJob): boolean {
    // Within one job what comes last goes first: its items end early, and what was made for them is let go.
    if (a.turn === b.turn) return (a.partOf?.segment ?? 0) > (b.partOf?.segment ?? 0);
    const [served, other] = [a.turn.servedSeconds, b.turn.servedSeconds];
    if (Math.abs(served - other) >= EQUAL_SECONDS) return served < other;
    if (a.deadlineAtMs !== b.deadlineAtMs) return a.deadlineAtMs < b.deadlineAtMs;
    return served !== other ? served < other : a.turn.order < b.turn.order;
  }
}
