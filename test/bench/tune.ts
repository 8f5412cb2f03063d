/**
 * What tuning gains for the three OCR models over a session as onnxruntime makes it when it is asked for nothing.
 * `node test/bench/tune.ts [seconds for each search] [rounds]`.
 *
 * A page stands for 1 run of the detector, 20 of the recogniser and 20 of the classifier; "together" is the time of a page:
 * the sum of those items over the items a second of each. After the searches the choices that were found and the defaults
 * (`InferenceSession.create(path)`, no options, in one process of the same priority) take turns, so that a neighbour on the
 * machine hits both; the figure is the median of the rounds. Exits 1 under its target, or when outputs differ.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism, setPriority } from "node:os";
import { join } from "node:path";
import { choiceText } from "../../agent/cli/tune.ts";
import { Search } from "../../agent/core/tuning/index.ts";
import { createTrials } from "../../agent/io/inference/index.ts";
import type { KnownGraph, Trial } from "../../agent/ports/index.ts";
import { outputDifference } from "../../shared/alike-outputs.ts";
import { plainChoice, type SessionChoice } from "../../shared/session-choice.ts";
import { TUNED_ALIKE, type TuningResult } from "../../shared/tuning.ts";
import { figure, median } from "./figures.ts";

const GAIN_MIN = 1.3;
const RUN_MS = 2_000;
const PER_PAGE: Record<string, number> = { "ocr/det": 1, "ocr/rec": 20, "ocr/cls": 20 };
const limits = { memoryBytesMax: 1.5e9, deadlineMs: 60_000 };

interface Bare {
  itemsPerSecond: number;
  outputs: Float64Array[];
}

/** In a process of its own: nothing is asked of onnxruntime. */
async function beBare(): Promise<void> {
  setPriority(15);
  const { InferenceSession } = await import("onnxruntime-node");
  const { madeUpFeeds, outputsOfRow, specsOf } = await import("../../agent/io/inference/trials/tensors.ts");
  process.on("message", async ({ graph, shapes }: KnownGraph) => {
    const session = await InferenceSession.create(join(graph.folder, graph.path));
    const feeds = madeUpFeeds(specsOf(session).inputs, shapes, [0], "bits");
    const outputs = outputsOfRow(session, await session.run(feeds), 0, 1);
    const startedMs = performance.now();
    let items = 0;
    for (; performance.now() - startedMs < RUN_MS; items++) await session.run(feeds);
    process.send?.({ itemsPerSecond: (items * 1_000) / (performance.now() - startedMs), outputs } satisfies Bare);
  });
  process.send?.("up");
}

async function runBare(known: KnownGraph): Promise<Bare> {
  const child: ChildProcess = fork(import.meta.filename, ["bare"], { serialization: "advanced" });
  await once(child, "message");
  child.send(known);
  const [answer] = (await once(child, "message")) as [Bare];
  child.kill();
  return answer;
}

const trials = createTrials();
const cores = availableParallelism();

const trialOf = ({ graph, shapes }: KnownGraph, choice: SessionChoice, runMs: number): Trial => ({
  ...limits,
  graph,
  shapes,
  choice,
  runMs,
});

async function searched(known: KnownGraph, seconds: number): Promise<TuningResult> {
  const axes = { cores, batches: known.batches, int8: false };
  const search = new Search({ axes, before: plainChoice(cores), budgetMs: seconds * 1_000, tolerance: TUNED_ALIKE });
  for (let wanted = search.next(); wanted; ) {
    const startedMs = performance.now();
    const tookMs = (): number => performance.now() - startedMs;
    wanted = search.next(
      await trials.run(trialOf(known, wanted.choice, wanted.runMs)).then(
        (outcome) => ({ ...outcome!, tookMs: tookMs() }),
        (error: Error) => ({ refused: error.message, tookMs: tookMs() }),
      ),
    );
  }
  const tried = search.rungs.reduce((sum, rung) => sum + rung.trials.length, 0);
  console.log(`  ${known.name}: ${tried} trials in ${search.rungs.length} rungs: ${choiceText(search.result!.choice)}`);
  return search.result!;
}

const pageMs = (speeds: Record<string, number>): number =>
  Object.entries(speeds).reduce((sum, [name, perSecond]) => sum + (PER_PAGE[name]! * 1_000) / perSecond, 0);

async function bench(seconds: number, rounds: number): Promise<void> {
  console.log(`${cores} cores, ${trials.runtime}, ${seconds} s for each search`);
  const known = await trials.known();
  const found = new Map<string, TuningResult>();
  for (const one of known) found.set(one.name, await searched(one, seconds));
  const gains: Record<string, number[]> = { page: [], mean: [] };
  const speeds: Record<string, { tuned: number[]; bare: number[] }> = {};
  let difference = 0;
  for (let round = 0; round < rounds; round++) {
    const tuned: Record<string, number> = {};
    const bare: Record<string, number> = {};
    for (const one of known) {
      const defaults = await runBare(one);
      const outcome = (await trials.run(trialOf(one, found.get(one.name)!.choice, RUN_MS)))!;
      difference = Math.max(difference, outputDifference(defaults.outputs, outcome.outputs));
      tuned[one.name] = outcome.itemsPerSecond;
      bare[one.name] = defaults.itemsPerSecond;
      speeds[one.name] ??= { tuned: [], bare: [] };
      speeds[one.name]!.tuned.push(outcome.itemsPerSecond);
      speeds[one.name]!.bare.push(defaults.itemsPerSecond);
    }
    gains.page!.push(pageMs(bare) / pageMs(tuned));
    const logs = known.map(({ name }) => Math.log(tuned[name]! / bare[name]!));
    gains.mean!.push(Math.exp(logs.reduce((sum, one) => sum + one, 0) / logs.length));
  }
  for (const [name, { tuned, bare }] of Object.entries(speeds)) {
    const gain = median(tuned.map((one, at) => one / bare[at]!)).toFixed(2);
    console.log(`  ${name}: ${figure(bare, 1)} items/s by default, ${figure(tuned, 1)} tuned: ${gain} times`);
  }
  console.log(`  time of a page (1 det, 20 rec, 20 cls): ${figure(gains.page!, 2)} times quicker (target ${GAIN_MIN})`);
  console.log(`  geometric mean of the three: ${figure(gains.mean!, 2)} times`);
  console.log(`  largest difference of outputs: ${difference.toExponential(1)} (allowed ${TUNED_ALIKE})`);
  await trials.close();
  if (median(gains.page!) < GAIN_MIN || difference > TUNED_ALIKE) process.exitCode = 1;
}

if (process.argv[2] === "bare") await beBare();
else await bench(Number(process.argv[2] ?? 40), Number(process.argv[3] ?? 5));
