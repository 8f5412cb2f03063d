/** Models are taken in on any box, agreed on, and kept, whatever dies meanwhile: on the real runtime over a pretend world. */
import { describe, expect, test } from "vitest";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, JobId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { pieceDigests } from "../../../shared/model.ts";
import type { ModelAddRequest, ModelAddView, OfferedFile } from "../../../shared/model-registry.ts";
import { TINY_EXAMINATION } from "../../support/pretend-trials.ts";
import { TINY_WEIGHTS, tinyOnnx } from "../../support/tiny-onnx.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import { type SimNode, sha256 } from "./sim-node.ts";

const SOON_MS = 30_000;

async function raise(size: number, options: SimFleetOptions = {}, seed = 41): Promise<SimFleet> {
  const fleet = new SimFleet(seed, size, options);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, SOON_MS);
  const isReady = ({ agent }: SimNode): boolean => agent!.health().ok && agent!.fleet().leader !== undefined;
  await fleet.until("all are ready", () => fleet.nodes.every(isReady), SOON_MS);
  await fleet.run(3_000);
  return fleet;
}

/** What comes of a call, a refusal too, while the fleet's time goes on. */
const during = <T>(fleet: SimFleet, call: Promise<T>): Promise<T | SkeinError> =>
  fleet.settled(
    call.catch((error: unknown) => SkeinError.from(error)),
    120_000,
  );

/** As after an upload. */
function upload(node: SimNode, files: Record<string, Uint8Array>): OfferedFile[] {
  return Object.entries(files).map(([path, bytes]) => {
    node.blobs.keep(sha256(bytes), bytes);
    return { path, blob: sha256(bytes), bytes: bytes.length };
  });
}

const TINY = {
  "model.onnx": tinyOnnx({ weightsIn: "w.bin" }),
  "w.bin": TINY_WEIGHTS,
  "labels.txt": new Uint8Array([97]),
};
const other = (scale: number) => ({ "model.onnx": tinyOnnx({ scale }) });
const blobsOf = (files: Record<string, Uint8Array>): BlobHash[] => Object.values(files).map(sha256);

/** Until it is added or refused, as a client asks. */
async function add(fleet: SimFleet, node: SimNode, request: ModelAddRequest): Promise<ModelAddView | SkeinError> {
  for (let n = 0; n < 100; n++) {
    const view = await during(fleet, node.agent!.addModel(request));
    if (view instanceof SkeinError || view.step === "added") return view;
  }
  throw new Error("it is never added");
}
const addTiny = (fleet: SimFleet, node: SimNode, more: Partial<ModelAddRequest> = {}) =>
  add(fleet, node, { name: "tiny", files: upload(node, TINY), ...more });

/** Two stages of the model, one after the other. */
const twice = (port = "y"): string => `name: twice
inputs:
  x: { type: "FP32[-1,4]" }
stages:
  first: { model: "tiny:1", in: { x: x } }
  second: { model: "tiny:1", in: { x: first.${port} } }
outputs:
  y: second.y
`;
const follower = (fleet: SimFleet): SimNode => fleet.nodes.find((node) => node !== fleet.leader)!;
const ledgerOf = (fleet: SimFleet) => fleet.leader!.agent!.ledger;
const modelsOf = (fleet: SimFleet): string[] => [...ledgerOf(fleet).planning.models.keys()];
const liveHolders = (fleet: SimFleet, blob: BlobHash): SimNode[] =>
  fleet.nodes.filter((node) => node.isUp && ledgerOf(fleet).holdersOf(blob).includes(node.nodeId));

