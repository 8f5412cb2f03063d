/**
 * `npm run conformance -- [--etcd DIR] [--verbose]`: runs our own scenarios and a folder of etcd-io/raft's test data
 * against the core. A: states printed outright; B: facts that the text lets one know; C: the whole text, log lines apart.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type FileOutcome, runSuite, type Score, type SuiteOutcome } from "./suite.ts";

const OWN = join(import.meta.dirname, "scenarios");
const BESIDE_THE_PROJECT = join(import.meta.dirname, "../../../shared/conformance/etcd-raft");

const { values } = parseArgs({ options: { etcd: { type: "string" }, verbose: { type: "boolean", default: false } } });
const etcd = values.etcd ?? (existsSync(BESIDE_THE_PROJECT) ? BESIDE_THE_PROJECT : undefined);
if (etcd !== undefined && !existsSync(etcd)) {
  console.error(`There is no folder ${etcd}.`);
  process.exit(2);
}

const failed = [OWN, ...(etcd === undefined ? [] : [etcd])]
  .map((folder) => print(folder, runSuite(folder)))
  .some(Boolean);
if (etcd === undefined) console.log("etcd-io/raft's own data is not here; --etcd DIR names a folder that has it");
process.exit(failed ? 1 : 0);

/** Returns whether something differs that should not. */
function print(folder: string, { quorum, confchange, a, b, c, files }: SuiteOutcome): boolean {
  console.log(`${folder}:`);
  const of = ({ equal, total }: Score): string => `${equal}/${total}`;
  console.log(`quorum ${of(quorum)}\nconfchange ${of(confchange)}\ninteraction A ${of(a)} B ${of(b)} (C ${of(c)})`);
  for (const { file, notRun } of files)
    if (notRun !== undefined) console.log(`not run, because there is no such thing here: ${notRun}: ${file}`);
  for (const { file, onPurpose, differences } of files)
    if (onPurpose !== undefined) console.log(`differs on purpose (${differences.length}): ${file}: ${onPurpose}`);
  const others = files.filter(({ onPurpose, otherText }) => otherText !== undefined && onPurpose === undefined);
  for (const [reason, same] of Map.groupBy(others, ({ otherText }) => otherText!.reason)) {
    const list = same.map((item) => `${item.file} (${item.otherText!.differences.length} of ${item.otherText!.total})`);
    console.log(`states are equal, text is not, so not in C: ${reason}: ${list.join(", ")}`);
  }
  const wrong = files.filter(({ differences, onPurpose }) => differences.length > 0 && onPurpose === undefined);
  for (const item of wrong) console.log(`DIFFERS (${item.differences.length}): ${item.file}`);
  for (const item of values.verbose ? files : wrong) printDifferences(item);
  return wrong.length > 0;
}

function printDifferences({ file, differences, otherText }: FileOutcome): void {
  const all = [...differences, ...((values.verbose && otherText?.differences) || [])];
  for (const { line, what, expected, actual } of all)
    console.log(
      `  ${file}:${line} ${what}\n    expected ${expected.replace(/\n/g, "\n             ")}\n    actual   ${actual.replace(/\n/g, "\n             ")}`,
    );
}
