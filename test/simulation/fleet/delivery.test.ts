/** Models come to where they are placed: the real runtime over a pretend world. */
import { expect, test } from "vitest";
import { withPieces } from "../../../agent/runtime/models/pieces.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import type { ModelState } from "../../../shared/capacity.ts";
import type { NodeId } from "../../../shared/ids.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import {
  type ModelFile,
  type ModelManifest,
  modelReference,
  modelStatement,
  pieceDigests,
} from "../../../shared/model.ts";
import { encodeLedgerEntry } from "../../../shared/wire/ledger.ts";
import { PEER_WIRE } from "../../../shared/wire/peer.ts";
import { tinyOnnx } from "../../support/tiny-onnx.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import { type SimNode, sha256 } from "./sim-node.ts";

const SOON_MS = 30_000;
const PIECE = LIMITS.blobPieceBytes;
const SLOW = { kind: "slow", delayMs: 1, bytesPerSecond: 2 * PIECE } as const;

async function raise(size: number, options: SimFleetOptions = {}, seed = 31): Promise<SimFleet> {
  const fleet = new SimFleet(seed, size, options);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, SOON_MS);
  await fleet.until("all are ready", () => fleet.nodes.every(({ agent }) => agent!.health().ok), SOON_MS);
  await fleet.run(3_000);
  await place(fleet);
  return fleet;
}

/** A graph of a few bytes and weights of so many pieces, the last one short. */
async function make(
  name: string,
  pieces: number,
  version = 1,
): Promise<{ manifest: ModelManifest; bytes: Uint8Array[] }> {
  const graph = new TextEncoder().encode(`graph of ${name} ${version}`);
  const weights = Uint8Array.from(
    { length: pieces * PIECE - 1_000 },
    (_, i) => (i * 31 + (i >> 13) + name.length * 7 + version) & 255,
  );
  const fileOf = (path: string, use: ModelFile["use"], bytes: Uint8Array): ModelFile => ({
    ...{ path, use },
    blob: sha256(bytes),
    bytes: bytes.length,
  });
  const read = async function* (hash: string, offset: number, length: number): AsyncGenerator<Uint8Array> {
    yield (hash === sha256(weights) ? weights : graph).subarray(offset, offset + length);
  };
  const world = { blobs: { stream: read }, sha256 } as unknown as Surroundings;
  const files = [fileOf("model.onnx", "graph", graph), fileOf("weights/0.bin", "weights", weights)];
  const manifest = { name, version, files: await withPieces(world, files), inputs: [], outputs: [], batches: true };
  return { manifest, bytes: [graph, weights] };
}

/** What a client would have proposed. */
async function propose(fleet: SimFleet, entry: LedgerEntry): Promise<void> {
  const leader = fleet.leader!;
  const from = fleet.nodes.find((node) => node !== leader && node.isUp)!;
  const body = PEER_WIRE.propose.question.encode({ entry: encodeLedgerEntry(entry) });
  const answer = await fleet.settled(from.network!.request(leader.nodeId, "propose", body), SOON_MS);
  const { index } = PEER_WIRE.propose.answer.decode(answer);
  await fleet.until("it is applied", () => (fleet.leader?.agent?.ledger.appliedIndex ?? 0) >= index, SOON_MS);
}

/** A new model whose files are on these nodes. */
async function add(fleet: SimFleet, holders: SimNode[], name: string, pieces: number, version = 1) {
  const { manifest, bytes } = await make(name, pieces, version);
  for (const { blobs } of holders) for (const one of bytes) blobs.keep(sha256(one), one);
  const at = { addedBy: holders[0]!.nodeId, addedAtMs: 1, copies: holders.length };
  await propose(fleet, { kind: "modelAdded", manifest, holders: holders.map(({ nodeId }) => nodeId), ...at });
  return { manifest, pipeline: modelReference(manifest), digest: sha256(modelStatement(manifest)) };
}

/** Later than any leader's: what the leader itself would decide comes too late, so that models stand where a test says. */
const LATE_TERM = 1_000_000;

