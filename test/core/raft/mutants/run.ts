/**
 * `node test/core/raft/mutants/run.ts [--seconds N] [--only N,N] [--jobs N] [--layers A,B] [--etcd DIR]`: plants each fault in a copy of
 * the project and shows which layer catches it. Exits 1 if fewer than all but one are caught.
 */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { MUTANTS, type Mutant } from "./mutants.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const CORE = "agent/core/raft";
/** What the layers need: nothing else of the project is copied. */
const COPIED = [
  "package.json",
  "tsconfig.json",
  "shared",
  CORE,
  "test/vitest.config.ts",
  "test/core/raft",
  "test/conformance",
  "test/simulation/raft",
];
const LAYER_DEADLINE_MS = 120_000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    only: { type: "string" },
    jobs: { type: "string", default: "1" },
    layers: { type: "string", default: "unit,files,simulator,search" },
    etcd: { type: "string", default: join(ROOT, "../shared/conformance/etcd-raft") },
  },
});

const etcd = existsSync(values.etcd) ? ["--etcd", values.etcd] : [];
const vitest = ["node_modules/.bin/vitest", "run", "--config", "test/vitest.config.ts", "--bail", "1"];
const simulate = ["node", "test/simulation/raft/run.ts", "--seed", "1", "--failures", "1"];
const LAYERS: [name: string, command: string[]][] = (
  [
    ["unit", [...vitest, "test/core/raft", "--exclude", "**/conformance.test.ts"]],
    ["files", ["node", "test/conformance/run.ts", ...etcd]],
    ["simulator", [...simulate, "--minutes", String(Number(values.seconds) / 60)]],
    ["search", [...vitest, "test/simulation/raft/search.test.ts"]],
  ] as [string, string[]][]
).filter(([name]) => values.layers.split(",").includes(name));

/** True if the layer notices that something is wrong. A layer that hangs notices too. */
function notices(folder: string, [command, ...args]: string[]): Promise<boolean> {
  const path = `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`;
  const child = spawn(command!, args, { cwd: folder, env: { ...process.env, PATH: path }, stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), LAYER_DEADLINE_MS);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve(code !== 0);
    });
  });
}

function plant({ name, file, from, to }: Mutant, folder: string): void {
  const path = join(folder, CORE, file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2) throw new Error(`"${name}": its place in ${file} is not there, or not alone`);
  let planted = text.replace(from, () => to);
  // This one opens a bracket that ends with the statement.
  if (to.endsWith("(\n")) planted = planted.replace("message.term > state.term);", "message.term > state.term));");
  writeFileSync(path, planted);
}

async function judge(mutant: Mutant | undefined): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "mutant-"));
  try {
    for (const item of COPIED) cpSync(join(ROOT, item), join(folder, item), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    if (mutant) plant(mutant, folder);
    const caught: string[] = [];
    for (const [layer, command] of LAYERS) if (await notices(folder, command)) caught.push(layer);
    return caught;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const chosen = values.only?.split(",").map(Number);
const queue = [...MUTANTS.entries()].filter(([at]) => !chosen || chosen.includes(at + 1));
const total = queue.length;
const survivors: string[] = [];
const falseAlarms = await judge(undefined);
if (falseAlarms.length > 0) {
  console.log(`the core itself is caught by: ${falseAlarms.join(", ")}`);
  process.exit(1);
}
await Promise.all(
  Array.from({ length: Number(values.jobs) }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [at, mutant] = next;
      const caught = await judge(mutant);
      if (caught.length === 0) survivors.push(mutant.name);
      console.log(
        `${String(at + 1).padStart(2)} ${mutant.name}: ${caught.length > 0 ? caught.join(", ") : "SURVIVES"}`,
      );
    }
  }),
);
console.log(`mutants ${total - survivors.length}/${total} caught`);
process.exit(survivors.length > 1 ? 1 : 0);
