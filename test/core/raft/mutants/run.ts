/**
 * `npm run mutants -- [--jobs N] [--only N,N] [--layers A,B] [--all] [--seconds N] [--etcd DIR]`: plants each fault in a
 * copy of the core and shows which layer catches it. Exits 1 if fewer than 29 of the study's 30 are caught, or if one
 * survives without a reason.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { dataBeside, falseAlarms, type GateInit, judge, type Verdict } from "./gate.ts";
import { type LayerName, MUTANTS, STUDY_COUNT } from "./mutants.ts";

const STUDY_CAUGHT_MIN = STUDY_COUNT - 1;

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: String(availableParallelism()) },
    only: { type: "string" },
    layers: { type: "string" },
    all: { type: "boolean", default: false },
    seconds: { type: "string", default: "10" },
    etcd: { type: "string" },
  },
});
const init: GateInit = {
  simulatorSeconds: Number(values.seconds),
  all: values.all,
  ...(values.etcd === undefined ? dataBeside() : { etcd: values.etcd }),
  ...(values.layers !== undefined && { layers: values.layers.split(",") as LayerName[] }),
};
const only = values.only?.split(",").map(Number);
const chosen = MUTANTS.filter(({ number }) => only === undefined || only.includes(number));

const alarms = await falseAlarms(init);
if (alarms.length > 0) {
  console.log(`the core itself is caught by: ${alarms.join(", ")}`);
  process.exit(1);
}
const startedAtMs = performance.now();
const queue = [...chosen];
const verdicts: Verdict[] = [];
await Promise.all(
  Array.from({ length: Number(values.jobs) }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const verdict = await judge(next, init);
      verdicts.push(verdict);
      print(verdict);
    }
  }),
);

function print({ mutant, caughtBy, fault }: Verdict): void {
  const outcome = caughtBy.length > 0 ? caughtBy.join(", ") : `SURVIVES: ${mutant.survives ?? "no reason is known"}`;
  console.log(`${String(mutant.number).padStart(2)} ${mutant.name}: ${outcome}${fault ? ` (${fault})` : ""}`);
}

const isOfStudy = ({ mutant }: Verdict): boolean => mutant.number <= STUDY_COUNT;
const caught = verdicts.filter(({ caughtBy }) => caughtBy.length > 0);
const study = verdicts.filter(isOfStudy);
const studyCaught = caught.filter(isOfStudy);
console.log(
  `of the study's ${study.length}: ${studyCaught.length} caught; of all ${verdicts.length}: ${caught.length} caught; ` +
    `${Math.round((performance.now() - startedAtMs) / 1_000)} s`,
);
const tooFew = studyCaught.length < STUDY_CAUGHT_MIN - (STUDY_COUNT - study.length);
process.exit(tooFew || verdicts.some(({ fault }) => fault !== undefined) ? 1 : 0);
