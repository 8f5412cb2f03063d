/**
 * `npm run simulate -- --minutes N --jobs N [--seed FIRST] [--steps N] [--failures N]`: one seed after another, in so many
 * processes. `--seed S --story` tells one, step by step.
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { live, replay, STORM_STEPS } from "./life.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    jobs: { type: "string", default: "1" },
    seed: { type: "string" },
    /** From one seed to the next: the processes of one run take turns. */
    stride: { type: "string", default: "1" },
    steps: { type: "string", default: String(STORM_STEPS) },
    failures: { type: "string", default: "10" },
    story: { type: "boolean", default: false },
  },
});
const steps = Number(values.steps);
const jobs = Number(values.jobs);
const first = values.seed === undefined ? Date.now() % 1e9 : Number(values.seed);

interface Total {
  seeds: number;
  steps: number;
  committed: number;
  elections: number;
  crashes: number;
  failures: number;
}
const NONE: Total = { seeds: 0, steps: 0, committed: 0, elections: 0, crashes: 0, failures: 0 };

const total = values.story ? tell() : jobs > 1 ? await inProcesses() : await oneAfterAnother();
process.exit(total.failures > 0 ? 1 : 0);

function tell(): Total {
  const life = live(first, steps, (line) => console.log(line));
  console.log(JSON.stringify(life));
  return { ...NONE, failures: life.failure === undefined ? 0 : 1 };
}

async function oneAfterAnother(): Promise<Total> {
  const startedAtMs = performance.now();
  const deadlineMs = startedAtMs + Number(values.minutes) * 60_000;
  const sum = { ...NONE };
  for (let seed = first; performance.now() < deadlineMs; seed += Number(values.stride)) {
    const life = live(seed, steps);
    sum.seeds += 1;
    for (const key of ["steps", "committed", "elections", "crashes"] as const) sum[key] += life[key];
    if (life.failure === undefined) continue;
    sum.failures += 1;
    console.log(`seed ${seed}: ${life.failure}\n  replay: ${replay(seed, steps)}`);
    if (sum.failures >= Number(values.failures)) break;
  }
  if (process.send) await new Promise((resolve) => process.send!(sum, resolve));
  else report(sum, performance.now() - startedAtMs);
  return sum;
}

async function inProcesses(): Promise<Total> {
  const startedAtMs = performance.now();
  const parts = await Promise.all(Array.from({ length: jobs }, (_, job) => inProcess(job)));
  const sum = { ...NONE };
  for (const part of parts) for (const key of Object.keys(sum) as (keyof Total)[]) sum[key] += part[key];
  report(sum, performance.now() - startedAtMs);
  return sum;
}

function inProcess(job: number): Promise<Total> {
  const { minutes, failures } = values;
  const args = { minutes, failures, steps: String(steps), seed: String(first + job), stride: String(jobs) };
  const child = fork(
    import.meta.filename,
    Object.entries(args).flatMap(([name, value]) => [`--${name}`, value]),
  );
  let sum: Total | undefined;
  child.on("message", (message) => {
    sum = message as Total;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => (sum ? resolve(sum) : reject(new Error(`process ${job} ended with ${code}`))));
  });
}

function report({ seeds, committed, elections, crashes, failures, ...sum }: Total, tookMs: number): void {
  console.log(
    `${seeds} seeds from ${first}: ${sum.steps} steps (${Math.round(sum.steps / (tookMs / 1_000))}/s in ${jobs} process${jobs > 1 ? "es" : ""}), ` +
      `${committed} commits, ${elections} elections, ${crashes} crashes, ${failures} failures`,
  );
}
