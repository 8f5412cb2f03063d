/**
 * What the engine costs: the bundled pages through it, against the same operators called in a bare loop in as many plain
 * processes, without queue, hops and watch. `node test/bench/inference.ts [executors] [rounds]`. Rounds alternate, so that
 * a neighbour on the machine hits both; both run at the same low priority. Exits 1 under 0.95.
 */
import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { availableParallelism, setPriority } from "node:os";
import { createInferenceEngine, samplePages } from "../../agent/io/inference/index.ts";
import { loadOcrModels } from "../../agent/io/inference/ocr/models.ts";
import { type PageTimes, readPage } from "../../agent/io/inference/ocr/page.ts";
import type { InferenceEngine } from "../../agent/ports/index.ts";
import { figure, median } from "./figures.ts";

const RATIO_MIN = 0.95;
/** The pages this often in one round: the last page of a round keeps one process waiting for the other. */
const PASSES = 2;

interface Round {
  pagesPerSecond: number;
  digests: string[];
}
interface BareAnswer {
  times: PageTimes[];
  digests: string[];
}

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const inputs = await Promise.all(
  (await samplePages()).map(async ({ name, path }) => ({ name, input: await readFile(path) })),
);
const list = Array.from({ length: PASSES }, () => inputs).flat();

async function beBare(part: number, parts: number): Promise<void> {
  setPriority(10);
  const models = await loadOcrModels();
  await readPage(models, inputs[0]!.input, "warm-up");
  process.on("message", async () => {
    const answer: BareAnswer = { times: [], digests: [] };
    for (let at = part; at < list.length; at += parts) {
      const { output, times } = await readPage(models, list[at]!.input, list[at]!.name);
      answer.times.push(times);
      answer.digests[at] = digestOf(output);
    }
    process.send?.(answer);
  });
  process.send?.("ready");
}

async function engineRound(engine: InferenceEngine): Promise<Round> {
  const startedMs = performance.now();
  const tasks = list.map(({ name, input }) => engine.run({ pipeline: "ocr", name, input, deadlineMs: 600_000 }));
  const outcomes = await Promise.all(tasks);
  const pagesPerSecond = (list.length * 1000) / (performance.now() - startedMs);
  return { pagesPerSecond, digests: outcomes.map(({ output }) => digestOf(output)) };
}

async function bareRound(processes: ChildProcess[]): Promise<Round & { times: PageTimes[] }> {
  const startedMs = performance.now();
  const answers = await Promise.all(
    processes.map(async (child): Promise<BareAnswer> => {
      child.send("go");
      return (await once(child, "message"))[0] as BareAnswer;
    }),
  );
  const pagesPerSecond = (list.length * 1000) / (performance.now() - startedMs);
  const digests = list.map((_, at) => answers[at % answers.length]!.digests[at]!);
  return { pagesPerSecond, digests, times: answers.flatMap(({ times }) => times) };
}

async function compare(executors: number, rounds: number): Promise<void> {
  const engine = createInferenceEngine({ executors }, { telemetry: { log: () => {} } });
  const bare = Array.from({ length: executors }, (_, part) =>
    fork(import.meta.filename, ["bare", String(part), String(executors)], { serialization: "advanced" }),
  );
  await Promise.all([engine.start(), ...bare.map((child) => once(child, "message"))]);
  await engine.calibrate("ocr");
  const ratios: number[] = [];
  const speeds: { engine: number[]; bare: number[] } = { engine: [], bare: [] };
  const times: PageTimes[] = [];
  for (let round = 0; round < rounds; round++) {
    const ours = await engineRound(engine);
    const theirs = await bareRound(bare);
    if (ours.digests.join() !== theirs.digests.join()) throw new Error("the engine and the bare loop read differently");
    ratios.push(ours.pagesPerSecond / theirs.pagesPerSecond);
    speeds.engine.push(ours.pagesPerSecond);
    speeds.bare.push(theirs.pagesPerSecond);
    times.push(...theirs.times);
  }
  await engine.stop();
  for (const child of bare) child.kill();
  const part = (key: keyof PageTimes): string =>
    `${figure(
      times.map((time) => time[key]),
      0,
    )} ms`;
  console.log(`${executors} executors, ${rounds} rounds of ${list.length} pages, outputs equal byte for byte`);
  console.log(`engine      ${figure(speeds.engine, 2)} pages/s`);
  console.log(`bare loop   ${figure(speeds.bare, 2)} pages/s`);
  console.log(`decode      ${part("decodeMs")} a page`);
  console.log(`find lines  ${part("detectMs")} a page`);
  console.log(`read lines  ${part("recogniseMs")} a page`);
  console.log(`ratio       ${figure(ratios, 3)}, at least ${RATIO_MIN}`);
  if (median(ratios) < RATIO_MIN) process.exitCode = 1;
}

const [first, second, third] = process.argv.slice(2);
if (first === "bare") await beBare(Number(second), Number(third));
else await compare(Number(first ?? availableParallelism()), Number(second ?? 3));
