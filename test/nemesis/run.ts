/** `npm run nemesis -- --faults N --seed S`: real agents under load and under faults. Needs root, for the namespaces. */
import { parseArgs } from "node:util";
import { describe, Lan, nemesis } from "./nemesis.ts";

const { values } = parseArgs({
  options: { faults: { type: "string", default: "200" }, seed: { type: "string" } },
});
const whyNot = await Lan.whyNot();
if (whyNot) {
  console.error(`The nemesis cannot come: ${whyNot}.`);
  process.exit(2);
}
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const over = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => over.abort(new Error(signal)));
console.log(`seed ${seed}`);
const report = await nemesis({ seed, faults: Number(values.faults), tell: console.log, signal: over.signal });
console.log(describe(report));
process.exit(report.broken ? 1 : 0);
