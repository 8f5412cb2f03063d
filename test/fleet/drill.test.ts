import { expect, test } from "vitest";
import type { DrillRecord } from "../../shared/drill.ts";
import { runSkein } from "./real-agent.ts";

test("skein drill on a fleet of its own: a leader killed, a box frozen and one cut off, nothing lost, nothing twice, no process left", async () => {
  const asked = ["drill", "--local", "--kill-leader", "--freeze", "--partition", "--seconds", "3", "--json"];
  const { exitCode, out, err } = await runSkein(asked);
  expect(exitCode, `${out}${err}`).toBe(0);
  const { outcomes, boxes } = JSON.parse(out) as DrillRecord;
  expect(boxes).toBe(3);
  expect(outcomes.map(({ fault }) => fault)).toEqual(["killLeader", "freeze", "partition"]);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ verdict: "held", lost: 0, recordedTwice: 0, wrong: 0 });
    expect(outcome.items).toBeGreaterThan(20);
    expect(outcome.outputsChecked).toBeGreaterThan(20);
    // A kill is seen by its broken connection, silence by three missing heartbeats; both far under the 20 s of a lost report.
    expect(outcome.detectedAfterMs).toBeLessThan(5_000);
    expect(outcome.healedAfterMs).toBeGreaterThan(2_500);
  }
  expect(outcomes[0]!.leaderAfterMs).toBeLessThan(10_000);
  const pids = [...err.matchAll(/runs as process (\d+)/g)].map(([, pid]) => Number(pid));
  expect(pids).toHaveLength(3);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});