async function place(fleet: SimFleet, ...replicas: [pipeline: string, nodes: SimNode[]][]): Promise<void> {
  await propose(fleet, {
    kind: "placementDecided",
    term: LATE_TERM,
    replicas: replicas.map(([pipeline, nodes]) => ({ pipeline, nodes: nodes.map(({ nodeId }) => nodeId) })),
    decisionJson: "{}",
  });
}

/** As the fleet's boxes hear it from this one. */
const stateOf = (fleet: SimFleet, node: SimNode, pipeline: string): ModelState | undefined =>
  reportOf(fleet, node)?.models?.find((model) => model.pipeline === pipeline);
const reportOf = (fleet: SimFleet, node: SimNode) =>
  fleet.leader?.agent?.fleet().nodes.find(({ nodeId }) => nodeId === node.nodeId)?.report;
const hasRate = (fleet: SimFleet, node: SimNode, pipeline: string): boolean =>
  reportOf(fleet, node)?.rates.some((rate) => rate.pipeline === pipeline) ?? false;
const isReady = (fleet: SimFleet, node: SimNode, pipeline: string): boolean =>
  stateOf(fleet, node, pipeline)?.state === "ready" && hasRate(fleet, node, pipeline);
const allReady = (fleet: SimFleet, nodes: SimNode[], pipeline: string) => () =>
  nodes.every((node) => isReady(fleet, node, pipeline));
const runs = (node: SimNode, pipeline: string): boolean =>
  node.engine!.pipelines().some(({ name }) => name === pipeline);
const told = (node: SimNode, event: string): string[] => node.story.filter((line) => line.includes(` ${event} `));
const bytesServed = (node: SimNode): number => node.bytesServed;

test("what is placed on five nodes all have: fetched, in a folder, loaded, measured, told", async () => {
  const fleet = await raise(5);
  const [holder] = fleet.nodes as [SimNode];
  const { manifest, pipeline, digest } = await add(fleet, [holder], "resnet", 3);
  await place(fleet, [pipeline, fleet.nodes]);
  await fleet.until("all have it", allReady(fleet, fleet.nodes, pipeline), SOON_MS);
  for (const node of fleet.nodes) {
    const folder = node.models.placed.get(digest)!;
    expect([...folder].map(([path, bytes]) => [path, sha256(bytes)])).toEqual(
      manifest.files.map(({ path, blob }) => [path, blob]),
    );
    expect(stateOf(fleet, node, pipeline)!.bytesHere).toBe(manifest.files.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(node.engine!.pipelines().find(({ name }) => name === pipeline)).toMatchObject({ version: "1" });
  }
});

test("nodes that are still fetching serve the others: the holder sends little more than one copy", async () => {
  const fleet = await raise(5);
  const [holder, ...others] = fleet.nodes as [SimNode, ...SimNode[]];
  const { manifest, pipeline } = await add(fleet, [holder], "resnet", 8);
  fleet.net.impair(holder.nodeId, SLOW);
  await place(fleet, [pipeline, others]);
  await fleet.until("all have it", allReady(fleet, others, pipeline), 60_000);
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  expect(bytesServed(holder)).toBeLessThan(1.5 * bytes);
  expect(others.filter((node) => bytesServed(node) > 0).length).toBeGreaterThanOrEqual(3);
});

test("a holder that is killed in the middle costs time only", async () => {
  const fleet = await raise(5);
  const [first, second, ...others] = fleet.nodes.filter((node) => node !== fleet.leader) as [
    SimNode,
    SimNode,
    ...SimNode[],
  ];
  const { pipeline } = await add(fleet, [first, second], "resnet", 5);
  for (const { nodeId } of [first, second]) fleet.net.impair(nodeId, SLOW);
  await place(fleet, [pipeline, others]);
  await fleet.until("some came", () => (stateOf(fleet, others[0]!, pipeline)?.bytesHere ?? 0) > PIECE, SOON_MS);
  first.crash();
  await fleet.until("all have it", allReady(fleet, others, pipeline), 60_000);
});

test("a liar among the holders is found out, asked no more, and nothing of it goes further", async () => {
  const fleet = await raise(5);
  const [sound, liar, ...others] = fleet.nodes as [SimNode, SimNode, ...SimNode[]];
  const { manifest, pipeline, digest } = await add(fleet, [sound, liar], "resnet", 3);
  const weights = manifest.files[1]!.blob;
  const bytes = liar.blobs.held().get(weights)!;
  liar.blobs.rot(weights);
  // In every piece.
  (liar.blobs.held() as unknown as Map<string, Uint8Array>).set(
    weights,
    bytes.map((byte) => byte ^ 1),
  );
  await place(fleet, [pipeline, others]);
  await fleet.until("all have it", allReady(fleet, others, pipeline), SOON_MS);
  for (const node of others) expect(sha256(node.models.placed.get(digest)!.get("weights/0.bin")!)).toBe(weights);
  const damages = others.flatMap((node) => told(node, "blobDamaged"));
  expect(damages.length).toBeGreaterThan(0);
  expect(damages.every((line) => line.includes(liar.nodeId))).toBe(true);
});

test("a node that restarts in the middle goes on from the pieces that came", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const { manifest, pipeline } = await add(fleet, [holder], "resnet", 6);
  fleet.net.impair(holder.nodeId, SLOW);
  await place(fleet, [pipeline, [node]]);
  await fleet.until("half came", () => (stateOf(fleet, node, pipeline)?.bytesHere ?? 0) > 3 * PIECE, SOON_MS);
  const before = bytesServed(holder);
  node.crash();
  await fleet.run(1_000);
  await node.start();
  await fleet.until("it has it", allReady(fleet, [node], pipeline), 60_000);
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  expect(bytesServed(holder) - before).toBeLessThan(bytes - 3 * PIECE);
});

