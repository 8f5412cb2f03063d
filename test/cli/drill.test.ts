import { afterEach, beforeEach, expect, test } from "vitest";
import { describeRecord } from "../../agent/cli/drill-text.ts";
import { DRILL_FAULTS } from "../../shared/drill.ts";
import { SkeinError } from "../../shared/errors.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { pretendRecord } from "../support/pretend-face.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const api = (): string[] => ["--api", pretend.api.url];
const starts = (): string[] => pretend.face.calls.filter((call) => call.startsWith("startDrill"));

test("a drill tells what it will do and to whom, asks, shows its time line as it goes, and ends with a table", async () => {
  const questions: string[] = [];
  const world = pretendWorld({
    ask: async (question) => {
      questions.push(question);
      return "yes";
    },
  });
  const { code, out, err } = await skein(["drill", "--kill-leader", "--seconds", "4", ...api()], world);
  expect(code).toBe(0);
  expect(questions).toEqual(["Type yes to begin: "]);
  expect(starts()).toEqual(["startDrill killLeader 4000 only the plan", "startDrill killLeader 4000"]);
  expect(err).toContain("attic coordinates");
  expect(err).toContain("kills the agent on bench, which leads, and starts it again after 4.0 s");
  expect(err).toContain("2 jobs under way will go on");
  expect(err.match(/^ +0\.3 s {2}killLeader: bench, which leads$/gm)).toHaveLength(1);
  expect(err.match(/^ +1\.3 s {2}attic leads \(term 8\)$/gm)).toHaveLength(1);
  const [head, row] = out.trim().split("\n");
  expect(head).toMatch(
    /FAULT +VICTIM +DETECTED +LEADER +FIRST RESULT +LONGEST PAUSE +BACK +ITEMS +REPEATED +LOST +TWICE +VERDICT/,
  );
  expect(row).toMatch(/killLeader +bench \* +3 ms +41 ms +130 ms +210 ms +11 s +640 +4 +0 +0 +held/);
  expect(out).toContain("Nothing was lost, nothing was recorded twice, and every box came back.");
});

test("without a yes nothing is done, and without a terminal it must be said beforehand", async () => {
  const no = await skein(["drill", "--all", ...api()], pretendWorld({ ask: async () => "no" }));
  expect([no.code, starts().length]).toEqual([2, 1]);
  const noTerminal = await skein(["drill", "--all", ...api()]);
  expect([noTerminal.code, starts().length]).toEqual([2, 2]);
  expect(noTerminal.err).toContain("--yes");
  expect((await skein(["drill", "--all", "--yes", ...api()])).code).toBe(0);
  const made = DRILL_FAULTS.filter((fault) => fault !== "unplug").join(" ");
  expect(starts().slice(-2)).toEqual([`startDrill ${made} 5000 only the plan`, `startDrill ${made} 5000`]);
});

test("lost results are exit code 1, and the reason is told", async () => {
  pretend.face.drillRecord = pretendRecord("drill-000002", 2);
  const { code, out } = await skein(["drill", "--kill-leader", "--yes", ...api()]);
  expect(code).toBe(1);
  expect(out).toContain("killLeader: 2 of 640 results are lost");
  expect(out).not.toContain("Nothing was lost");
  const json = await skein(["drill", "--kill-leader", "--yes", "--json", ...api()]);
  expect([json.code, JSON.parse(json.out)]).toEqual([1, pretend.face.drillRecord]);
});

test("a refusal is told before anything is asked or done, with the table's code", async () => {
  pretend.face.drillRefusal = "without bench only 1 of 2 voters would be left, and 2 are needed";
  const world = pretendWorld({
    ask: async () => {
      throw new Error("nobody is to be asked");
    },
  });
  const { code, err } = await skein(["drill", "--freeze", ...api()], world);
  expect(code).toBe(1);
  expect(err).toContain("skein: The drill does not begin: without bench only 1 of 2 voters");
  expect(starts()).toHaveLength(1);
});

test("a command that does not say what to drill, or says too much, is asked wrongly", async () => {
  for (const wrong of [
    [],
    ["--unplug", "--freeze"],
    ["--unplug", "--local"],
    ["--freeze", "--seconds", "0"],
    ["future"],
  ])
    expect((await skein(["drill", ...wrong, ...api()])).code, wrong.join(" ")).toBe(2);
  expect(pretend.face.calls).toEqual([]);
});

test("watching bears a change of leader, and what the agents say cannot move the terminal", async () => {
  pretend.face.failures.drill = [new SkeinError("NO_LEADER")];
  pretend.face.drillLines = [{ atMs: 10, text: "\u001b[2Jcleared" }];
  const { code, err } = await skein(["drill", "--freeze", "--yes", ...api()]);
  expect(code).toBe(0);
  expect(err).toContain("?[2Jcleared");
});

test("history sets the newest drills side by side, each fault then and now", async () => {
  expect((await skein(["drill", "history", ...api()])).out).toContain("No drill is kept yet");
  const dayMs = 24 * 3_600_000;
  for (let i = 0; i < 6; i++)
    pretend.face.keptDrills.push(pretendRecord(`drill-${i}`, i === 5 ? 1 : 0, 1_700_000_000_000 + i * dayMs));
  const { out } = await skein(["drill", "history", ...api()]);
  expect(out.split("\n")[0]).toMatch(/^FAULT +11-16 22:13 +11-17 22:13 +11-18 22:13 +11-19 22:13$/);
  expect(out).toMatch(/killLeader +detected +3 ms +3 ms +3 ms +3 ms/);
  expect(out).toMatch(/lost +0 +0 +0 +1/);
  expect(out).toContain("2 older ones are kept too");
  expect(JSON.parse((await skein(["drill", "history", "--json", ...api()])).out)).toEqual(pretend.face.keptDrills);
});

test("a drill that was broken off says why", () => {
  const text = describeRecord({ ...pretendRecord("drill-1", 0), aborted: "the box that coordinated it was restarted" });
  expect(text).toContain("Ended early: the box that coordinated it was restarted");
  expect(text).not.toContain("Nothing was lost");
});
