/** What a job leaves behind can be proved, and what cannot is not taken. */
import { expect, test } from "vitest";
import { SkeinError } from "../../../shared/errors.ts";
import type { JobId, NodeId } from "../../../shared/ids.ts";
import type { VerifyPage } from "../../../shared/verification.ts";
import { pretendOutput } from "../../support/pretend-engine.ts";
import { pretendSigner } from "../../support/pretend-signer.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

async function raise(seed: number, size = 3, options: SimFleetOptions = {}): Promise<SimFleet> {
  const fleet = new SimFleet(seed, size, options);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 10_000);
  await fleet.run(4_000);
  return fleet;
}

const settled = <T>(fleet: SimFleet, promise: Promise<T>): Promise<T> => fleet.settled(promise, 60_000);

const isDone = (node: SimNode, jobId: JobId): boolean => node.agent!.ledger.jobs.get(jobId)?.state === "done";

/** A job that has ended, read through another box than the leader. */
async function done(fleet: SimFleet, items: number): Promise<{ jobId: JobId; via: SimNode }> {
  const jobId = await fleet.submit(fleet.leader!, items);
  await fleet.until("the end", () => fleet.nodes.every((node) => isDone(node, jobId!)), 120_000);
  return { jobId: jobId!, via: fleet.nodes.find((node) => node !== fleet.leader)! };
}

async function verified(fleet: SimFleet, via: SimNode, jobId: JobId, recompute = 0): Promise<VerifyPage> {
  const page = await settled(fleet, via.agent!.verify(jobId, { recompute }));
  expect(page.nextItem).toBeUndefined();
  return page;
}

const nameOf = (fleet: SimFleet, nodeId: NodeId | undefined): string | undefined =>
  fleet.nodes.find((node) => node.nodeId === nodeId)?.name;

test.each([
  ["signed by another", (_: SimNode) => pretendSigner("12D3KooW" as NodeId).sign],
  ["with a signature over something else", (node: SimNode) => () => pretendSigner(node.nodeId).sign(new Uint8Array())],
])("what a node reports %s is refused, told, and done elsewhere", async (_, signOf) => {
  const fleet = await raise(81);
  const liar = fleet.nodes.find((node) => node !== fleet.leader)!;
  liar.crash();
  liar.signer = { ...liar.signer, sign: signOf(liar) };
  await liar.start();
  await fleet.run(5_000);
  const { jobId } = await done(fleet, 30);
  const leader = fleet.leader!;
  const { results } = await settled(fleet, leader.agent!.results(jobId));
  expect(results.filter(({ error }) => error)).toEqual([]);
  expect(results.filter(({ node }) => node === liar.nodeId)).toEqual([]);
  const refused = leader.agent!.eventsSince(0).filter(({ event }) => event === "reportRefused");
  expect(refused[0]?.facts).toMatchObject({ jobId, node: liar.nodeId, code: "RESULT_UNPROVEN" });
});

test("every result of a job is signed by its node, and the receipt by whoever writes it", async () => {
  const fleet = await raise(82);
  const { jobId, via } = await done(fleet, 40);
  const receipt = await settled(fleet, via.agent!.receipt(jobId));
  expect(receipt.results.map(({ signatureState }) => signatureState)).toEqual(Array(40).fill("valid"));
  expect(new Set(receipt.results.map(({ madeWith }) => madeWith)).size).toBe(1);
  expect(receipt.writtenBy).toBe(via.nodeId);
});

test("a job whose every copy is sound verifies, and a sample of it comes out the same elsewhere", async () => {
  const fleet = await raise(83);
  const { jobId, via } = await done(fleet, 70);
  const page = await verified(fleet, via, jobId, 9);
  expect(page.faults).toEqual([]);
  expect(page).toMatchObject({ itemsVerified: 70, signaturesValid: 70, recomputed: 9, recomputedAlike: 0 });
  expect(page.copiesSound).toBeGreaterThanOrEqual(4 * 70);
});

test("a box without the ledger has a job verified by a member, and bad requests refused there", async () => {
  const fleet = await raise(92, 6, { voters: 5 });
  const jobId = await fleet.submit(fleet.leader!, 30);
  await fleet.until("the end", () => isDone(fleet.leader!, jobId!), 120_000);
  const worker = fleet.nodes[5]!;
  const page = await verified(fleet, worker, jobId!, 3);
  expect(page).toMatchObject({ itemsVerified: 30, signaturesValid: 30, recomputed: 3, faults: [] });
  expect((await settled(fleet, worker.agent!.receipt(jobId!))).writtenBy).not.toBe(worker.nodeId);
  const asked = settled(fleet, worker.agent!.verify(jobId!, { fromItem: -1 }));
  await expect(asked).rejects.toMatchObject({ code: "BAD_REQUEST" });
});

