import type { ReportedResult } from "../../shared/wire/results.ts";
import type { Dispatch } from "../core/dispatch/index.ts";
import type { Clock } from "../ports/index.ts";

/** What was tried before in vain, by this leader's own table: what a result's reporter says of others counts for nothing. */
export function withLostAttempts(
  dispatch: Dispatch,
  clock: Clock,
  { lostAttempts: _, ...result }: ReportedResult,
): ReportedResult {
  const { jobId, item, shardId } = result;
  const attempts = dispatch.lostAttempts(jobId, item, shardId, clock.monotonicMs());
  if (attempts.length === 0) return result;
  const aheadMs = clock.nowMs() - clock.monotonicMs();
  const lostAttempts = attempts.map((one) => ({
    ...one,
    leasedAtMs: one.leasedAtMs + aheadMs,
    endedAtMs: one.endedAtMs + aheadMs,
  }));
  return { ...result, lostAttempts };
}
