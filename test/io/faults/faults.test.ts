import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hasLifeline } from "../../../agent/io/faults/index.ts";
import { until } from "../../support/network-world.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const VICTIM = new URL("victim.ts", import.meta.url).pathname;
const [IN_MS, FOR_MS] = [300, 900];

function harm(deed: "kill" | "freeze") {
  const log = join(temporaryFolder(), "log");
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SYSTEMD|INVOCATION)/.test(name)));
  const child = spawn(process.execPath, [VICTIM, deed, log, `${IN_MS}`, `${FOR_MS}`], { stdio: "ignore", env });
  const lines = (word: string): string[] =>
    existsSync(log)
      ? readFileSync(log, "utf8")
          .split("\n")
          .flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []))
      : [];
  return { child, lines };
}
const longestGap = (moments: number[]): number =>
  moments.slice(1).reduce((most, at, i) => Math.max(most, at - moments[i]!), 0);

test("a process that kills itself dies as by SIGKILL, and is started again with the same words in the same folder", async () => {
  const { child, lines } = harm("kill");
  const [, signal] = await once(child, "exit");
  expect(signal).toBe("SIGKILL");
  await until(() => lines("began").length === 2);
  const [first, second] = lines("began").map((line) => line.split(" ") as [string, string]);
  expect(second![0]).not.toBe(first![0]);
  expect(second![1]).toBe(first![1]);
  await until(() => !hasLifeline(Number(second![0])));
});

test("a process that freezes itself stands still with its children, and both go on by themselves", async () => {
  const { child, lines } = harm("freeze");
  const exited = once(child, "exit");
  await until(() => longestGap(lines("beat").map(Number)) > FOR_MS / 2);
  for (const who of ["beat", "child"]) await until(() => longestGap(lines(who).map(Number)) > FOR_MS - 300);
  expect(await exited).toEqual([0, null]);
});

test("a lifeline tells a process that lives from one that is gone", async () => {
  const child = spawn("/bin/true");
  const { pid } = child;
  expect(hasLifeline(process.pid)).toBe(true);
  await once(child, "exit");
  expect(hasLifeline(pid!)).toBe(false);
});
