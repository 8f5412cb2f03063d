/**
 * A process of a trial: it loads one graph that may be anything, runs it, says what it saw, and is killed. Apart from the
 * executors that work, below them in priority, and the first to go when the box runs out of memory.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { promisify } from "node:util";
import type { TrialCommand, TrialReport } from "./protocol.ts";
import { Refused, reasonOf } from "./refusals.ts";

/** Below the working executors (10), which are below the agent. */
const niceness = 15;

process.title = "skein-trial";
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// Before onnxruntime starts threads: threads inherit it.
setPriority(niceness);
// Anyone may raise their own score; 1000 is "this one first".
writeFileSync("/proc/self/oom_score_adj", "1000");

const { examine, load, measure, statusBytes } = await import("./session.ts");

function report(message: TrialReport): void {
  // An error here means that the agent is gone; "disconnect" follows.
  process.send?.(message, () => {});
}

/**
 * A wall behind the agent's watch, for memory that is taken faster than it looks: no more of the process's own data
 * (RLIMIT_DATA) than so. Twice what may be used, because arenas reserve ahead; not the address space (RLIMIT_AS), of which
 * Node reserves a gigabyte and mapped weights take more without costing anything. Where there is no `prlimit`, the watch is all.
 */
async function wallIn(memoryBytesMax: number): Promise<void> {
  const bytes = statusBytes("VmData") + 2 * memoryBytesMax + 256 * 1024 ** 2;
  const limit = promisify(execFile)("prlimit", ["--pid", String(process.pid), `--data=${bytes}`]);
  await limit.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

async function answer(command: TrialCommand): Promise<TrialReport> {
  if (command.kind === "measure") return { kind: "measured", measured: await measure(command.forMs) };
  await wallIn(command.memoryBytesMax);
  if (command.kind === "load") return { kind: "loaded", loaded: await load(command) };
  return { kind: "examined", examination: await examine(command.graph, command.memoryBytesMax) };
}

process.on("message", (command: TrialCommand) => {
  answer(command).then(report, (error: Error) => {
    report({ kind: "refused", reason: error instanceof Refused ? error.message : reasonOf(error.message) });
  });
});
report({ kind: "up", rssBytes: statusBytes("VmRSS") });
