/**
 * What a box finds out of the three OCR models when it measures them, several times over: time of a run for each batch, all
 * executors busy, and how far the repeats lie apart. `node test/bench/profiles.ts [repeats]`.
 */
import { availableParallelism } from "node:os";
import { createTrials } from "../../agent/io/inference/index.ts";
import type { TrialOutcome } from "../../agent/ports/index.ts";
import { bestBatch, PROFILED_BATCHES } from "../../shared/model-profile.ts";
import { plainChoice } from "../../shared/session-choice.ts";
import { median } from "./figures.ts";
import { untilQuiet } from "./quiet.ts";

const RUN_MS = 500;
const RUN_MS_MAX = 4_000;
const repeats = Number(process.argv[2] ?? 3);
const trials = createTrials();
const executors = availableParallelism();
const MB = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
let noisy = 0;

console.log(`${executors} executors of 1 thread, ${repeats} repeats; median ms of a run (and the spread of repeats)`);
for (const { name, graph, shapes } of await trials.known()) {
  const runs: { items: number; ms: number }[] = [];
  const cells: string[] = [];
  let alone: TrialOutcome[] = [];
  for (const items of PROFILED_BATCHES) {
    const last = runs.at(-1);
    if (last && (last.ms / last.items) * items > RUN_MS_MAX) break;
    const outcomes: TrialOutcome[] = [];
    for (let repeat = 0; repeat < repeats; repeat++) {
      if (!(await untilQuiet())) noisy++;
      const choice = { ...plainChoice(executors), batch: items };
      const trial = { graph, shapes, choice, runMs: RUN_MS, memoryBytesMax: 2e9, deadlineMs: 60_000 };
      outcomes.push((await trials.run(trial))!);
    }
    if (items === 1) alone = outcomes;
    const times = outcomes.map(({ runMs }) => runMs);
    const ms = median(times);
    runs.push({ items, ms });
    const apart = (Math.max(...times) - Math.min(...times)) / ms;
    cells.push(`${items}: ${ms.toPrecision(3)} (${Math.round(apart * 100)} %)`);
  }
  const of = (pick: (outcome: TrialOutcome) => number): number => median(alone.map(pick));
  console.log(`  ${name}: ${cells.join(", ")}`);
  console.log(
    `    best batch ${bestBatch({ runs })}; load ${of(({ loadMs }) => loadMs).toFixed(0)} ms, first run ${of(({ firstRunMs }) => firstRunMs).toPrecision(3)} ms, ` +
      `memory at most ${MB(of(({ memoryPeakBytes }) => memoryPeakBytes))}, settled ${MB(of(({ memorySettledBytes }) => memorySettledBytes))}` +
      `${alone[0]!.joulesPerItem === undefined ? ", energy unreadable" : `, ${alone[0]!.joulesPerItem.toPrecision(3)} J each`}`,
  );
}
if (noisy > 0) console.log(`  ${noisy} measurements were made although others used the box`);
await trials.close();
