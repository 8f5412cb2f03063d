/** `npm run storm -- --faults N --seed S`: real agents at work and under faults. Needs root, for the namespaces. */
import { parseArgs } from "node:util";
import { Lan } from "../fleet/lan.ts";
import { describeStorm, storm } from "./storm.ts";

const { values } = parseArgs({ options: { faults: { type: "string", default: "100" }, seed: { type: "string" } } });
const whyNot = await Lan.whyNot();
if (whyNot) {
  console.error(`There can be no storm: ${whyNot}.`);
  process.exit(2);
}
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
console.log(`seed ${seed}`);
const report = await storm({ seed, faults: Number(values.faults), tell: console.log });
console.log(describeStorm(report));
process.exit(report.broken ? 1 : 0);
