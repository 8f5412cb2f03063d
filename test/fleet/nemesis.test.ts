/** Real agents under load while one thing after another goes wrong: what clients saw must have one order that explains it. */
import { expect, test } from "vitest";
import { describe, Lan, nemesis } from "../nemesis/nemesis.ts";

const FAULTS = 11;
const whyNot = await Lan.whyNot();
if (whyNot) console.warn(`Skipped: ${whyNot}.`);

test.skipIf(whyNot)(`writes and reads through every box stay linearizable through ${FAULTS} faults`, async () => {
  const story: string[] = [];
  const report = await nemesis({
    seed: Date.now() % 1_000_000_000,
    faults: FAULTS,
    tell: (line) => story.push(line),
  });
  if (report.broken) console.error(story.join("\n"));
  expect(report.broken ?? "", describe(report)).toBe("");
  expect(report.counts.writesOk, "the clients wrote").toBeGreaterThan(100);
});
