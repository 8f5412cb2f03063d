import { expect, test } from "vitest";
import { writeCanaryInput } from "../../../shared/canary.ts";
import type { JobId } from "../../../shared/ids.ts";
import { SimFleet } from "./sim-fleet.ts";
import { type SimNode, sha256 } from "./sim-node.ts";

async function raised(seed: number): Promise<SimFleet> {
  const fleet = new SimFleet(seed, 3);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.run(2_000);
  return fleet;
}

const resultsOf = async (node: SimNode, jobId: JobId) => (await node.agent!.results(jobId)).results;

test("a box without a job's small inputs computes some of them, and keeps none on its disk", async () => {
  const fleet = await raised(31);
  const jobId = (await fleet.submit(fleet.nodes[0]!, 40))!;
  await fleet.until("the job ends everywhere", () => fleet.hasConverged(), 60_000);
  const results = await resultsOf(fleet.nodes[0]!, jobId);
  const ledger = fleet.nodes[0]!.agent!.ledger;
  for (const { input } of results) expect(ledger.holdersOf(input)).toHaveLength(2);
  const holders = ledger.holdersOf(results[0]!.input);
  const other = fleet.nodes.find(({ nodeId }) => !holders.includes(nodeId))!;
  expect(results.filter(({ node }) => node === other.nodeId).length).toBeGreaterThan(0);
  for (const { input } of results) expect(other.blobs.held().has(input)).toBe(false);
});

test("small inputs that rotted on one of their holders are computed all the same, and are whole again there", async () => {
  const fleet = await raised(32);
  fleet.nodes[2]!.crash();
  await fleet.run(3_000);
  const jobId = (await fleet.submit(fleet.nodes[0]!, 30))!;
  const { inputs } = fleet.jobs.at(-1)!;
  const left = inputs.filter((_, item) => fleet.nodes[0]!.agent!.ledger.jobs.get(jobId)!.results[item] === undefined);
  for (const { blob } of left) fleet.nodes[1]!.blobs.rot(blob);
  await fleet.nodes[2]!.start();
  await fleet.until("the job ends everywhere", () => fleet.hasConverged(), 120_000);
  for (const { error } of await resultsOf(fleet.nodes[0]!, jobId)) expect(error).toBeUndefined();
  const damaged = fleet.nodes[1]!.story.filter((line) => line.includes("blobDamaged"));
  expect(damaged.length).toBeGreaterThan(0);
  expect(fleet.nodes[1]!.blobs.setAside().size).toBe(0);
});

test("a job of canaries runs like any other", async () => {
  const fleet = await raised(33);
  const [node] = fleet.nodes as [SimNode];
  const texts = [0, 1_000, 2_000].map((rounds) => writeCanaryInput({ rounds, seed: `${rounds}` }));
  const inputs = texts.map((bytes, n) => {
    const blob = sha256(bytes);
    node.blobs.keep(blob, bytes);
    return { name: `${n}.json`, blob, bytes: bytes.length };
  });
  const submitted = node.agent!.submit({ pipeline: "canary", inputs });
  await fleet.until("the job ends", () => [...node.agent!.ledger.jobs.values()][0]?.state === "done", 20_000);
  const results = await resultsOf(node, (await submitted).jobId);
  expect(results.filter(({ output, error }) => output !== undefined && !error)).toHaveLength(3);
});
