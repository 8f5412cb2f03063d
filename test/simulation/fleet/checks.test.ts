/** What the checks are worth: each defect is planted in a healthy fleet, and the check that is there for it must see it. */
import { beforeEach, expect, test } from "vitest";
import type { JobRecord } from "../../../agent/core/ledger/index.ts";
import type { PeerNetwork, RequestAnswer } from "../../../agent/ports/index.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import { decodeManifest } from "../../../shared/wire/ledger-snapshot.ts";
import { PEER_WIRE } from "../../../shared/wire/peer.ts";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";
import { watchLeases } from "./watching.ts";

let fleet: SimFleet;
let jobId: JobId;
beforeEach(async () => {
  fleet = new SimFleet(91, 3);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.run(2_000);
  jobId = (await fleet.submit(fleet.nodes[0]!, 6))!;
  await fleet.until("the job ends", () => fleet.hasConverged(), 30_000);
});

const jobOn = (node: SimNode): JobRecord => node.agent!.ledger.jobs.get(jobId)!;
const anOutput = (): BlobHash => jobOn(fleet.nodes[0]!).results[0]!.output!;
const [first, second] = [() => fleet.nodes[0]!, () => fleet.nodes[1]!];

test("nothing is wrong with a healthy fleet, and everything was counted", () => {
  expect(() => fleet.checks.whole()).not.toThrow();
  expect(fleet.checks.itemsRecorded).toBe(6);
});

test("an acknowledged job that a ledger lost", async () => {
  second().agent!.ledger.jobs.delete(jobId);
  await expect(fleet.run(50)).rejects.toThrow("knows the acknowledged");
});

test("a result that is another one on another box", () => {
  const job = jobOn(second());
  job.results[0] = { ...job.results[0]!, output: job.results[1]!.output! };
  expect(() => fleet.checks.whole()).toThrow("was recorded once");
});

test("a result that was recorded again", async () => {
  const job = jobOn(second());
  const [result] = job.results;
  Object.assign(job, { state: "running", recordedCount: 5 });
  job.results[0] = undefined;
  const { ledger } = second().agent!;
  const { term } = second().agent!.raftStatus();
  const again = { ...result!, jobId };
  ledger.apply({ kind: "resultsRecorded", term, results: [again] }, ledger.appliedIndex + 1);
  await expect(fleet.run(50)).rejects.toThrow("was recorded once");
});

test("a result whose every copy was removed behind the fleet's back", async () => {
  const output = anOutput();
  for (const node of fleet.nodes) if (node.blobs.held().has(output)) node.blobs.drop(output, false);
  await expect(fleet.run(50)).rejects.toThrow("is on some holder's disk");
});

test("a result whose every copy rotted", async () => {
  const output = anOutput();
  for (const node of fleet.nodes) if (node.blobs.held().has(output)) node.blobs.rot(output);
  await expect(fleet.run(50)).rejects.toThrow("is on some holder's disk");
});

test("a result that is only where the ledger does not say", async () => {
  for (const { agent } of fleet.nodes) agent!.ledger.holders.get(anOutput())!.clear();
  expect(() => fleet.checks.whole()).toThrow("is on some holder's disk");
});

test("a box that is recorded to hold what it does not", async () => {
  for (const node of fleet.nodes) {
    const keep = node.blobs.keep.bind(node.blobs);
    const isCopy = (hash: BlobHash): boolean => fleet.nodes.some(({ blobs }) => blobs.held().has(hash));
    node.blobs.keep = (hash, bytes) => (isOutput(bytes) && isCopy(hash) ? undefined : keep(hash, bytes));
  }
  await expect(work()).rejects.toThrow("holds what it is recorded to hold");
});

test("a result that is not what its input makes", async () => {
  for (const { engine } of fleet.nodes)
    engine!.run = async () => ({ output: new TextEncoder().encode("{} something else"), durationMs: 1 });
  await expect(work()).rejects.toThrow("its output is what any box makes of its input");
});

test("an item that is given up for a reason that is none", async () => {
  for (const { engine } of fleet.nodes)
    engine!.run = async ({ name }) => {
      throw new SkeinError("IMAGE_UNREADABLE", { name, reason: "so it says" });
    };
  await expect(work()).rejects.toThrow("failed only because executors broke, not IMAGE_UNREADABLE");
});

test("an item that is given up though no executor broke", async () => {
  for (const { engine } of fleet.nodes)
    engine!.run = async ({ name }) => {
      throw new SkeinError("EXECUTOR_DIED", { name, reason: "so it says" });
    };
  await expect(work()).rejects.toThrow("fails on two boxes before it is given up");
});

test("two leaders in one term", async () => {
  const follower = fleet.nodes.find((node) => node !== fleet.leader)!.agent!;
  const status = follower.raftStatus.bind(follower);
  follower.raftStatus = () => Object.assign(status(), { role: "leader" });
  await expect(fleet.run(50)).rejects.toThrow("has one leader");
});

test("a ledger that contradicts itself", () => {
  jobOn(second()).recordedCount++;
  expect(() => fleet.checks.whole()).toThrow("recordedCount counts the filled places");
});

test("a piece of a snapshot that is gone", async () => {
  while (!first().journal.durableSnapshot()) await work();
  const [piece] = decodeManifest(first().journal.durableSnapshot()!.data);
  first().blobs.drop(piece!.hash, false);
  await expect(fleet.run(50)).rejects.toThrow("n0 has every piece of its snapshot");
});

test("a queue over its bound", () => {
  second().agent!.queues = () => [{ what: "what waits", length: 2, max: 1 }];
  expect(() => fleet.checks.whole()).toThrow("n1: what waits stays within 1, not 2");
});

test("a lease that is taken outside its term is heard of, one within it is not", async () => {
  const answers = new Map<string, RequestAnswer>();
  const network = { onRequest: (method, answer) => void answers.set(method, answer) } as PeerNetwork;
  const taken: unknown[] = [];
  watchLeases(network, { knownTerm: () => 3, onTaken: ({ term, known }) => taken.push([term, known]) });
  let accepted = true;
  network.onRequest("lease", async () => PEER_WIRE.lease.answer.encode({ accepted, reason: "" }));
  network.onRequest("holding", async () => PEER_WIRE.holding.answer.encode({ shards: [] }));
  const lease = async (term: number): Promise<void> => {
    const shardId = `job/${term}.1` as ShardId;
    const question = { term, shardId, jobId, pipeline: "ocr", items: [], inputHolders: [], copies: 2 };
    await answers.get("lease")!("a" as NodeId, PEER_WIRE.lease.question.encode(question));
  };
  await lease(3);
  await lease(2);
  await answers.get("holding")!("a" as NodeId, PEER_WIRE.holding.question.encode({ term: 5 }));
  await lease(4);
  accepted = false;
  await lease(1);
  expect(taken).toEqual([
    [3, 3],
    [2, 3],
    [4, 5],
  ]);
});

test("ledgers that differ have not converged", () => {
  expect(fleet.hasConverged()).toBe(true);
  second().agent!.ledger.settings.set("odd", "1");
  expect(fleet.hasConverged()).toBe(false);
});

/** One more job, to its end. */
async function work(): Promise<void> {
  await fleet.submit(fleet.leader!, 4);
  await fleet.until("it ends", () => fleet.leader?.agent?.ledger.openJobs().length === 0, 30_000);
}

const isOutput = (bytes: Uint8Array): boolean => bytes[0] === 0x7b;
