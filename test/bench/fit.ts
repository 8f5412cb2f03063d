/**
 * A softmax head over the questions of BANKING77 (its first 20 intents, hashed words as vectors) whose rows lie on three real
 * agents, none of which has all intents: against the same training on one box, and with the agent that was asked killed in
 * the middle. `npm run bench -- fit`.
 */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { csvRecords } from "../../agent/applications/training/csv.ts";
import { plainWords } from "../../shared/text/ngrams.ts";
import { RealFleet } from "../fleet/real-fleet.ts";

const INTENTS = 20;
const DIMENSIONS = 256;
const DATA = new URL("../../agent/applications/customer-service/data/train.csv", import.meta.url).pathname;

const records = csvRecords(await readFile(DATA, "utf8"));
const intents = [...new Set(records.map(({ category }) => category!))].sort().slice(0, INTENTS);
const lines = records
  .filter(({ category }) => intents.includes(category!))
  .map(({ text, category }) => JSON.stringify({ label: category, vector: vectorOf(text!) }));

/** Counts of words by their hash, of length 1. */
function vectorOf(text: string): number[] {
  const vector = new Array<number>(DIMENSIONS).fill(0);
  for (const word of plainWords(text))
    vector[createHash("sha1").update(word).digest().readUInt16LE() % DIMENSIONS]! += 1;
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => Math.round((1e5 * value) / length) / 1e5);
}

/** By intent, so that what one box knows the others do not: a third of them each, and some of all. */
const boxOf = (line: string, i: number): number =>
  i % 10 === 0 ? (i / 10) % 3 : intents.indexOf(JSON.parse(line).label) % 3;
const folder = await mkdtemp(join(tmpdir(), "skein-fit-bench-"));

interface Fitted {
  model: string;
  heldOut: { rows: number; right: number; loss: number };
  missed: Record<string, { rounds: number }>;
}

async function raised(parts: string[][]): Promise<RealFleet> {
  const fleet = await RealFleet.raise(["attic", "bench", "cellar"].slice(0, parts.length));
  for (const [i, agent] of fleet.agents.entries()) {
    const file = join(folder, `${i}.jsonl`);
    await writeFile(file, parts[i]!.join("\n"));
    await agent.skein("dataset", "add", "intents", file);
  }
  return fleet;
}

async function fitted(
  fleet: RealFleet,
  head: string,
  middle?: () => Promise<void>,
): Promise<Fitted & { seconds: number }> {
  const startedAtMs = performance.now();
  const [first, ...others] = fleet.agents;
  const more = others.flatMap((agent) => ["--api", agent.client.url]);
  const run = first!.skein("fit", head, "intents", "--json", ...more);
  await middle?.();
  const { exitCode, out, err } = await run;
  if (exitCode !== 0) throw new Error(err || out);
  return { ...(JSON.parse(out) as Fitted), seconds: (performance.now() - startedAtMs) / 1_000 };
}

function tell(what: string, { heldOut: { rows, right, loss }, missed, seconds }: Fitted & { seconds: number }): void {
  const without = Object.entries(missed).map(([node, { rounds }]) => `, ${rounds} rounds without ${node}`);
  console.log(
    `${what}: ${((100 * right) / rows).toFixed(2)} % of ${rows} rows held out, loss ${(loss / rows).toFixed(6)}, ${seconds.toFixed(0)} s${without.join("")}`,
  );
}

try {
  console.log(
    `${lines.length} rows of ${DIMENSIONS} numbers, ${INTENTS} intents; the most frequent one alone: ${mostFrequent()} %`,
  );
  const alone = await raised([lines]);
  const one = await fitted(alone, "one");
  tell("one box with all rows", one);
  await alone.end();
  const fleet = await raised([0, 1, 2].map((box) => lines.filter((line, i) => boxOf(line, i) === box)));
  const three = await fitted(fleet, "three");
  tell("three boxes", three);
  const killed = await fitted(fleet, "killed", async () => {
    await new Promise((resolve) => setTimeout(resolve, 300 * three.seconds));
    await fleet.agents[0]!.kill();
    await new Promise((resolve) => setTimeout(resolve, 200 * three.seconds));
    await fleet.start(fleet.agents[0]!);
  });
  tell("three boxes, the one that was asked killed in the middle and started again", killed);
  const apart = Math.abs(three.heldOut.loss - one.heldOut.loss) / one.heldOut.loss;
  console.log(`loss of three boxes against one: ${apart.toExponential(1)} apart (target at most 1e-6)`);
  if (apart > 1e-6) process.exitCode = 1;
} finally {
  await RealFleet.endAll();
  await rm(folder, { recursive: true });
}

function mostFrequent(): string {
  const counts = intents.map((intent) => lines.filter((line) => line.includes(`"${intent}"`)).length);
  return ((100 * Math.max(...counts)) / lines.length).toFixed(1);
}
