import { expect, test } from "vitest";
import { Dispatch } from "../../../agent/core/dispatch/index.ts";
import type { JobId } from "../../../shared/ids.ts";
import { A, B, job } from "../../support/nouns.ts";
import { leases, nodesAre, open, recorded, report, worker } from "./steps.ts";

const [Y, Z] = [job("y"), job("z")];

/** One node of 100 items a second works for so long; what it was handed of each job, in seconds. */
function shares(dispatch: Dispatch, seconds: number): Map<JobId, number> {
  const handed = new Map<JobId, number>();
  const count = (effects: Parameters<typeof leases>[0]): void => {
    for (const lease of leases(effects))
      handed.set(lease.jobId, (handed.get(lease.jobId) ?? 0) + lease.items.length / 100);
  };
  for (let nowMs = 10; nowMs < seconds * 1_000; nowMs += 10) {
    const shard = dispatch.table.shardsOf(A)[0];
    if (!shard) break;
    const [item] = shard.items;
    count(report(dispatch, A, item!, 10, nowMs, shard.jobId));
    count(recorded(dispatch, A, [item!], nowMs, shard.jobId));
  }
  return handed;
}

test("jobs of one priority share a node's time equally, whatever their sizes", () => {
  const dispatch = new Dispatch(1);
  open(dispatch, { jobId: Y, items: 5_000 });
  open(dispatch, { jobId: Z, items: 4_000 });
  nodesAre(dispatch, [worker(A, 100)]);
  const handed = shares(dispatch, 60);
  expect(Math.abs(handed.get(Y)! - handed.get(Z)!)).toBeLessThanOrEqual(4);
});

test("a job that comes later does not make up for the time before", () => {
  const dispatch = new Dispatch(1);
  nodesAre(dispatch, [worker(A, 100)]);
  open(dispatch, { jobId: Y, items: 5_000 });
  shares(dispatch, 20);
  open(dispatch, { jobId: Z, items: 4_000 }, 20_000);
  const handed = shares(dispatch, 20);
  expect(Math.abs((handed.get(Y) ?? 0) - handed.get(Z)!)).toBeLessThanOrEqual(4);
});

test("a higher priority goes first, and a lower one still gets a twentieth", () => {
  const dispatch = new Dispatch(1);
  open(dispatch, { jobId: Y, items: 5_000, priority: "low" });
  open(dispatch, { jobId: Z, items: 5_000, priority: "high" });
  const first = leases(nodesAre(dispatch, [worker(A, 100)]));
  expect(first.every((lease) => lease.jobId === Z)).toBe(true);
  const handed = shares(dispatch, 45);
  expect(handed.get(Y)).toBeGreaterThan(0);
  expect(handed.get(Y)!).toBeLessThanOrEqual(handed.get(Z)! / 20 + 4);
});

test("of jobs served alike the one with the earlier deadline goes first", () => {
  const dispatch = new Dispatch(1);
  open(dispatch, { jobId: Y, items: 3 });
  open(dispatch, { jobId: Z, items: 3, deadlineAtMs: 60_000 });
  expect(leases(nodesAre(dispatch, [worker(A, 1)]))[0]!.jobId).toBe(Z);
});

test("a job that a node cannot run does not keep it from the next", () => {
  const dispatch = new Dispatch(1);
  const about = { priority: "high" as const, deadlineAtMs: Number.POSITIVE_INFINITY, paused: false };
  dispatch.step({ kind: "jobOpened", jobId: Z, pipeline: "speech", items: [0], ...about }, 0);
  open(dispatch, { jobId: Y, items: 3 });
  expect(leases(nodesAre(dispatch, [worker(B, 1)]))[0]!.jobId).toBe(Y);
});
