/** One graph in this process: loaded, run on made-up inputs, measured. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { alikeOutputs } from "../../../../shared/alike-outputs.ts";
import { plainChoice } from "../../../../shared/session-choice.ts";
import type { Examination, GraphFile, InputShapes } from "../../../ports/index.ts";
import { sessionOptions } from "../session-options.ts";
import { checkGraphFile } from "./graph-file.ts";
import type { Loaded, Measured, TrialCommand } from "./protocol.ts";
import { type Integers, madeUpFeeds, outputsOfRow, rowsAreFree, specsOf } from "./tensors.ts";

/**
 * Lengths for free dimensions other than the rows, in the order in which they are tried: an image's side first, since a
 * network of convolutions may run on less and then says nothing of its time; a sequence takes any.
 */
const lengths = [224, 256, 320, 640, 128, 64, 32, 16, 8, 4, 3, 2, 1];
/** Of one input, with such a length everywhere: more is a length that is not meant. */
const elementsMax = 4_000_000;
/** Rows that are run alone and together. */
const rows = [0, 1, 2];
/** Of the largest value of an output: sums in another order differ by some millionths. */
const rowTolerance = 1e-4;

/** A figure of /proc/self/status. Not getrusage's peak, which a new process takes over from the one that made it. */
export function statusBytes(field: "VmRSS" | "VmHWM" | "VmData"): number {
  const found = readFileSync("/proc/self/status", "utf8").match(new RegExp(`^${field}:\\s+(\\d+) kB`, "m"));
  return Number(found?.[1] ?? 0) * 1024;
}

/** The kernel notes the peak a little late. */
const peakBytes = (): number => Math.max(statusBytes("VmHWM"), statusBytes("VmRSS"));

interface Ran {
  shapes: InputShapes;
  integers: Integers;
}

function shapesWith(session: InferenceSession, length: number): InputShapes | undefined {
  const shapes = specsOf(session).inputs.map(({ name, shape }): [string, number[]] => [
    name,
    shape.map((one, at) => (one !== -1 ? one : at === 0 ? 1 : length)),
  ]);
  const isLarge = shapes.some(([, shape]) => shape.reduce((so, one) => so * one, 1) > elementsMax);
  return isLarge ? undefined : Object.fromEntries(shapes);
}

/** The first inputs with which it runs. Without any, why it did not run with the last. */
async function findInputs(session: InferenceSession, given?: InputShapes): Promise<Ran | { error: Error }> {
  const { inputs } = specsOf(session);
  const isFree = inputs.some(({ shape }) => shape.some((length, at) => length === -1 && at > 0));
  const hasIntegers = inputs.some(({ datatype }) => /INT|BOOL/.test(datatype));
  const candidates = given ? [given] : (isFree ? lengths : [1]).map((length) => shapesWith(session, length));
  let last = new Error("its inputs are larger than what is made up for a trial");
  for (const shapes of candidates)
    for (const integers of hasIntegers ? (["bits", "zeros"] as const) : (["bits"] as const)) {
      if (!shapes) continue;
      try {
        await session.run(madeUpFeeds(inputs, shapes, [0], integers));
        return { shapes, integers };
      } catch (error) {
        last = error as Error;
      }
    }
  return { error: last };
}

/** Rows alone give what rows together give: then items may share a run. */
async function rowsAreIndependent(session: InferenceSession, { shapes, integers }: Ran): Promise<boolean> {
  const { inputs, outputs } = specsOf(session);
  if (inputs.length === 0 || !rowsAreFree(inputs) || !rowsAreFree(outputs)) return false;
  try {
    const together = await session.run(madeUpFeeds(inputs, shapes, rows, integers));
    for (const row of rows) {
      const alone = await session.run(madeUpFeeds(inputs, shapes, [row], integers));
      const [own, shared] = [outputsOfRow(session, alone, 0, 1), outputsOfRow(session, together, row, rows.length)];
      if (!alikeOutputs(own, shared, rowTolerance)) return false;
    }
    return true;
  } catch {
    // It runs with one row and not with three: the dimension was free in name only.
    return false;
  }
}

const isMemory = (error: Error): boolean => /allocate memory|bad_alloc/.test(error.message);

/** @throws Refused, and what onnxruntime throws */
export async function examine(graph: GraphFile, memoryBytesMax: number): Promise<Examination> {
  const before = statusBytes("VmRSS");
  await checkGraphFile(graph, memoryBytesMax);
  const startedMs = performance.now();
  const session = await InferenceSession.create(join(graph.folder, graph.path), sessionOptions(plainChoice(1)));
  const loadMs = performance.now() - startedMs;
  const ran = await findInputs(session);
  if ("error" in ran && isMemory(ran.error)) throw ran.error;
  const batches = "error" in ran ? false : await rowsAreIndependent(session, ran);
  const memoryPeakBytes = peakBytes() - before;
  return { ...specsOf(session), batches, ...("shapes" in ran && { shapes: ran.shapes }), loadMs, memoryPeakBytes };
}

interface Running {
  session: InferenceSession;
  feeds: InferenceSession.FeedsType;
  batch: number;
  rssBefore: number;
}
let running: Running | undefined;

/** @throws what onnxruntime throws */
export async function load(command: TrialCommand & { kind: "load" }): Promise<Loaded> {
  const { graph, choice } = command;
  const rssBefore = statusBytes("VmRSS");
  const startedMs = performance.now();
  const session = await InferenceSession.create(join(graph.folder, graph.path), sessionOptions(choice));
  const loadMs = performance.now() - startedMs;
  const { inputs } = specsOf(session);
  const ran = command.shapes ? { shapes: command.shapes, integers: "bits" as const } : await findInputs(session);
  if ("error" in ran) throw ran.error;
  const feeds = madeUpFeeds(
    inputs,
    ran.shapes,
    Array.from({ length: choice.batch }, (_, row) => row),
    ran.integers,
  );
  const firstMs = performance.now();
  const first = await session.run(feeds);
  const firstRunMs = performance.now() - firstMs;
  running = { session, feeds, batch: choice.batch, rssBefore };
  return { loadMs, firstRunMs, outputs: outputsOfRow(session, first, 0, choice.batch) };
}

/** Runs what was loaded, again and again, and at least once. */
export async function measure(forMs: number): Promise<Measured> {
  const { session, feeds, batch, rssBefore } = running!;
  const timesMs: number[] = [];
  const startedMs = performance.now();
  for (let atMs = startedMs; atMs - startedMs < forMs || timesMs.length === 0; ) {
    await session.run(feeds);
    const endedMs = performance.now();
    timesMs.push(endedMs - atMs);
    atMs = endedMs;
  }
  const elapsedMs = performance.now() - startedMs;
  const settledBytes = statusBytes("VmRSS");
  const sorted = timesMs.sort((a, b) => a - b);
  return {
    items: timesMs.length * batch,
    elapsedMs,
    runMs: sorted[sorted.length >> 1]!,
    memoryPeakBytes: Math.max(peakBytes(), settledBytes) - rssBefore,
    memorySettledBytes: settledBytes - rssBefore,
  };
}
