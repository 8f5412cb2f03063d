/** The map of the house: which room may open which door, and why. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

interface Room {
  opens: string[];
  touchesWorld?: true;
  why: string;
}

const ROOMS: Record<string, Room> = {
  shared: { opens: [], why: "the nouns every room speaks, and the wire; runs in a browser too" },
  "agent/ports": { opens: ["shared"], why: "the list of everything the agent can do to the world" },
  "agent/core/*": { opens: ["shared"], why: "thinks; time, chance and I/O arrive as arguments" },
  "agent/io/*": { opens: ["shared", "agent/ports"], touchesWorld: true, why: "does one thing to the world" },
  "agent/runtime": {
    opens: ["shared", "agent/ports", "agent/core/*"],
    why: "carries; runs unchanged in the simulator",
  },
  "agent/api": {
    opens: ["shared", "agent/runtime", "agent/dashboard"],
    touchesWorld: true,
    why: "HTTP in front of the runtime",
  },
  "agent/dashboard": { opens: ["shared"], touchesWorld: true, why: "a client like any other, and its files on disk" },
  "agent/main.ts": {
    opens: ["shared", "agent/ports", "agent/runtime", "agent/io/*", "agent/api"],
    touchesWorld: true,
    why: "builds one agent out of the real rooms; the only file that sees everything",
  },
  "agent/applications": {
    opens: ["shared", "agent/io/*"],
    touchesWorld: true,
    why: "pipelines with the models they need, and the scripts that train those, on what executors would make of the data; nothing of the agent runs them",
  },
  "agent/cli": {
    opens: ["shared", "agent/ports", "agent/main.ts", "agent/io/*"],
    touchesWorld: true,
    why: "start, init, join and probe build rooms; every other command is a client call and a way to print it",
  },
};

/** Each outside package belongs to one room. */
const PACKAGES: [pattern: RegExp, rooms: string[]][] = [
  [/^(libp2p$|@libp2p\/|@chainsafe\/|@multiformats\/|p-event$|uint8arraylist$)/, ["agent/io/network"]],
  [/^(onnxruntime-node|sharp|@gutenye\/ocr-models|@huggingface\/tokenizers)$/, ["agent/io/inference"]],
  // Small blobs too: thousands a second are durable only if they share an fsync, as LevelDB's batches do.
  [/^classic-level$/, ["agent/io/journal", "agent/io/notes", "agent/io/blobs"]],
  [/^systeminformation$/, ["agent/io/probe"]],
  [/^highs$/, ["agent/io/solver"]],
  [/^pino$/, ["agent/io/telemetry"]],
  [/^fastify$/, ["agent/api"]],
  [/^commander$/, ["agent/cli"]],
  // Graphs are laid out and tables of inputs read where a person asks for it, on no box that works.
  [/^@dagrejs\/dagre$/, ["agent/cli"]],
  [/^csv-parse(\/|$)/, ["agent/cli", "agent/applications"]],
  [/^onnx-proto$/, ["agent/applications"]],
  // Pipelines are written in it, by people: whoever reads one, a client or a node, tells the line of a fault.
  [/^yaml$/, ["shared"]],
  [/^protobufjs/, ["shared", "agent/io/network"]],
];