describe("a model is added", () => {
  test("through a box that does not lead: examined there, on two disks, agreed, and told by every box", async () => {
    const fleet = await raise(3);
    const node = follower(fleet);
    expect(await addTiny(fleet, node)).toEqual({ step: "added", model: "tiny:1", existing: false });
    expect(node.trials.examined).toHaveLength(1);
    expect(node.trials.examined[0]).toMatchObject({
      graph: { path: "model.onnx" },
      limits: { memoryBytesMax: 4e9, deadlineMs: TIMING.modelExamineMs },
    });
    for (const blob of blobsOf(TINY)) expect(liveHolders(fleet, blob).length).toBeGreaterThanOrEqual(2);
    for (const one of fleet.nodes) {
      const [view] = (await during(fleet, one.agent!.models())) as never[];
      expect(view).toMatchObject({ model: "tiny:1", files: 3, addedBy: node.name, copies: 2, aliases: [] });
    }
    const detail = await during(fleet, fleet.leader!.agent!.model("tiny"));
    expect(detail).toMatchObject({
      inputs: TINY_EXAMINATION.inputs,
      jobs: [],
      manifest: {
        files: [
          { path: "labels.txt", use: "labels" },
          { path: "model.onnx", use: "graph" },
          { path: "w.bin", use: "weights" },
        ],
      },
    });
  });

  test("and says of a large file what each of its pieces is, so that boxes which fetch it may serve each other", async () => {
    const fleet = await raise(3);
    const large = new Uint8Array(LIMITS.blobPieceBytes + 5).fill(7);
    const files = { ...other(1), "embeddings.bin": large };
    expect(await add(fleet, follower(fleet), { name: "large", files: upload(follower(fleet), files) })).toMatchObject({
      model: "large:1",
    });
    const { manifest } = [...ledgerOf(fleet).planning.models.values()][0]!;
    const told = Object.fromEntries(manifest.files.map((file) => [file.path, pieceDigests(file)]));
    const cut = LIMITS.blobPieceBytes;
    expect(told).toEqual({
      "model.onnx": undefined,
      "embeddings.bin": [sha256(large.subarray(0, cut)), sha256(large.subarray(cut))],
    });
  });

  test("through a worker without the ledger, and so are alias and removal", async () => {
    const fleet = await raise(4, { voters: 3, settings: { votersMax: "3" } });
    const worker = fleet.nodes[3]!;
    expect(worker.agent!.holdsLedger).toBe(false);
    expect(await addTiny(fleet, worker)).toMatchObject({ model: "tiny:1" });
    expect(await during(fleet, worker.agent!.aliasModel("tiny", "stable", 1))).toEqual({
      alias: "tiny:stable",
      version: 1,
    });
    expect(await during(fleet, worker.agent!.model("tiny:stable"))).toMatchObject({
      model: "tiny:1",
      aliases: ["stable"],
    });
    expect(await during(fleet, worker.agent!.aliasModel("tiny", "stable", 7))).toMatchObject({ code: "MODEL_UNKNOWN" });
    // A pipeline that is made of it goes the same way, and must go first.
    expect(await during(fleet, worker.agent!.addPipeline({ text: twice("z") }))).toMatchObject({
      code: "PIPELINE_INVALID",
      facts: {
        faults: [{ path: "stages.second.in.x", line: 6, reason: expect.stringMatching(/takes "?z"? of first/) }],
      },
    });
    const added = { pipeline: "twice:1", existing: false };
    expect(await during(fleet, worker.agent!.addPipeline({ text: twice() }))).toEqual(added);
    expect(await during(fleet, worker.agent!.checkPipeline({ text: twice() }))).toMatchObject({ existing: true });
    expect(await during(fleet, worker.agent!.pipeline("twice"))).toMatchObject({ pipeline: "twice:1", stages: 2 });
    expect(await during(fleet, worker.agent!.removeModel("tiny", false))).toMatchObject({ code: "PART_WANTED" });
    expect(await during(fleet, worker.agent!.removePipeline("twice", false))).toMatchObject({ removed: "twice:1" });
    expect(await during(fleet, worker.agent!.removeModel("tiny", false))).toEqual({ removed: "tiny:1", cancelled: [] });
    expect(await during(fleet, worker.agent!.models())).toEqual([]);
    expect(await during(fleet, worker.agent!.pipelines())).toEqual([]);
    expect(worker.agent!.ledger.appliedIndex, "what a worker knows of the log").toBe(0);
  });

  test("and the same files again are no new version; others are the next; a version that is taken is refused before it is loaded", async () => {
    const fleet = await raise(3);
    const [first, second] = [fleet.leader!, follower(fleet)];
    expect(await addTiny(fleet, first)).toMatchObject({ model: "tiny:1", existing: false });
    expect(await addTiny(fleet, second)).toEqual({ step: "added", model: "tiny:1", existing: true });
    expect(second.trials.examined).toEqual([]);
    expect(await add(fleet, second, { name: "tiny", files: upload(second, other(2)) })).toMatchObject({
      model: "tiny:2",
    });
    const examined = second.trials.examined.length;
    const taken = await add(fleet, second, { name: "tiny", version: 2, files: upload(second, other(3)) });
    expect(taken).toMatchObject({ code: "MODEL_EXISTS", facts: { model: "tiny:2" } });
    expect(second.trials.examined).toHaveLength(examined);
    expect(modelsOf(fleet)).toEqual(["tiny:1", "tiny:2"]);
  });

  test("at two boxes at the same moment: each gets a version of its own", async () => {
    const fleet = await raise(3);
    const [a, b] = fleet.nodes as [SimNode, SimNode];
    const both = Promise.all(
      [a, b].map((node, i) => {
        const request = { name: "tiny", files: upload(node, other(10 + i)) };
        return node.agent!.addModel(request);
      }),
    );
    const answers = await during(fleet, both);
    expect((answers as ModelAddView[]).map(({ model }) => model).sort()).toEqual(["tiny:1", "tiny:2"]);
  });
});

