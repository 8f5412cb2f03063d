/**
 * A model from one node to one and to four others, each in a network namespace of its own, when the origin's uplink (tbf) is
 * the limit: from the wish to a durable folder with every hash checked. `npm run bench -- delivery`; needs root.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openBlobs } from "../../agent/io/blobs/index.ts";
import { systemClock, systemRandomness } from "../../agent/io/clock/index.ts";
import { openModelFolders } from "../../agent/io/models/index.ts";
import { createIdentity, createPeerNetwork, nodeIdOf } from "../../agent/io/network/index.ts";
import { BlobAccess } from "../../agent/runtime/blob-access.ts";
import { Events } from "../../agent/runtime/events.ts";
import { bringFiles } from "../../agent/runtime/models/bring.ts";
import { KeptModel } from "../../agent/runtime/models/kept.ts";
import { withPieces } from "../../agent/runtime/models/pieces.ts";
import { Peers } from "../../agent/runtime/peers.ts";
import type { Surroundings } from "../../agent/runtime/surroundings.ts";
import type { RosterNode } from "../../shared/fleet.ts";
import type { BlobHash, FleetId, NodeId } from "../../shared/ids.ts";
import type { ModelManifest } from "../../shared/model.ts";
import { type Box, Lan } from "../fleet/lan.ts";
import { median } from "./figures.ts";

const BYTES = Number(process.env.DELIVERY_MB ?? 48) * 1e6;
const UPLINKS_MBIT = [40, 100];
const ROUNDS = 3;
const NODES = 4;
const PORT = 7400;
const telemetry = { log: () => {} };
const run = promisify(execFile);

interface Part {
  key: string;
  secret: string;
  folder: string;
  roster: RosterNode[];
  /** By their place in the roster: the first has the model from the beginning. */
  place: number;
}

type Order =
  | { kind: "bring"; manifest: ModelManifest; siblings: NodeId[] }
  | { kind: "forget"; manifest: ModelManifest };
type Word =
  | { kind: "up"; manifest?: ModelManifest }
  | { kind: "done"; ms: number }
  | { kind: "failed"; reason: string };

const sha256 = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One node: all of the real rooms that a delivery goes through, and no engine. */
async function be({ key, secret, folder, roster, place }: Part): Promise<void> {
  const tell = (word: Word): void => void process.send!(word);
  const network = createPeerNetwork(
    {
      fleetId: "0f".repeat(16) as FleetId,
      nodeKey: Buffer.from(key, "hex"),
      fleetSecret: secret,
      nodeName: roster[place]!.name,
      listenPort: PORT,
      listenHosts: ["0.0.0.0"],
      beacon: "off",
    },
    { telemetry },
  );
  const blobs = await openBlobs(join(folder, "blobs"), { telemetry });
  const models = await openModelFolders(join(folder, "models"), { telemetry });
  const parts = { network, blobs, models, clock: systemClock, randomness: systemRandomness, telemetry, sha256 };
  const world = parts as unknown as Surroundings;
  const others = roster.flatMap(({ nodeId }) => (nodeId === network.self ? [] : [nodeId]));
  const access = new BlobAccess(world, new Peers(network), new Events(systemClock, telemetry), () => others);
  await network.start();
  network.admit(roster);
  const bring = async (manifest: ModelManifest, siblings: NodeId[]): Promise<number> => {
    const beganMs = performance.now();
    const wanted = { manifest, holders: [roster[0]!.nodeId], siblings };
    const model = new KeptModel(wanted, sha256);
    model.heard(wanted, network.self);
    await bringFiles(world, access, model, new AbortController().signal);
    return performance.now() - beganMs;
  };
  const forget = async (manifest: ModelManifest): Promise<number> => {
    for (const { blob } of manifest.files) await blobs.remove(blob);
    for (const digest of await models.list()) await models.remove(digest);
    return 0;
  };
  process.on("message", (order: Order) => {
    const done = order.kind === "bring" ? bring(order.manifest, order.siblings) : forget(order.manifest);
    done.then(
      (ms) => tell({ kind: "done", ms }),
      (error: unknown) => tell({ kind: "failed", reason: String(error) }),
    );
  });
  const manifest = place === 0 ? await makeModel(world) : undefined;
  while (!(network.links().length === others.length && network.links().every(({ state }) => state === "up")))
    await wait(20);
  tell({ kind: "up", ...(manifest && { manifest }) });
}

