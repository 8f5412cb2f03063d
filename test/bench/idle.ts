/** What three agents that have nothing to do cost: share of a core and resident memory of each, executors apart. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalFleet } from "../../agent/cli/demo/local-fleet.ts";
import { median } from "./figures.ts";

const SETTLE_MS = 15_000;
const WATCH_MS = 30_000;
/** USER_HZ, which Linux fixes at 100 for /proc. */
const TICK_MS = 10;

/** User and system time of one process, without its children. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

const residentBytes = (pid: number): number =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

const fleet = await LocalFleet.create(1);
try {
  await fleet.raise(["attic", "bench", "cellar"], () => {});
  await sleep(SETTLE_MS);
  const pids = fleet.agents.map((agent) => agent.process!.pid!);
  const before = pids.map(cpuMs);
  await sleep(WATCH_MS);
  const shares = pids.map((pid, i) => (100 * (cpuMs(pid) - before[i]!)) / WATCH_MS);
  const resident = pids.map((pid) => residentBytes(pid) / 1e6);
  const list = (values: number[], digits: number): string => values.map((value) => value.toFixed(digits)).join(", ");
  console.log(`idle agent, of three: ${median(shares).toFixed(2)} % of a core (${list(shares, 2)}; target under 1)`);
  console.log(
    `idle agent, of three: ${median(resident).toFixed(0)} MB resident (${list(resident, 0)}; target under 150)`,
  );
} finally {
  await fleet.end();
}