test("the same model that another box adds while it is examined here is one version", async () => {
  const fleet = await raise(3);
  const [slow, quick] = fleet.nodes as [SimNode, SimNode];
  const gate = Promise.withResolvers<void>();
  slow.trials.outcome = async () => {
    await gate.promise;
    return TINY_EXAMINATION;
  };
  const request = { name: "tiny", files: upload(slow, TINY) };
  expect(await during(fleet, slow.agent!.addModel(request))).toEqual({ step: "examining" });
  expect(await addTiny(fleet, quick)).toMatchObject({ model: "tiny:1", existing: false });
  gate.resolve();
  expect(await add(fleet, slow, request)).toEqual({ step: "added", model: "tiny:1", existing: true });
  expect(modelsOf(fleet)).toEqual(["tiny:1"]);
});

describe("what dies meanwhile", () => {
  test("the leader, while the model is examined: the next one has it agreed", async () => {
    const fleet = await raise(3);
    const [node, leader] = [follower(fleet), fleet.leader!];
    const examined = Promise.withResolvers<void>();
    node.trials.outcome = async () => {
      await examined.promise;
      return TINY_EXAMINATION;
    };
    const request = { name: "tiny", files: upload(node, TINY) };
    expect(await during(fleet, node.agent!.addModel(request))).toEqual({ step: "examining" });
    leader.crash();
    examined.resolve();
    await fleet.until("another leads", () => fleet.leader !== undefined, SOON_MS);
    await leader.start();
    expect(await add(fleet, node, request)).toMatchObject({ model: "tiny:1" });
    expect(modelsOf(fleet)).toEqual(["tiny:1"]);
    await fleet.run(5_000);
    for (const one of fleet.nodes) expect([...one.agent!.ledger.planning.models.keys()]).toEqual(["tiny:1"]);
  });

  test("the box that was asked, at any moment: the client asks another, and there is one version of it", async () => {
    const fleet = await raise(4);
    const node = follower(fleet);
    const next = fleet.nodes.find((one) => one !== node && one !== fleet.leader)!;
    for (const [i, afterMs] of [0, 20, 60, 120, 250].entries()) {
      const files = other(100 + i);
      const request = { name: `m${i}`, files: upload(node, files) };
      void node.agent!.addModel(request).catch(() => {});
      await fleet.run(afterMs);
      node.crash();
      upload(next, files);
      const answer = await add(fleet, next, request);
      expect(answer).toMatchObject({ step: "added", model: `m${i}:1` });
      await node.start();
      await fleet.run(3_000);
    }
    expect(modelsOf(fleet)).toEqual(["m0:1", "m1:1", "m2:1", "m3:1", "m4:1"]);
  });

  test("a box that holds its files: copies are made anew", async () => {
    const fleet = await raise(4);
    await addTiny(fleet, fleet.leader!);
    const blobs = blobsOf(TINY);
    const holder = liveHolders(fleet, blobs[0]!).find((node) => node !== fleet.leader)!;
    holder.crash();
    const areMade = (): boolean => blobs.every((blob) => liveHolders(fleet, blob).length >= 2);
    await fleet.until("two live holders of each", areMade, 60_000);
    for (const blob of blobs)
      for (const node of liveHolders(fleet, blob)) expect(node.blobs.held().has(blob)).toBe(true);
  });

  test("a box that was away for so long that it gets a snapshot knows them all", async () => {
    const fleet = await raise(3);
    const away = follower(fleet);
    const node = fleet.nodes.find((one) => one !== away && one !== fleet.leader)!;
    await addTiny(fleet, node);
    away.crash();
    await add(fleet, node, { name: "tiny", files: upload(node, other(2)) });
    await during(fleet, node.agent!.aliasModel("tiny", "stable", 1));
    await during(fleet, node.agent!.addPipeline({ text: twice() }));
    for (let i = 0; i < 30; i++) await during(fleet, node.agent!.setSetting(`s${i}`, "1"));
    await away.start();
    const known = (): string[] => [...(away.agent?.ledger.planning.models.keys() ?? [])];
    await fleet.until("it knows them", () => known().join() === "tiny:1,tiny:2", SOON_MS);
    expect(away.story.some((line) => line.includes("snapshotInstalled"))).toBe(true);
    expect(away.agent!.ledger.planning).toEqual(node.agent!.ledger.planning);
    expect([...away.agent!.ledger.planning.pipelines.keys()]).toEqual(["twice:1"]);
    for (const blob of blobsOf(TINY)) expect(away.agent!.ledger.copiesOf(blob)).toBe(2);
  });

  test("the quorum: nothing is examined, and nothing changes", async () => {
    const fleet = await raise(3);
    await addTiny(fleet, fleet.leader!);
    const node = follower(fleet);
    for (const one of fleet.nodes) if (one !== node) one.crash();
    await fleet.run(5_000);
    const refusals = [
      add(fleet, node, { name: "late", files: upload(node, other(5)) }),
      during(fleet, node.agent!.checkModel({ name: "late", files: upload(node, other(5)) })),
      during(fleet, node.agent!.removeModel("tiny:1", false)),
      during(fleet, node.agent!.aliasModel("tiny", "stable", 1)),
    ];
    for (const refusal of refusals) expect(await refusal).toMatchObject({ code: "NO_QUORUM" });
    expect(node.trials.examined).toEqual([]);
    expect(await during(fleet, node.agent!.models())).toMatchObject([{ model: "tiny:1" }]);
  });
});