const IMPURE =
  /\b(Date\.now|new Date\(|performance\.|Math\.random|setTimeout|setInterval|setImmediate|process\.|crypto\.|queueMicrotask)/;
const IMPORTS =
  /(?:^|\n)\s*(?:import|export)\b[^"';]*?from\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|(?:^|\n)import\s*"([^"]+)"/g;

const filesUnder = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesUnder(join(dir, entry.name)) : [join(dir, entry.name)],
  );

function roomOf(file: string): { rule: string; room: string } | undefined {
  for (const rule of Object.keys(ROOMS)) {
    const room = file.match(new RegExp(`^${rule.replace("*", "[^/]+")}(?=/|$)`))?.[0];
    if (room) return { rule, room };
  }
  return undefined;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

function complaintsAbout(file: string, text: string): string[] {
  const place = roomOf(file);
  if (!place) return [`${file}: is in no room`];
  const { opens, touchesWorld } = ROOMS[place.rule]!;
  const complaints: string[] = [];
  if (file.endsWith("/index.ts") && !/^(\/\/|\/\*\*)/.test(text)) complaints.push("does not say what this room is for");
  const code = withoutComments(text);
  if (!touchesWorld && !place.room.startsWith("agent/ports") && IMPURE.test(code))
    complaints.push(`reads the world: ${code.match(IMPURE)?.[0]}`);
  if (place.rule === "agent/core/*" && /\bawait\b|\basync\b/.test(code))
    complaints.push("waits (await or async) in a core");
  for (const match of code.matchAll(IMPORTS)) {
    const target = match[1] ?? match[2] ?? match[3] ?? "";
    if (target.startsWith("node:")) {
      if (!touchesWorld) complaints.push(`imports ${target}`);
    } else if (!target.startsWith(".")) {
      const owner = PACKAGES.find(([pattern]) => pattern.test(target))?.[1];
      if (!owner?.includes(place.room)) complaints.push(`${target} belongs to ${owner?.join(" and ") ?? "no room"}`);
    } else {
      const reached = roomOf(normalize(join(dirname(file), target)));
      if (!reached) complaints.push(`reaches ${target}, which is in no room`);
      else if (reached.room !== place.room && !opens.includes(reached.rule))
        complaints.push(`opens a door into ${reached.room}`);
      else if (reached.room === place.room && target === "./index.ts")
        complaints.push("imports its own index.ts (the usual start of a cycle)");
    }
  }
  return complaints.map((complaint) => `${file}: ${complaint}`);
}

const sources = ["shared", "agent"].flatMap(filesUnder).filter((file) => /\.(ts|js)$/.test(file));

test("every import follows the map", () => {
  expect(sources.flatMap((file) => complaintsAbout(file, readFileSync(file, "utf8")))).toEqual([]);
});

test("the map names the planted faults", () => {
  const planted: [string, string, string][] = [
    ["agent/core/fleet/view.ts", 'import { readFile } from "node:fs";', "imports node:fs"],
    [
      "agent/core/fleet/view.ts",
      'import type { X } from "../../io/network/x.ts";',
      "opens a door into agent/io/network",
    ],
    ["agent/core/fleet/view.ts", 'import type { X } from "../raft/x.ts";', "opens a door into agent/core/raft"],
    ["agent/core/fleet/view.ts", "const now = Date.now();", "reads the world: Date.now"],
    ["agent/core/fleet/view.ts", 'export * from "./index.ts";', "imports its own index.ts"],
    ["agent/io/probe/x.ts", 'import { createLibp2p } from "libp2p";', "libp2p belongs to agent/io/network"],
    ["agent/runtime/x.ts", 'const x = await import("../io/blobs/index.ts");', "opens a door into agent/io/blobs"],
    ["agent/runtime/index.ts", "export {};", "does not say what this room is for"],
  ];
  for (const [file, text, complaint] of planted) expect(complaintsAbout(file, text).join()).toContain(complaint);
});

test("every file is reached from an entry point", () => {
  const inference = ["executor.ts", "provider-trial.ts", "trials/trial-executor.ts"];
  const children = inference.map((file) => `agent/io/inference/${file}`);
  const trainers = sources.filter((file) => /^agent\/applications\/[^/]+\/(train|cut-[a-z]+)\.ts$/.test(file));
  const entries = [
    "agent/cli/skein.js",
    "agent/dashboard/page.js",
    "agent/io/solver/child.ts",
    "agent/io/fitting/thread.ts",
    ...children,
    ...trainers,
  ];
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file) || !sources.includes(file)) return;
    reached.add(file);
    for (const match of withoutComments(readFileSync(file, "utf8")).matchAll(IMPORTS)) {
      const target = match[1] ?? match[2] ?? match[3] ?? "";
      if (target.startsWith(".")) visit(normalize(join(dirname(file), target)));
    }
  };
  for (const entry of entries) visit(entry);
  expect(sources.filter((file) => !reached.has(file))).toEqual([]);
});
