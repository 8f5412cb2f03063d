/**
 * What stages cost that do nothing: a chain of ten in one executor, by what one more of them adds to an item; and a list of ten
 * thousand elements that fans out over stages and is gathered again, by its time and by the memory of the executor.
 * `node test/bench/stages.ts [items]`. Exits 1 over a millisecond a stage, or over 300 MB more.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createInferenceEngine } from "../../agent/io/inference/index.ts";
import { compilePipeline } from "../../shared/pipeline/compile.ts";
import type { StageDefinition } from "../../shared/pipeline/definition.ts";
import { OPERATORS } from "../../shared/pipeline/operators/index.ts";
import { segmentNamed } from "../../shared/pipeline/segment.ts";
import { encodeValues, type Value } from "../../shared/pipeline/values.ts";
import { figure, median } from "./figures.ts";

const STAGE_MS_MAX = 1;
const GROWN_MB_MAX = 300;
const CHAIN = 10;
const ELEMENTS = 10_000;
/** Of a row of floats that an element becomes. */
const ROW_FLOATS = 256;
const FAN_OUTS = 5;
const items = Number(process.argv[2] ?? 300);

let pid = 0;
const engine = createInferenceEngine(
  { executors: 1 },
  {
    telemetry: {
      log: (_, event, facts) => {
        if (event === "executorStarted") pid = facts?.pid as number;
      },
    },
  },
);
await engine.start();
chainOf(1);
chainOf(CHAIN);
const stageMs = await chainCost();
const grownMb = await fanOut();
await engine.stop();
if (stageMs > STAGE_MS_MAX || grownMb > GROWN_MB_MAX) process.exitCode = 1;

function install(name: string, type: string, stages: Record<string, StageDefinition>, output: string): void {
  const known = { operator: (one: string) => OPERATORS.get(one), model: () => undefined, pipeline: () => undefined };
  const definition = { name, version: 1, inputs: { it: { type } }, stages, outputs: { out: output } };
  const compiled = compilePipeline(definition, known);
  engine.install(segmentNamed(compiled, compiled.reference));
}

function chainOf(length: number): void {
  const stages = Array.from({ length }, (_, n): [string, StageDefinition] => [
    `s${n}`,
    { operator: "core/pass@1", in: { value: n === 0 ? "it" : `s${n - 1}.value` } },
  ]);
  install(`chain${length}`, "text", Object.fromEntries(stages), `s${length - 1}.value`);
}

/** One item after the other, as whoever waits for it sees it. */
async function chainCost(): Promise<number> {
  const input = new TextEncoder().encode("an item of no weight");
  const once = async (length: number): Promise<number> => {
    const startedMs = performance.now();
    await engine.run({ pipeline: `chain${length}:1`, name: "item", input, deadlineMs: 60_000 });
    return performance.now() - startedMs;
  };
  for (let n = 0; n < 50; n++) await Promise.all([once(1), once(CHAIN)]);
  const [one, ten]: [number[], number[]] = [[], []];
  // In turn, so that a neighbour on the machine hits both.
  for (let n = 0; n < items; n++) {
    one.push(await once(1));
    ten.push(await once(CHAIN));
  }
  const added = ten.map((ms, n) => (ms - one[n]!) / (CHAIN - 1));
  const whole = ten.map((ms) => ms / CHAIN);
  console.log(`${items} items, one after the other, through one executor`);
  console.log(`a chain of 1     ${figure(one, 3)} ms an item`);
  console.log(`a chain of ${CHAIN}    ${figure(ten, 3)} ms an item`);
  console.log(`one more stage   ${median(added).toFixed(4)} ms`);
  console.log(`a stage          ${median(whole).toFixed(3)} ms with its part of all else, at most ${STAGE_MS_MAX}`);
  return median(whole);
}

/** Rows of floats over three stages, each by itself, and one tensor of them all. What the executor has in memory beside them is its OCR models. */
async function fanOut(): Promise<number> {
  const each = (from: string): StageDefinition => ({ operator: "core/pass@1", in: { value: from }, map: ["value"] });
  const stages = { a: each("it"), b: each("a.value"), c: each("b.value") };
  const gather: StageDefinition = { operator: "tensor/stack@1", in: { tensors: "c.value" } };
  install("fan", `list<FP32[${ROW_FLOATS}]>`, { ...stages, all: gather }, "all.tensor");
  const row = Float32Array.from({ length: ROW_FLOATS }, (_, n) => n % 10);
  const element: Value = { kind: "tensor", datatype: "FP32", shape: [ROW_FLOATS], bytes: new Uint8Array(row.buffer) };
  const input = encodeValues(new Map([["-1.it", { kind: "list", elements: new Array(ELEMENTS).fill(element) }]]));
  const before = memoryMb("VmRSS");
  // From here on: 5 resets the peak (proc(5), clear_refs).
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const times: number[] = [];
  for (let n = 0; n < FAN_OUTS; n++) {
    const startedMs = performance.now();
    const { output } = await engine.run({ pipeline: "fan:1", name: "list", input, deadlineMs: 600_000 });
    times.push(performance.now() - startedMs);
    const { out } = JSON.parse(new TextDecoder().decode(output)) as { out: { shape: number[] } };
    if (out.shape[0] !== ELEMENTS) throw new Error(`${out.shape[0]} elements came back`);
  }
  const grown = memoryMb("VmHWM") - before;
  const stageMicros = (1_000 * median(times)) / (3 * ELEMENTS);
  console.log(`${ELEMENTS} rows of ${ROW_FLOATS} floats, over three stages and gathered, ${FAN_OUTS} times`);
  console.log(
    `an item          ${figure(times, 0)} ms, ${stageMicros.toFixed(1)} us an element and stage with its part of all else`,
  );
  console.log(
    `executor         ${before.toFixed(0)} MB before, and ${grown.toFixed(0)} MB more at its peak, at most ${GROWN_MB_MAX}`,
  );
  return grown;
}

function memoryMb(field: "VmRSS" | "VmHWM"): number {
  const [, kilobytes] =
    readFileSync(`/proc/${pid}/status`, "utf8").match(new RegExp(`^${field}:\\s+(\\d+) kB`, "m")) ?? [];
  return Number(kilobytes) / 1_000;
}