describe("a model is removed", () => {
  test("and its files go from every disk, but those that another version stands on", async () => {
    const fleet = await raise(3);
    const node = follower(fleet);
    await addTiny(fleet, node);
    const second = { ...TINY, "labels.txt": new Uint8Array([98]) };
    await add(fleet, node, { name: "tiny", files: upload(node, second) });
    expect(await during(fleet, node.agent!.removeModel("tiny", false))).toMatchObject({ code: "BAD_REQUEST" });
    expect(await during(fleet, node.agent!.removeModel("tiny:1", false))).toMatchObject({ removed: "tiny:1" });
    const labels = sha256(TINY["labels.txt"]);
    const isOn = (blob: BlobHash): boolean => fleet.nodes.some((one) => one.blobs.held().has(blob));
    await fleet.until("its own file is gone", () => !isOn(labels), TIMING.blobLetGoMs + 120_000);
    for (const blob of blobsOf(second)) expect(liveHolders(fleet, blob).length).toBeGreaterThanOrEqual(2);
    expect(await during(fleet, node.agent!.removeModel("tiny:1", false))).toMatchObject({ code: "MODEL_UNKNOWN" });
  });

  test("not while open jobs want it, which are named; by force they are cancelled with the reason", async () => {
    const fleet = await raise(3);
    const { agent } = fleet.leader!;
    await addTiny(fleet, fleet.leader!);
    const page = new TextEncoder().encode("a page");
    fleet.leader!.blobs.keep(sha256(page), page);
    const inputs = [{ name: "page", blob: sha256(page), bytes: page.length }];
    const job = await during(fleet, agent!.submit({ pipeline: "tiny", inputs }));
    const { jobId } = job as { jobId: JobId };
    expect(await during(fleet, agent!.removeModel("tiny:1", false))).toMatchObject({
      code: "MODEL_WANTED",
      facts: { model: "tiny:1", jobs: [jobId] },
    });
    expect(await during(fleet, agent!.model("tiny"))).toMatchObject({ jobs: [jobId] });
    expect(await during(fleet, agent!.removeModel("tiny:1", true))).toEqual({ removed: "tiny:1", cancelled: [jobId] });
    expect(ledgerOf(fleet).jobs.get(jobId)?.state).toBe("cancelled");
    expect(modelsOf(fleet)).toEqual([]);
  });
});

