/**
 * `npm run linearizability -- --histories DIR`: checks every history (*.txt) under DIR, and compares with DIR/verdicts.json
 * where there is one. Exit code 0 if every verdict is the expected one, or, without expectations, if all are linearizable.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkHistory } from "./check.ts";
import { explain } from "./explain.ts";
import { readHistory } from "./history.ts";
import { readVerdicts } from "./verdicts.ts";

const OWN = new URL("histories", import.meta.url).pathname;
const { values } = parseArgs({
  options: { histories: { type: "string", default: OWN }, explain: { type: "boolean" } },
});
const folder = values.histories;
const expected = await readVerdicts(folder);
const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".txt")).sort();
let wrong = 0;
for (const file of files) {
  const startMs = performance.now();
  const operations = readHistory(await readFile(join(folder, file), "utf8"));
  const keys = checkHistory(operations);
  const tookMs = Math.round(performance.now() - startMs);
  const of = (verdict: string): string[] => keys.filter((one) => one.verdict === verdict).map(({ key }) => key);
  const [bad, undecided] = [of("not linearizable"), of("undecided")];
  const verdict = bad.length > 0 ? "not linearizable" : undecided.length > 0 ? "undecided" : "linearizable";
  const wanted = expected.get(file);
  const isRight = verdict === (wanted ?? "linearizable");
  if (!isRight) wrong++;
  const because = [
    ...bad.map((key) => `key ${JSON.stringify(key)}`),
    ...undecided.map((key) => `key ${JSON.stringify(key)} given up`),
  ];
  const word = wanted === undefined ? "" : isRight ? ", as expected" : `, EXPECTED ${wanted}`;
  console.log(
    `${file}: ${operations.length} operations, ${keys.length} keys, ${tookMs} ms: ${verdict}${because.length > 0 ? ` (${because.join(", ")})` : ""}${word}`,
  );
  if (bad.length > 0 && (values.explain || !isRight)) console.log(explain(keys));
}
const known = files.filter((file) => expected.has(file)).length;
console.log(
  `linearizability ${files.length - wrong}/${files.length}${known > 0 ? ` (${known} with a verdict to compare)` : ""}`,
);
process.exit(wrong > 0 || files.length === 0 ? 1 : 0);
