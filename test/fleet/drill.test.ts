import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { DrillRecord } from "../../shared/drill.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { runSkein } from "./real-agent.ts";

function commandsWith(text: string): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const commands = pids.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      return ""; // Ended since the folder was read.
    }
  });
  return commands.filter((command) => command.includes(text));
}

test("skein drill on a fleet of its own: a leader killed, a box frozen and one cut off, nothing lost, nothing twice, no process left", async () => {
  const asked = ["drill", "--local", "--kill-leader", "--freeze", "--partition", "--seconds", "3", "--json"];
  // The fleet's folder is in the command of each of its agents, of one that came back too.
  const folder = temporaryFolder();
  const { exitCode, out, err } = await runSkein(asked, ["env", `TMPDIR=${folder}`]);
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
  expect(err.match(/runs as process/g)).toHaveLength(3);
  expect(commandsWith(folder)).toEqual([]);
});
