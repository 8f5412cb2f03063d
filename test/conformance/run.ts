/** `node test/conformance/run.ts [--etcd DIR]`: runs a folder of etcd-io/raft's test data, and our own scenarios, against the core. */
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
function print(folder: string, { quorum, confchange, a, b, files }: SuiteOutcome): boolean {
  console.log(`${folder}:`);
  const of = ({ equal, total }: Score): string => `${equal}/${total}`;
  console.log(`quorum ${of(quorum)}\nconfchange ${of(confchange)}\ninteraction A ${of(a)} B ${of(b)}`);
  const leftOut = files.filter((file) => file.leftOut !== undefined);
  for (const { file, leftOut: what } of leftOut) console.log(`left out: ${file}: this core has no such thing: ${what}`);
  const differing = files.filter(({ differences }) => differences.length > 0);
  const asked = differing.filter(({ onPurpose }) => onPurpose !== undefined);
  for (const item of asked)
    console.log(`differs on purpose (${item.differences.length}): ${item.file}: ${item.onPurpose}`);
  const wrong = differing.filter(({ onPurpose }) => onPurpose === undefined);
  for (const item of wrong) console.log(`DIFFERS (${item.differences.length}): ${item.file}`);
  for (const item of values.verbose ? differing : wrong) printDifferences(item);
  return wrong.length > 0;
}

function printDifferences({ file, differences }: FileOutcome): void {
  for (const { line, what, expected, actual } of differences)
    console.log(
      `  ${file}:${line} ${what}\n    expected ${expected.replace(/\n/g, "\n             ")}\n    actual   ${actual.replace(/\n/g, "\n             ")}`,
    );
}