test("copies that rot or vanish are named with their node, set aside, made again, and then all is well", async () => {
  const fleet = await raise(84);
  const { jobId, via } = await done(fleet, 20);
  const { results } = await settled(fleet, via.agent!.results(jobId));
  const [first, second, third] = results;
  const holders = (blob: string): SimNode[] =>
    via.agent!.ledger.holdersOf(blob as never).map((nodeId) => fleet.nodes.find((node) => node.nodeId === nodeId)!);
  const [rotten, gone, wornOut] = [
    holders(first!.output!)[0]!,
    holders(second!.output!)[0]!,
    holders(third!.input)[0]!,
  ];
  rotten.blobs.rot(first!.output!);
  gone.blobs.drop(second!.output!, false);
  wornOut.blobs.rot(third!.input);
  const page = await verified(fleet, via, jobId);
  const told = page.faults.map(({ what, item, node }) => [what, item, nameOf(fleet, node)]);
  expect(told.sort()).toEqual(
    [
      ["copyDamaged", 0, rotten.name],
      ["copyMissing", 1, gone.name],
      ["copyDamaged", 2, wornOut.name],
    ].sort(),
  );
  await fleet.run(15_000);
  expect((await verified(fleet, via, jobId)).faults).toEqual([]);
});

test("the last copy, when it is damaged, is told as lost and stays in the record", async () => {
  const fleet = await raise(85);
  const { jobId, via } = await done(fleet, 5);
  const { blob } = via.agent!.ledger.jobs.get(jobId)!.inputs[3]!;
  for (const node of fleet.nodes) if (node.blobs.held().has(blob)) node.blobs.rot(blob);
  const page = await verified(fleet, via, jobId);
  expect(page.faults.filter(({ what }) => what === "blobLost")).toMatchObject([{ item: 3, blob }]);
  expect(via.agent!.ledger.holdersOf(blob)).not.toEqual([]);
});

test("a holder that cannot be reached is told once, with nothing said against its copies", async () => {
  const fleet = await raise(86, 4);
  const { jobId, via } = await done(fleet, 30);
  const lost = fleet.nodes.find((node) => node !== via && node !== fleet.leader)!;
  lost.crash();
  const page = await verified(fleet, via, jobId);
  expect(page.faults).toMatchObject([{ what: "holderSilent", node: lost.nodeId }]);
});

test("a node that computes otherwise is found by computing again, and so is one that fails where none should", async () => {
  const fleet = await raise(87);
  const { jobId, via } = await done(fleet, 12);
  const other = pretendOutput(new TextEncoder().encode("another page"));
  for (const { engine } of fleet.nodes) {
    const run = engine!.run.bind(engine);
    engine!.run = async (task) => {
      if (task.name === "page-3") throw new SkeinError("IMAGE_UNREADABLE", { name: task.name, reason: "it is torn" });
      const outcome = await run(task);
      return task.name === "page-7" ? { ...outcome, output: other } : outcome;
    };
  }
  const page = await verified(fleet, via, jobId, 12);
  expect(page.recomputed).toBe(10);
  const told = page.faults.map(({ what, item, reason }) => [what, item, reason]).sort();
  expect(told).toEqual([
    ["recomputeDiffers", 3, "it fails with IMAGE_UNREADABLE"],
    ["recomputeDiffers", 7, "more than 1 % of its 64 letters are others"],
  ]);
});

/** Names of the inputs that boxes compute from now on, as they end. */
function watchRuns(fleet: SimFleet): string[] {
  const ended: string[] = [];
  for (const { engine } of fleet.nodes) {
    const run = engine!.run.bind(engine);
    engine!.run = async (task) => {
      const outcome = await run(task);
      ended.push(task.name);
      return outcome;
    };
  }
  return ended;
}

test.each([88, 89, 90])(
  "what was finished and could not be handed in outlives a power cut, and is not computed again (seed %i)",
  async (seed) => {
    const fleet = await raise(seed);
    const before = watchRuns(fleet);
    const jobId = await fleet.submit(fleet.leader!, 24);
    await fleet.run(100);
    fleet.net.partition(...fleet.nodes.map((node) => [node.nodeId]));
    await fleet.run(10_000);
    for (const node of fleet.nodes) node.crash();
    await fleet.heal();
    const after = watchRuns(fleet);
    await fleet.until("the end", () => fleet.nodes.every((node) => node.agent && isDone(node, jobId!)), 120_000);
    const told = fleet.nodes.flatMap((node) => node.agent!.eventsSince(0));
    expect(told.filter(({ event }) => event === "resultsRemembered")).not.toEqual([]);
    expect(before.length).toBeGreaterThan(3);
    expect(after.filter((page) => before.includes(page))).toEqual([]);
    await fleet.run(3_000);
    for (const node of fleet.nodes) expect(await node.notes.open().list("result/")).toEqual(new Map());
  },
);

test("a box that starts again is as fast as it was known to be, without being measured anew", async () => {
  const fleet = await raise(91);
  const node = fleet.nodes.find((one) => one !== fleet.leader)!;
  const rates = () => fleet.leader!.agent!.fleet().nodes.find(({ nodeId }) => nodeId === node.nodeId)?.report?.rates;
  await fleet.run(10_000);
  const known = rates();
  node.crash();
  await fleet.run(1_000);
  await node.start();
  node.engine!.calibrate = () => Promise.reject(new Error("it is measured again"));
  await fleet.until("it is ready", () => node.agent!.health().ok, 1_000);
  await fleet.run(5_000);
  expect(rates()).toEqual(known);
});
