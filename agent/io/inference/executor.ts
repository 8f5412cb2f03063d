/**
 * An executor: a child process of the agent that owns one onnxruntime thread. It is a process and not a thread because a
 * run can neither be cancelled nor survive the end of its thread: a process can be killed at any moment.
 */
import { setPriority } from "node:os";
import { SkeinError } from "../../../shared/errors.ts";
import type { ExecutorCommand, ExecutorReport, ItemEnd, ItemToRun, Pipeline } from "./protocol.ts";

/** Below the agent, whose heartbeats must not wait for a page to be read. */
const niceness = 10;
/** What has ended is told at least this often while more of a group runs. */
const tellMs = 2;

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
  const { loadCanaryPipeline } = await import("./canary/pipeline.ts");
  const pipelines = [await loadOcrPipeline(), await loadCanaryPipeline()];
  return new Map(pipelines.map((pipeline) => [pipeline.info.name, pipeline]));
}

async function endOf(item: ItemToRun, pipelines: ReadonlyMap<string, Pipeline>): Promise<ItemEnd> {
  const startedMs = performance.now();
  try {
    const output = await pipelines.get(item.pipeline)!.run(item.input, item.name);
    return { output, durationMs: performance.now() - startedMs };
  } catch (error) {
    return { error: SkeinError.from(error).toJSON() };
  }
}

async function runItems(items: ItemToRun[], pipelines: ReadonlyMap<string, Pipeline>): Promise<void> {
  let ends: ItemEnd[] = [];
  let toldMs = performance.now();
  for (const [n, item] of items.entries()) {
    ends.push(await endOf(item, pipelines));
    if (n < items.length - 1 && performance.now() - toldMs < tellMs) continue;
    report({ kind: "ended", ends, rssBytes: rssBytes() });
    ends = [];
    toldMs = performance.now();
  }
}

function serve(pipelines: ReadonlyMap<string, Pipeline>): void {
  let coming: (ItemToRun & { filled: number }) | undefined;
  const runWhenFilled = (): void => {
    if (!coming || coming.filled < coming.input.length) return;
    const item = coming;
    coming = undefined;
    void runItems([item], pipelines);
  };
  process.on("message", (command: ExecutorCommand) => {
    if (command.kind === "runMany") void runItems(command.items, pipelines);
    else if (command.kind === "run") {
      const { pipeline, name, inputBytes } = command;
      coming = { pipeline, name, input: new Uint8Array(inputBytes), filled: 0 };
    } else if (coming) {
      coming.input.set(command.bytes, coming.filled);
      coming.filled += command.bytes.length;
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
