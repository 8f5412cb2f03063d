import type { JobId } from "../../../shared/ids.ts";

/** A job as retention sees it. */
export interface EndedJob {
  jobId: JobId;
  items: number;
  /** Absent while it is open. */
  endedAtMs: number | undefined;
}

/** A box without a clock battery wakes up long before this: what it dated then says nothing of how old a job is. */
const CLOCK_WRONG_BEFORE_MS = Date.UTC(2024, 0, 1);

/**
 * Which ended jobs are to be forgotten now, oldest first, in the order they were submitted among equals: those that ended
 * more than `keepDays` ago (0: for ever), and the oldest over `keepMax`. Never more than `jobsMax`, or than `itemsMax`
 * items but for one job, so that forgetting them is a bounded piece of work for every box; the rest comes next time.
 */
export function jobsToForget(
  jobs: Iterable<EndedJob>,
  rules: { nowMs: number; keepDays: number; keepMax: number; jobsMax: number; itemsMax: number },
): JobId[] {
  const ended = [...jobs]
    .flatMap(({ endedAtMs, ...job }) => (endedAtMs === undefined ? [] : [{ ...job, endedAtMs }]))
    .sort((a, b) => a.endedAtMs - b.endedAtMs);
  const tooMany = ended.length - rules.keepMax;
  const bornBeforeMs = rules.keepDays === 0 ? 0 : rules.nowMs - rules.keepDays * 24 * 3_600_000;
  const chosen: JobId[] = [];
  let items = 0;
  for (const [i, job] of ended.entries()) {
    const isOld = job.endedAtMs >= CLOCK_WRONG_BEFORE_MS && job.endedAtMs < bornBeforeMs;
    if (i >= tooMany && !isOld) continue;
    items += job.items;
    if (chosen.length >= rules.jobsMax || (items > rules.itemsMax && chosen.length > 0)) break;
    chosen.push(job.jobId);
  }
  return chosen;
}