test("a node that restarts with the model on its disk loads it without fetching anything", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const { pipeline } = await add(fleet, [holder], "resnet", 3);
  await place(fleet, [pipeline, [node]]);
  await fleet.until("it has it", allReady(fleet, [node], pipeline), SOON_MS);
  const before = bytesServed(holder);
  node.crash();
  await fleet.run(1_000);
  await node.start();
  await fleet.until("it runs it again", () => runs(node, pipeline), SOON_MS);
  expect(bytesServed(holder)).toBe(before);
});

test("a worker without the ledger has what is placed on it, and lets go of what is not any more", async () => {
  const fleet = await raise(4, { voters: 3, settings: { votersMax: "3" } });
  const worker = fleet.nodes[3]!;
  const { pipeline, digest } = await add(fleet, [fleet.nodes[0]!], "resnet", 3);
  await place(fleet, [pipeline, [worker]]);
  await fleet.until("it has it", allReady(fleet, [worker], pipeline), SOON_MS);
  expect(worker.agent!.holdsLedger).toBe(false);
  await place(fleet, [pipeline, []]);
  await fleet.until("it runs it no more", () => !runs(worker, pipeline), SOON_MS);
  await fleet.run(3_000);
  expect(hasRate(fleet, worker, pipeline)).toBe(false);
  expect(worker.models.placed.has(digest)).toBe(true);
  await fleet.run(TIMING.modelLetGoMs);
  await fleet.until("its files go", () => !worker.models.placed.has(digest), SOON_MS);
});

test("a placement that changes while it is fetched: the old one is given up, the new one comes", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const large = await add(fleet, [holder], "large", 6);
  const small = await add(fleet, [holder], "small", 2);
  fleet.net.impair(holder.nodeId, SLOW);
  await place(fleet, [large.pipeline, [node]]);
  await fleet.until("some came", () => (stateOf(fleet, node, large.pipeline)?.bytesHere ?? 0) > PIECE, SOON_MS);
  await place(fleet, [small.pipeline, [node]]);
  await fleet.until("it has the other", allReady(fleet, [node], small.pipeline), SOON_MS);
  expect(runs(node, large.pipeline)).toBe(false);
  expect(stateOf(fleet, node, large.pipeline)).toBeUndefined();
});

