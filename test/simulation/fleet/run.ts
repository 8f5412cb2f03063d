/** Storms over whole fleets, one seed after another: `npm run simulate:fleet -- --minutes N --nodes N [--voters N] [--witness]`, or `--seed S` for one again. */
import { parseArgs } from "node:util";
import { weather } from "./weather.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    nodes: { type: "string", default: "3" },
    faults: { type: "string", default: "40" },
    voters: { type: "string" },
    witness: { type: "boolean", default: false },
    seed: { type: "string" },
  },
});
const forMs = values.seed === undefined ? 60_000 * Number(values.minutes) : 0;
const first = Number(values.seed ?? Date.now() % 1_000_000_000);
const { nodes, faults, voters, witness } = values;
const fewer = voters === undefined ? {} : { voters: Number(voters) };
const report = await weather({ first, forMs, nodes: Number(nodes), faults: Number(faults), witness, ...fewer });
console.log(report.broken ?? report.summary);
process.exit(report.broken ? 1 : 0);