/** Random weights: nothing on the way can make them smaller. */
async function makeModel(world: Surroundings): Promise<ModelManifest> {
  const { hash, bytes } = await world.blobs.put(randomBytes(BYTES));
  const files = await withPieces(world, [{ path: "model.onnx", use: "graph", blob: hash, bytes }]);
  return { name: "random", version: 1, files, inputs: [], outputs: [], batches: false };
}

async function wordOf(child: ChildProcess): Promise<Word> {
  const [word] = (await once(child, "message")) as [Word];
  if (word.kind === "failed") throw new Error(word.reason);
  return word;
}

async function order(child: ChildProcess, what: Order): Promise<number> {
  const answer = wordOf(child);
  child.send(what);
  const word = await answer;
  return word.kind === "done" ? word.ms : 0;
}

async function measure(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "skein-delivery-"));
  const lan = await Lan.create();
  const children: ChildProcess[] = [];
  try {
    const boxes: Box[] = [];
    for (let i = 0; i <= NODES; i++) boxes.push(await lan.box(`n${i}`));
    const keys = await Promise.all(boxes.map(async () => Buffer.from((await createIdentity()).key).toString("hex")));
    const roster = boxes.map(({ host }, i): RosterNode => {
      const nodeId = nodeIdOf(Buffer.from(keys[i]!, "hex"));
      return { nodeId, name: `n${i}`, addresses: [`/ip4/${host}/tcp/${PORT}`], admittedAtIndex: i };
    });
    const secret = randomBytes(32).toString("hex");
    const ups = boxes.map(async ({ prefix: [command, ...args] }, place) => {
      const part: Part = { key: keys[place]!, secret, roster, place, folder: join(folder, `n${place}`) };
      const child = spawn(command!, [...args, process.execPath, import.meta.filename], {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
        env: { ...process.env, DELIVERY_PART: JSON.stringify(part) },
      });
      children.push(child);
      return { place, child, word: await wordOf(child) };
    });
    const up = (await Promise.all(ups)).sort((a, b) => a.place - b.place);
    const [origin, ...nodes] = up;
    const { word } = origin!;
    const manifest = (word.kind === "up" && word.manifest) || undefined;
    const within = (command: string, ...args: string[]) => {
      const [first, ...rest] = boxes[0]!.prefix;
      return run(first!, [...rest, command, ...args]);
    };
    const sent = async (): Promise<number> =>
      Number((await within("cat", "/sys/class/net/lan/statistics/tx_bytes")).stdout);
    for (const mbit of UPLINKS_MBIT) {
      const shape = ["rate", `${mbit}mbit`, "burst", "64kb", "latency", "200ms"];
      await within("tc", "qdisc", "replace", "dev", "lan", "root", "tbf", ...shape);
      const alone: number[] = [];
      const together: number[] = [];
      const shares: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        alone.push(await order(nodes[0]!.child, { kind: "bring", manifest: manifest!, siblings: [] }));
        await order(nodes[0]!.child, { kind: "forget", manifest: manifest! });
        const before = await sent();
        const all = nodes.map(({ child, place }) => {
          const siblings = nodes.flatMap((node) => (node.place === place ? [] : [roster[node.place]!.nodeId]));
          return order(child, { kind: "bring", manifest: manifest!, siblings });
        });
        together.push(Math.max(...(await Promise.all(all))));
        shares.push(((await sent()) - before) / BYTES);
        for (const { child } of nodes) await order(child, { kind: "forget", manifest: manifest! });
      }
      const seconds = (values: readonly number[]): string => `${(median(values) / 1_000).toFixed(2)} s`;
      const ratios = together.map((ms, i) => ms / alone[i]!);
      console.log(
        `${BYTES / 1e6} MB over an uplink of ${mbit} Mbit/s (${((BYTES * 8) / mbit / 1e6).toFixed(1)} s at best)`,
      );
      console.log(`  to one node ${seconds(alone)}, to ${NODES} nodes ${seconds(together)}`);
      const all = ratios.map((ratio) => ratio.toFixed(2)).join(", ");
      console.log(`  ${median(ratios).toFixed(2)} times one node's time (${all}), target at most 1.5`);
      console.log(`  the origin sent ${median(shares).toFixed(2)} times the model`);
    }
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
    await Promise.all(children.map((child) => child.exitCode ?? once(child, "exit")));
    await lan.remove();
    await rm(folder, { recursive: true });
  }
}

if (process.env.DELIVERY_PART) {
  process.once("disconnect", () => process.exit());
  await be(JSON.parse(process.env.DELIVERY_PART) as Part);
} else {
  const whyNot = await Lan.whyNot();
  if (whyNot) console.log(`not measured: ${whyNot}`);
  else await measure();
}