test("the new one is loaded before the old one goes, and the old one is held as long as it has work", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const first = await add(fleet, [holder], "m", 2, 1);
  const second = await add(fleet, [holder], "m", 2, 2);
  await place(fleet, [first.pipeline, [node]]);
  await fleet.until("it has the first", allReady(fleet, [node], first.pipeline), SOON_MS);
  node.engine!.secondsPerItemOf.set(first.pipeline, 15);
  const bytes = new TextEncoder().encode("an input");
  node.blobs.keep(sha256(bytes), bytes);
  const input = { item: 0, name: "a", blob: sha256(bytes), bytes: bytes.length };
  const { term } = fleet.leader!.agent!.raftStatus();
  const lease = { term, shardId: "s" as never, jobId: "job-none" as never, pipeline: first.pipeline };
  const body = PEER_WIRE.lease.question.encode({ ...lease, items: [input], inputHolders: [node.nodeId], copies: 1 });
  const answer = await fleet.settled(fleet.leader!.network!.request(node.nodeId, "lease", body), SOON_MS);
  expect(PEER_WIRE.lease.answer.decode(answer)).toMatchObject({ accepted: true });
  let both = false;
  fleet.onStep = () => {
    both ||= runs(node, first.pipeline) && runs(node, second.pipeline);
  };
  await place(fleet, [second.pipeline, [node]]);
  await fleet.until("the second is loaded", () => runs(node, second.pipeline), 10_000);
  await fleet.run(1_000);
  expect(both).toBe(true);
  expect(runs(node, first.pipeline)).toBe(true);
  expect(hasRate(fleet, node, first.pipeline)).toBe(false);
  await fleet.until("the first goes with its work", () => !runs(node, first.pipeline), 60_000);
  await fleet.until("the second works", allReady(fleet, [node], second.pipeline), SOON_MS);
});

test("a model that cannot be loaded is told with its reason and tried again, later each time; others come meanwhile", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const bad = await add(fleet, [holder], "bad", 1);
  const good = await add(fleet, [holder], "good", 2);
  node.engine!.failNextLoad("an operator is missing");
  node.engine!.failNextLoad("an operator is missing");
  await place(fleet, [bad.pipeline, [node]], [good.pipeline, [node]]);
  const failed = (): boolean => stateOf(fleet, node, bad.pipeline)?.state === "failed";
  await fleet.until("it says so", failed, SOON_MS);
  expect(stateOf(fleet, node, bad.pipeline)!.reason).toContain("an operator is missing");
  await fleet.until("the other one came", allReady(fleet, [node], good.pipeline), SOON_MS);
  await fleet.until("it came at last", allReady(fleet, [node], bad.pipeline), SOON_MS);
  expect(told(node, "modelFailed")).toHaveLength(2);
});

test("a full disk is told as the reason, and the model comes when there is room", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const { pipeline } = await add(fleet, [holder], "resnet", 4);
  node.blobs.capacityBytes = node.blobs.usedBytes + 2 * PIECE;
  await place(fleet, [pipeline, [node]]);
  await fleet.until("it says so", () => stateOf(fleet, node, pipeline)?.state === "failed", SOON_MS);
  expect(stateOf(fleet, node, pipeline)!.reason).toContain("is full");
  node.blobs.capacityBytes = Number.POSITIVE_INFINITY;
  await fleet.until("it comes", allReady(fleet, [node], pipeline), 60_000);
});

test("a model is not loaded without the memory for it: the node says what is missing, and an idle model makes room", async () => {
  const fleet = await raise(3, { alike: { secondsPerItem: 0.1, executors: 1 } });
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const first = await add(fleet, [holder], "first", 1);
  const second = await add(fleet, [holder], "second", 3);
  await place(fleet, [first.pipeline, [node]]);
  await fleet.until("it has the first", allReady(fleet, [node], first.pipeline), SOON_MS);
  node.memoryFreeBytes = () => (runs(node, first.pipeline) ? 4 : 8) * PIECE;
  await place(fleet, [first.pipeline, [node]], [second.pipeline, [node]]);
  await fleet.until("it says so", () => stateOf(fleet, node, second.pipeline)?.state === "failed", SOON_MS);
  expect(stateOf(fleet, node, second.pipeline)!.reason).toMatch(/13 MB while it loads, and 9 MB are free/);
  await place(fleet, [second.pipeline, [node]]);
  await fleet.until("it has the second", allReady(fleet, [node], second.pipeline), SOON_MS);
  expect(runs(node, first.pipeline)).toBe(false);
});

