/**
 * What tuning gains for the three OCR models over a session as onnxruntime makes it when it is asked for nothing.
 * `node test/bench/tune.ts [seconds for each search] [rounds]`.
 *
 * After the searches the choice that was found for each model and the defaults (`InferenceSession.create(path)`, no options,
 * in one process of the same priority) take turns, so that a neighbour on the machine hits both; figures are medians.
 * "Together" is told in two ways: the geometric mean of the three gains, and the time of a page, which is 1 run of the
 * detector, 20 of the recogniser and 20 of the classifier. Exits 1 when the first is under its target, or outputs differ.
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
import { untilQuiet } from "./quiet.ts";

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

interface Pairs {
  bare: number[];
  tuned: number[];
  difference: number;
  noisy: number;
}

/** In turns. Pairs beside which others used the box count only where too few others could be had. */
async function pairsOf(known: KnownGraph, choice: SessionChoice, rounds: number): Promise<Pairs> {
  const quiet: [number, number][] = [];
  const noisy: [number, number][] = [];
  let difference = 0;
  for (let tries = 0; tries < rounds * 3 && quiet.length < rounds; tries++) {
    const wasQuiet = await untilQuiet(10_000);
    const defaults = await runBare(known);
    const outcome = (await trials.run(trialOf(known, choice, RUN_MS)))!;
    const isQuiet = wasQuiet && (await untilQuiet(600));
    difference = Math.max(difference, outputDifference(defaults.outputs, outcome.outputs));
    (isQuiet ? quiet : noisy).push([defaults.itemsPerSecond, outcome.itemsPerSecond]);
  }
  const taken = [...quiet, ...noisy].slice(0, rounds);
  const noisyTaken = Math.max(0, rounds - quiet.length);
  return { bare: taken.map(([bare]) => bare), tuned: taken.map(([, tuned]) => tuned), difference, noisy: noisyTaken };
}

async function bench(seconds: number, rounds: number): Promise<void> {
  console.log(`${cores} cores, ${trials.runtime}, ${seconds} s for each search`);
  const known = await trials.known();
  const found = new Map<string, TuningResult>();
  for (const one of known) found.set(one.name, await searched(one, seconds));
  const speeds: Record<string, Pairs> = {};
  for (const one of known) speeds[one.name] = await pairsOf(one, found.get(one.name)!.choice, rounds);
  const gain = ({ bare, tuned }: Pairs): number => median(tuned) / median(bare);
  for (const [name, pairs] of Object.entries(speeds)) {
    const { bare, tuned, noisy } = pairs;
    const others = noisy > 0 ? `; in ${noisy} of ${rounds} pairs others used the box` : "";
    console.log(
      `  ${name}: ${figure(bare, 1)} items/s by default, ${figure(tuned, 1)} tuned: ${gain(pairs).toFixed(2)} times${others}`,
    );
  }
  const pageMs = (pick: "bare" | "tuned"): number =>
    Object.entries(speeds).reduce((sum, [name, pairs]) => sum + (PER_PAGE[name]! * 1_000) / median(pairs[pick]), 0);
  const page = pageMs("bare") / pageMs("tuned");
  const mean = Math.exp(Object.values(speeds).reduce((sum, pairs) => sum + Math.log(gain(pairs)), 0) / known.length);
  const difference = Math.max(...Object.values(speeds).map((pairs) => pairs.difference));
  console.log(`  geometric mean of the three: ${mean.toFixed(2)} times (target ${GAIN_MIN})`);
  console.log(
    `  a page of 1 det, 20 rec, 20 cls: ${pageMs("bare").toFixed(0)} ms by default, ${pageMs("tuned").toFixed(0)} ms tuned: ${page.toFixed(2)} times`,
  );
  console.log(`  largest difference of outputs: ${difference.toExponential(1)} (allowed ${TUNED_ALIKE})`);
  await trials.close();
  if (mean < GAIN_MIN || difference > TUNED_ALIKE) process.exitCode = 1;
}

if (process.argv[2] === "bare") await beBare();
else await bench(Number(process.argv[2] ?? 40), Number(process.argv[3] ?? 5));
