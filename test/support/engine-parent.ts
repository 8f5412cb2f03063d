/**
 * A process that owns an engine and keeps it at work, to be killed: `node engine-parent.ts EXECUTORS`. Sends "working"
 * once a run has ended and the next ones have begun.
 */
import { readFile } from "node:fs/promises";
import { createInferenceEngine, samplePages } from "../../agent/io/inference/index.ts";

const executors = Number(process.argv[2]);
const engine = createInferenceEngine({ executors }, { telemetry: { log: () => {} } });
await engine.start();
const [page] = await samplePages();
const input = await readFile(page!.path);
const task = { pipeline: "ocr", name: page!.name, input, deadlineMs: 600_000 };
process.send?.("working");
for (;;) await Promise.all(Array.from({ length: executors * 2 }, () => engine.run(task)));