test("delivery is held to the rate that the fleet set", async () => {
  const fleet = await raise(3, { settings: { deliveryMBps: "1" } });
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const { manifest, pipeline } = await add(fleet, [holder], "resnet", 3);
  await place(fleet, [pipeline, [node]]);
  const tookMs = await fleet.until("it has it", allReady(fleet, [node], pipeline), 60_000);
  const seconds = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  expect(tookMs).toBeGreaterThan(seconds * 1_000 * 0.95);
  expect(tookMs).toBeLessThan(seconds * 1_000 + 5_000);
});

test("files of a model that is placed here are not swept away", async () => {
  const fleet = new SimFleet(31, 3);
  for (const node of fleet.nodes) node.sweepMs = 30_000;
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, SOON_MS);
  await fleet.run(3_000);
  await place(fleet);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const { manifest, pipeline } = await add(fleet, [holder], "resnet", 1);
  await place(fleet, [pipeline, [node]]);
  await fleet.until("it has it", allReady(fleet, [node], pipeline), SOON_MS);
  const holds = (): boolean => manifest.files.every(({ blob }) => node.blobs.held().has(blob));
  await fleet.run(150_000);
  expect(holds()).toBe(true);
  await place(fleet);
  await fleet.until("they go when it is placed here no more", () => !holds(), 300_000);
});

test("a model that is forgotten by the fleet goes from where it stood", async () => {
  const fleet = await raise(3);
  const { pipeline, manifest } = await add(fleet, [fleet.nodes[0]!], "resnet", 1);
  await place(fleet, [pipeline, fleet.nodes]);
  await fleet.until("all have it", allReady(fleet, fleet.nodes, pipeline), SOON_MS);
  await propose(fleet, { kind: "modelRemoved", name: manifest.name, version: manifest.version });
  await fleet.until("nobody runs it", () => fleet.nodes.every((node) => !runs(node, pipeline)), SOON_MS);
});

test("the same mark is answered without the list", async () => {
  const fleet = await raise(3);
  const node = fleet.nodes[1]!;
  const { pipeline } = await add(fleet, [fleet.nodes[0]!], "resnet", 1);
  await place(fleet, [pipeline, [node]]);
  const body = (mark: string): Uint8Array =>
    PEER_WIRE.deputy.question.encode({
      call: "modelsFor",
      argumentsJson: JSON.stringify([node.nodeId as NodeId, mark]),
      ticket: "",
      offset: 0,
    });
  const ask = async (mark: string) => {
    const answer = await fleet.settled(node.network!.request(fleet.leader!.nodeId, "deputy", body(mark)), SOON_MS);
    return JSON.parse(new TextDecoder().decode(PEER_WIRE.deputy.answer.decode(answer).piece));
  };
  if (fleet.leader === node) return;
  const first = await ask("");
  expect(first.told.models.map(({ manifest }: { manifest: ModelManifest }) => modelReference(manifest))).toEqual([
    pipeline,
  ]);
  expect(await ask(first.mark)).toEqual({ mark: first.mark });
});

test("a copy of a model's files lies where it would be placed next, and moves on when it is", async () => {
  const fleet = await raise(4);
  const [a, b] = fleet.nodes as [SimNode, SimNode];
  const { manifest, pipeline } = await add(fleet, [a, b], "resnet", 1);
  await place(fleet, [pipeline, [a, b]]);
  const [{ blob }] = manifest.files as [ModelFile];
  const holders = (): NodeId[] => fleet.leader?.agent?.ledger.holdersOf(blob) ?? [];
  const others = (besides: SimNode[]): boolean =>
    holders().some((holder) => besides.every((one) => one.nodeId !== holder));
  await fleet.until("one is elsewhere", () => others([a, b]) && holders().length === 2, 200_000);
  const next = fleet.nodes.find((node) => ![a, b].includes(node) && holders().includes(node.nodeId))!;
  expect(next.blobs.held().has(blob)).toBe(true);
  await place(fleet, [pipeline, [a, b, next]]);
  await fleet.until("it is on the last one", () => others([a, b, next]) && holders().length === 2, 200_000);
});