describe("a model is refused", () => {
  const refusal = async (
    files: Record<string, Uint8Array>,
    prepare: (node: SimNode) => void = () => {},
    more: Partial<ModelAddRequest> = {},
  ) => {
    const fleet = await raise(3);
    const node = follower(fleet);
    prepare(node);
    const answer = await add(fleet, node, { name: "bad", files: upload(node, files), ...more });
    expect(modelsOf(fleet)).toEqual([]);
    expect([...node.models.placed.keys()]).toEqual([]);
    return { message: (answer as SkeinError).message, code: (answer as SkeinError).code, node };
  };
  const text = new TextEncoder().encode("no model at all");

  test.each([
    ["what is no ONNX", { "model.onnx": text }, "model.onnx is not an ONNX file"],
    [
      "one whose weights are missing",
      { "model.onnx": tinyOnnx({ weightsIn: "w.bin" }) },
      "model.onnx needs w.bin, which is not among its files",
    ],
    [
      "one that reads elsewhere on the disk",
      { "model.onnx": tinyOnnx({ weightsIn: "../../etc/passwd" }) },
      'model.onnx names a file outside its folder: "../../etc/passwd"',
    ],
  ])("%s, before it is loaded", async (_what, files, reason) => {
    const { message, node } = await refusal(files);
    expect(message).toBe(`The model bad is not accepted: ${reason}.`);
    expect(node.trials.examined).toEqual([]);
  });

  test.each([
    ["crashes", "the process that loaded it ended (SIGSEGV)"],
    ["hangs", "it was not loaded within 180 s"],
    ["lacks an operator", "no onnxruntime here knows the operator com.example.Frobnicate"],
  ])("a loader that %s: its folder goes again, and the next model is taken", async (_what, reason) => {
    const { message, node } = await refusal(other(1), ({ trials }) => {
      trials.outcome = async () => {
        throw new SkeinError("MODEL_REFUSED", { model: "model.onnx", reason });
      };
    });
    expect(message).toBe(`The model bad is not accepted: ${reason}.`);
    expect(node.agent!.queues().find(({ what }) => what === "models being added")).toMatchObject({ length: 0 });
  });

  test("an int8 variant that takes other tensors than the graph", async () => {
    const files = { "model.onnx": tinyOnnx(), "model.int8.onnx": tinyOnnx({ scale: 9 }) };
    const { message, node } = await refusal(files, ({ trials }) => {
      trials.outcome = async ({ path }) =>
        path === "model.onnx" ? TINY_EXAMINATION : { ...TINY_EXAMINATION, inputs: [] };
    });
    expect(message).toContain("model.int8.onnx (int8) takes or gives other tensors than the graph does");
    expect(node.trials.examined.map(({ graph }) => graph.path)).toEqual(["model.onnx", "model.int8.onnx"]);
  });

  test("one whose bytes on the disk are not those that were hashed", async () => {
    const files = { ...other(1), "labels.txt": new Uint8Array([1, 2, 3]) };
    const fleet = await raise(3);
    const node = follower(fleet);
    const offered = upload(node, files);
    node.blobs.rot(sha256(files["labels.txt"]));
    expect(await add(fleet, node, { name: "bad", files: offered })).toMatchObject({ code: "BLOB_HASH_MISMATCH" });
    expect(node.models.placed.size).toBe(0);
  });

  test("one that needs 100 GB, by arithmetic, before anything is uploaded", async () => {
    const fleet = await raise(3);
    const node = follower(fleet);
    const files = Array.from({ length: 25 }, (_, i) => ({ path: `w${i}.bin`, bytes: 4e9 }));
    const request = { name: "large", files: [{ path: "model.onnx", bytes: 1e6 }, ...files] };
    const answer = await during(fleet, node.agent!.checkModel(request));
    expect((answer as SkeinError).message).toBe(
      `The model large is not accepted: loading it takes about 200.0 GB, twice its graph and weights, and models may take 6.0 GB on ${node.name}; ask a box with more memory.`,
    );
    const now = await during(
      fleet,
      node.agent!.checkModel({ name: "large", files: [{ path: "a.onnx", bytes: 2.5e9 }] }),
    );
    expect((now as SkeinError).message).toContain(`and 4.0 GB are free on ${node.name} now; ask again later`);
    const fits = await during(
      fleet,
      node.agent!.checkModel({ name: "large", files: [{ path: "a.onnx", bytes: 1e9 }] }),
    );
    expect(fits).toEqual({ memoryNeededBytes: 2e9, memoryHereBytes: 4e9 });
  });

  test("on a witness, which keeps no files", async () => {
    const fleet = new SimFleet(43, 2, { witness: true });
    await fleet.start();
    await fleet.until("a leader", () => fleet.leader !== undefined, SOON_MS);
    const { agent } = fleet.nodes[2]!;
    expect(await during(fleet, agent!.addModel({ name: "tiny", files: [] }))).toMatchObject({ code: "BAD_REQUEST" });
  });

  test("more at once than a box takes, until one of them has ended", async () => {
    const fleet = await raise(3);
    const node = follower(fleet);
    const gate = Promise.withResolvers<void>();
    node.trials.outcome = async () => {
      await gate.promise;
      return TINY_EXAMINATION;
    };
    const requests = Array.from({ length: 9 }, (_, i) => ({ name: `q${i}`, files: upload(node, other(50 + i)) }));
    const views = await during(fleet, Promise.all(requests.slice(0, 8).map((one) => node.agent!.addModel(one))));
    expect((views as ModelAddView[]).map(({ step }) => step)).toEqual(["examining", ...Array(7).fill("waiting")]);
    expect(await during(fleet, node.agent!.addModel(requests[8]!))).toMatchObject({ code: "PEER_BUSY" });
    gate.resolve();
    for (const one of requests) expect(await add(fleet, node, one)).toMatchObject({ step: "added" });
  });
});
