/**
 * An executor: a child process of the agent that owns one onnxruntime thread. It is a process and not a thread because a
 * run can neither be cancelled nor survive the end of its thread: a process can be killed at any moment.
 */
import { setPriority } from "node:os";
import { SkeinError } from "../../../shared/errors.ts";
import type { ExecutorCommand, ExecutorReport, Pipeline } from "./protocol.ts";

/** Below the agent, whose heartbeats must not wait for a page to be read. */
const niceness = 10;

process.title = "skein-executor";
// Executors end when the agent says so or is gone, and not by a signal meant for the whole group (Ctrl-C, systemd stop):
// the agent may still want the result. SIGKILL, because an exit would wait for a decoder at work.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// Before onnxruntime and sharp start threads: threads inherit it, and it is not changed for those that already run.
setPriority(niceness);

const rssBytes = (): number => process.memoryUsage.rss();

function report(message: ExecutorReport): void {
  // An error here means that the agent is gone; "disconnect" follows.
  process.send?.(message, () => {});
}

async function loadPipelines(): Promise<Map<string, Pipeline>> {
  const { default: sharp } = await import("sharp");
  sharp.concurrency(1);
  sharp.cache(false);
  const { loadOcrPipeline } = await import("./ocr/pipeline.ts");
  const ocr = await loadOcrPipeline();
  return new Map([[ocr.info.name, ocr]]);
}

async function runItem(pipeline: Pipeline, input: Uint8Array, name: string): Promise<void> {
  const startedMs = performance.now();
  try {
    const output = await pipeline.run(input, name);
    report({ kind: "finished", output, durationMs: performance.now() - startedMs, rssBytes: rssBytes() });
  } catch (error) {
    report({ kind: "failed", error: SkeinError.from(error).toJSON(), rssBytes: rssBytes() });
  }
}

function serve(pipelines: ReadonlyMap<string, Pipeline>): void {
  let item: { pipeline: Pipeline; name: string; input: Uint8Array; filled: number } | undefined;
  const runWhenFilled = (): void => {
    if (!item || item.filled < item.input.length) return;
    const { pipeline, input, name } = item;
    item = undefined;
    void runItem(pipeline, input, name);
  };
  process.on("message", (command: ExecutorCommand) => {
    if (command.kind === "run") {
      const pipeline = pipelines.get(command.pipeline)!;
      item = { pipeline, name: command.name, input: new Uint8Array(command.inputBytes), filled: 0 };
    } else if (item) {
      item.input.set(command.bytes, item.filled);
      item.filled += command.bytes.length;
    }
    runWhenFilled();
  });
  const infos = [...pipelines.values()].map(({ info }) => info);
  report({ kind: "ready", pipelines: infos, rssBytes: rssBytes() });
}

try {
  serve(await loadPipelines());
} catch (error) {
  const known = SkeinError.from(error);
  const unfit =
    known.code === "MODEL_INVALID" ? known : new SkeinError("MODEL_INVALID", { model: "ocr", reason: known.message });
  process.send?.({ kind: "unfit", error: unfit.toJSON() } satisfies ExecutorReport, () => process.exit(1));
}