test("a placement that changes while a model is loaded leaves nothing loaded that is not placed here, and nothing unloaded that is", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const { pipeline } = await add(fleet, [holder], "resnet", 1);
  node.engine!.secondsPerLoad = 3;
  const isLoading = (): boolean => stateOf(fleet, node, pipeline)?.state === "loading";
  await place(fleet, [pipeline, [node]]);
  await fleet.until("it loads", isLoading, SOON_MS);
  await place(fleet);
  await fleet.run(6_000);
  expect(runs(node, pipeline)).toBe(false);
  await place(fleet, [pipeline, [node]]);
  await fleet.until("it loads again", isLoading, SOON_MS);
  await place(fleet);
  await place(fleet, [pipeline, [node]]);
  await fleet.until("it has it", allReady(fleet, [node], pipeline), SOON_MS);
});

test("a copy of its own that rotted is made anew before it is placed", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const { manifest, pipeline, digest } = await add(fleet, [holder, node], "resnet", 2);
  const weights = manifest.files[1]!.blob;
  node.blobs.rot(weights);
  await place(fleet, [pipeline, [node]]);
  await fleet.until("it has it", allReady(fleet, [node], pipeline), SOON_MS);
  expect(sha256(node.models.placed.get(digest)!.get("weights/0.bin")!)).toBe(weights);
});

test("a model whose executors die again and again is told as failed, and loaded anew later", async () => {
  const fleet = await raise(3);
  const [holder, node] = fleet.nodes.filter((one) => one !== fleet.leader) as [SimNode, SimNode];
  const { pipeline } = await add(fleet, [holder], "resnet", 1);
  await place(fleet, [pipeline, [node]]);
  await fleet.until("it has it", allReady(fleet, [node], pipeline), SOON_MS);
  const reason = "it ended three executors";
  const { engine } = node;
  const models = engine!.models.bind(engine);
  engine!.models = () => [{ pipeline, state: "failed", reason }];
  await fleet.until("it says so", () => stateOf(fleet, node, pipeline)?.reason?.includes(reason) ?? false, SOON_MS);
  expect(hasRate(fleet, node, pipeline)).toBe(false);
  engine!.models = models;
  await fleet.until("it has it again", allReady(fleet, [node], pipeline), SOON_MS);
});

test("a model that a person adds says what its pieces are, so that it is delivered in them", async () => {
  const fleet = await raise(3);
  const node = fleet.nodes[0]!;
  const files = { "model.onnx": tinyOnnx({ scale: 2 }), "words.bin": new Uint8Array(PIECE + 5).fill(7) };
  const offered = Object.entries(files).map(([path, bytes]) => {
    node.blobs.keep(sha256(bytes), bytes);
    return { path, blob: sha256(bytes), bytes: bytes.length };
  });
  const request = { name: "tiny", files: offered };
  const added = () => fleet.leader?.agent?.ledger.planning.models.get("tiny:1");
  for (let tries = 0; tries < 10 && !added(); tries++) await fleet.settled(node.agent!.addModel(request), SOON_MS);
  const [graph, words] = added()!.manifest.files as [ModelFile, ModelFile];
  expect(graph.pieces).toBeUndefined();
  const parts = [files["words.bin"].subarray(0, PIECE), files["words.bin"].subarray(PIECE)];
  expect(pieceDigests(words)).toEqual(parts.map(sha256));
  await place(fleet, ["tiny:1", fleet.nodes]);
  await fleet.until("all have it", allReady(fleet, fleet.nodes, "tiny:1"), SOON_MS);
});
