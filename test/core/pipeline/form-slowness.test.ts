/** What a leader learns of how well forms are foretold. */
import { beforeEach, expect, test } from "vitest";
import type { JobRecord } from "../../../agent/core/ledger/index.ts";
import { FormSlowness } from "../../../agent/runtime/pipelines/form-slowness.ts";
import type { JobId } from "../../../shared/ids.ts";
import type { JobState } from "../../../shared/job.ts";

let nowMs: number;
let open: JobRecord[];
let slowness: FormSlowness;
beforeEach(() => {
  [nowMs, open] = [0, []];
  slowness = new FormSlowness({ monotonicMs: () => nowMs }, { openJobs: () => open });
});

const job = (name: string, state: JobState = "running", failedCount = 0): JobRecord =>
  ({ jobId: name as JobId, pipeline: "p:1", state, failedCount }) as unknown as JobRecord;

/** A job that was foretold to take so many seconds took others. */
function took(seconds: number, told: number, { isStaged = true, ended = job("j", "done") } = {}): void {
  open = [job("j")];
  slowness.began(job("j"), { isStaged, seconds: told });
  nowMs += 1_000 * seconds;
  slowness.look();
  open = [];
  slowness.ended(ended);
}

test("what jobs took over what was foretold is known by form, the newest for half", () => {
  took(30, 10);
  expect(slowness.of("p:1")).toEqual({ whole: 1, stages: 3 });
  expect(slowness.of("q:1")).toEqual({ whole: 1, stages: 1 });
  // It was foretold with the correction by then: exactly right means that nothing changes.
  took(30, 30);
  expect(slowness.of("p:1").stages).toBe(3);
  took(15, 30);
  expect(slowness.of("p:1").stages).toBe(2.25);
  took(5, 10, { isStaged: false });
  expect(slowness.of("p:1")).toEqual({ whole: 0.5, stages: 2.25 });
});

test("nothing is learnt of a job that failed in part, was cancelled, or had no time foretold, and little of a stall", () => {
  took(30, 10, { ended: job("j", "done", 1) });
  took(30, 10, { ended: job("j", "cancelled") });
  took(30, Number.POSITIVE_INFINITY);
  took(30, 0);
  expect(slowness.of("p:1")).toEqual({ whole: 1, stages: 1 });
  took(1e6, 1);
  expect(slowness.of("p:1").stages).toBe(8);
});

test("nothing is learnt of a job beside another, or that was paused", () => {
  const beside = (others: JobRecord[]): void => {
    open = [job("j")];
    slowness.began(job("j"), { isStaged: true, seconds: 1 });
    open = others;
    slowness.look();
    nowMs += 9_000;
    slowness.ended(job("j", "done"));
  };
  beside([job("j"), job("k")]);
  beside([job("j", "paused")]);
  expect(slowness.of("p:1").stages).toBe(1);
  beside([job("j")]);
  expect(slowness.of("p:1").stages).toBe(8);
});
