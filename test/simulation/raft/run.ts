/** `node test/simulation/raft/run.ts --minutes N --seed S [--steps N] [--failures N]`, or `--replay SEED` for the story of one. */
import { parseArgs } from "node:util";
import { type Life, live, STORM_STEPS } from "./life.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    steps: { type: "string", default: String(STORM_STEPS) },
    replay: { type: "string" },
    failures: { type: "string", default: "10" },
  },
});
const stormSteps = Number(values.steps);

if (values.replay !== undefined) {
  const life = live(Number(values.replay), stormSteps, (line) => console.log(line));
  console.log(JSON.stringify(life));
  process.exit(life.failure ? 1 : 0);
}

const first = values.seed === undefined ? Date.now() % 1e9 : Number(values.seed);
const startedAtMs = performance.now();
const deadlineMs = startedAtMs + Number(values.minutes) * 60_000;
const total = { seeds: 0, steps: 0, committed: 0, elections: 0, crashes: 0 };
const failures: Life[] = [];
for (let seed = first; performance.now() < deadlineMs; seed += 1) {
  const life = live(seed, stormSteps);
  total.seeds += 1;
  for (const key of ["steps", "committed", "elections", "crashes"] as const) total[key] += life[key];
  if (!life.failure) continue;
  failures.push(life);
  console.log(
    `seed ${seed}: ${life.failure}\n  replay: node test/simulation/raft/run.ts --replay ${seed} --steps ${stormSteps}`,
  );
  if (failures.length >= Number(values.failures)) break;
}
const seconds = (performance.now() - startedAtMs) / 1_000;
console.log(
  `seeds ${first} to ${first + total.seeds - 1}: ${total.steps} steps (${Math.round(total.steps / seconds)}/s), ${total.committed} commits, ` +
    `${total.elections} elections, ${total.crashes} crashes, ${failures.length} failures`,
);
process.exit(failures.length > 0 ? 1 : 0);
