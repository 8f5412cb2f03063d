/** Plants faults in copies of the core, one at a time, and finds out which layer of the tests notices each. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LayerName, Mutant } from "./mutants.ts";

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

export interface GateInit {
  /** At most so long for the simulator, per mutant. */
  simulatorSeconds: number;
  /** A folder of etcd-io/raft's data, if it is at hand. */
  etcd?: string;
  layers?: readonly LayerName[];
  /** Go on after the first layer that notices. */
  all?: boolean;
}

interface Layer {
  name: LayerName;
  command: string[];
}

export interface Verdict {
  mutant: Mutant;
  /** Layers that noticed; the simulator with its seed. */
  caughtBy: string[];
  /** Present if the gate cannot let it pass. */
  fault?: string;
}

/** The cheapest first. */
function layersOf({ simulatorSeconds, etcd, layers }: GateInit): Layer[] {
  const vitest = ["node_modules/.bin/vitest", "run", "--config", "test/vitest.config.ts", "--bail", "1"];
  const properties = ["test/core/raft/quorum.test.ts", "test/core/raft/bad-messages.test.ts"];
  const notUnit = ["**/conformance.test.ts", "**/quorum.test.ts", "**/bad-messages.test.ts"];
  const minutes = String(simulatorSeconds / 60);
  const all: Layer[] = [
    { name: "data", command: ["node", "test/conformance/run.ts", ...(etcd ? ["--etcd", etcd] : [])] },
    { name: "unit", command: [...vitest, "test/core/raft", ...notUnit.flatMap((glob) => ["--exclude", glob])] },
    { name: "property", command: [...vitest, ...properties] },
    { name: "search", command: [...vitest, "test/simulation/raft/search.test.ts"] },
    {
      name: "simulator",
      command: ["node", "test/simulation/raft/run.ts", "--seed", "1", "--failures", "1", "--minutes", minutes],
    },
  ];
  return all.filter(({ name }) => layers === undefined || layers.includes(name));
}

/** Layers that notice something wrong in the core as it is: none, or the gate says nothing. */
export const falseAlarms = (init: GateInit): Promise<string[]> => noticed(undefined, { ...init, all: true });

export async function judge(mutant: Mutant, init: GateInit): Promise<Verdict> {
  const caughtBy = await noticed(mutant, init);
  const misses = mutant.alsoBy !== undefined && !caughtBy.includes(mutant.alsoBy);
  const fault = misses
    ? `is not caught by ${mutant.alsoBy}`
    : caughtBy.length === 0 && mutant.survives === undefined
      ? "survives without a reason"
      : undefined;
  return { mutant, caughtBy, ...(fault !== undefined && { fault }) };
}

async function noticed(mutant: Mutant | undefined, init: GateInit): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "mutant-"));
  try {
    for (const item of COPIED) cpSync(join(ROOT, item), join(folder, item), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    if (mutant) plant(mutant, folder);
    const caughtBy: string[] = [];
    for (const layer of layersOf(init)) {
      if (caughtBy.length > 0 && !init.all && layer.name !== mutant?.alsoBy) continue;
      const notice = await run(folder, layer);
      if (notice !== undefined) caughtBy.push(notice);
    }
    return caughtBy;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function plant({ name, file, changes }: Mutant, folder: string): void {
  const path = join(folder, CORE, file);
  let text = readFileSync(path, "utf8");
  for (const [from, to] of changes) {
    if (text.split(from).length !== 2) throw new Error(`"${name}": its place in ${file} is not there, or not alone`);
    text = text.replace(from, () => to);
  }
  writeFileSync(path, text);
}

/** The layer's name if it notices that something is wrong, with the seed if it has one. A layer that hangs notices too. */
function run(folder: string, { name, command: [command, ...args] }: Layer): Promise<string | undefined> {
  // A vitest inside a vitest must not take itself for a part of the outer one.
  const own = Object.entries(process.env).filter(([key]) => !/^(NODE_OPTIONS|VITEST)/.test(key));
  const path = `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`;
  const child = spawn(command!, args, {
    cwd: folder,
    env: { ...Object.fromEntries(own), PATH: path },
    stdio: ["ignore", name === "simulator" ? "pipe" : "ignore", "ignore"],
  });
  let output = "";
  child.stdout?.on("data", (piece: Buffer) => {
    output += piece.toString();
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), LAYER_DEADLINE_MS);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      const seed = output.match(/^seed (\d+): (.*)$/m);
      resolve(code === 0 ? undefined : seed ? `${name} (seed ${seed[1]}: ${seed[2]})` : name);
    });
  });
}

/** Where etcd-io/raft's data lies beside the project, if it does. */
export function dataBeside(): { etcd: string } | undefined {
  const etcd = join(ROOT, "../shared/conformance/etcd-raft");
  return existsSync(etcd) ? { etcd } : undefined;
}
