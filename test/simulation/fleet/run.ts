/**
 * `npm run simulate:fleet -- --nodes N --minutes M [--jobs P] [--voters V] [--witness] [--faults F | --calm S] [--items I]`:
 * storms, or times without a fault, over whole
 * fleets, one seed after another, in P processes, for M minutes. `--seed S` begins there; without `--minutes` it is the one.
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { NO_WEATHER, type Sum, summaryOf, type WeatherReport, weather } from "./weather.ts";

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "3" },
    minutes: { type: "string" },
    jobs: { type: "string", default: "1" },
    seed: { type: "string" },
    /** From one seed to the next: the processes of one run take turns. */
    stride: { type: "string", default: "1" },
    faults: { type: "string", default: "40" },
    voters: { type: "string" },
    /** Instead of faults: so many seconds of the fleet's time without one. */
    calm: { type: "string" },
    /** One job of so many items, instead of one after another. */
    items: { type: "string" },
    witness: { type: "boolean", default: false },
  },
});
/** As many boxes vote unless told otherwise; the others are workers. */
const VOTERS_MAX = 5;
const PROGRESS_MS = 10_000;

// Errors are made by the thousand here, as answers; their words tell them apart, and a seed tells the rest.
Error.stackTraceLimit = 3;
// Messages are cut from pools; of Node's small ones each second of a fleet takes hundreds.
Buffer.poolSize = 65_536;

const nodes = Number(values.nodes);
const faults = Number(values.faults);
const jobs = Number(values.jobs);
const minutes = Number(values.minutes ?? (values.seed === undefined ? 1 : 0));
const first = Number(values.seed ?? Date.now() % 1_000_000_000);
const calm = values.calm === undefined ? {} : { calmSeconds: Number(values.calm) };
const items = values.items === undefined ? {} : { items: Number(values.items) };
const voters = values.voters ?? (nodes > VOTERS_MAX ? String(VOTERS_MAX) : undefined);

const isBroken = jobs > 1 ? await inProcesses() : await here();
process.exit(isBroken ? 1 : 0);

async function here(): Promise<boolean> {
  let toldAtMs = performance.now();
  const report = await weather({
    first,
    stride: Number(values.stride),
    forMs: 60_000 * minutes,
    nodes,
    faults,
    witness: values.witness,
    ...calm,
    ...items,
    ...(voters === undefined ? {} : { voters: Number(voters) }),
    onStep: ({ seed, storms, fleet }) => {
      if (process.send || performance.now() - toldAtMs < PROGRESS_MS) return;
      toldAtMs = performance.now();
      const seconds = (fleet.clock.monotonicMs() / 1_000).toFixed(1);
      const { jobs: handedIn, checks } = fleet;
      console.log(
        `... ${storms} storms; seed ${seed}: ${seconds} s of fleet time, ${handedIn.length} jobs, ${checks.itemsRecorded} items`,
      );
    },
  });
  if (process.send) await new Promise((resolve) => process.send!(report, resolve));
  else tell([report]);
  return report.broken !== undefined;
}

async function inProcesses(): Promise<boolean> {
  const reports = await Promise.all(Array.from({ length: jobs }, (_, job) => inProcess(job)));
  tell(reports);
  return reports.some(({ broken }) => broken !== undefined);
}

function inProcess(job: number): Promise<WeatherReport> {
  const given = {
    nodes,
    faults,
    minutes,
    seed: first + job,
    stride: jobs,
    ...(voters === undefined ? {} : { voters }),
    ...(values.calm === undefined ? {} : { calm: values.calm }),
    ...(values.items === undefined ? {} : { items: values.items }),
  };
  const child = fork(import.meta.filename, [
    ...Object.entries(given).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ...(values.witness ? ["--witness"] : []),
  ]);
  let report: WeatherReport | undefined;
  child.on("message", (message) => {
    report = message as WeatherReport;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => (report ? resolve(report) : reject(new Error(`process ${job} ended with ${code}`))));
  });
}

function tell(reports: readonly WeatherReport[]): void {
  const sum: Sum = { ...NO_WEATHER };
  for (const report of reports) for (const key of Object.keys(sum) as (keyof Sum)[]) sum[key] += report.sum[key];
  sum.realMs /= reports.length;
  for (const { broken } of reports) if (broken) console.log(`${broken}\n`);
  console.log(`seeds from ${first}: ${summaryOf({ nodes, ...calm }, sum)}`);
}
