/** Real agents at work while one thing after another goes wrong: nothing is lost, nothing is recorded twice, every receipt verifies. */
import { expect, test } from "vitest";
import { describeStorm, storm } from "../unplug/storm.ts";
import { Lan } from "./lan.ts";

const FAULTS = 4;
const whyNot = await Lan.whyNot();
if (whyNot) console.warn(`Skipped: ${whyNot}.`);

test.skipIf(whyNot)(`jobs end with the right outputs through ${FAULTS} faults`, async () => {
  const story: string[] = [];
  const seed = Date.now() % 1_000_000_000;
  const report = await storm({ seed, faults: FAULTS, tell: (line) => story.push(line) });
  if (report.broken) console.error(`seed ${seed}\n${story.join("\n")}`);
  expect(report.broken ?? "", describeStorm(report)).toBe("");
  expect(report.jobs, "jobs were acknowledged").toBeGreaterThan(2);
});
