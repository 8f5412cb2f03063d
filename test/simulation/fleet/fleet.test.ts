import { expect, test } from "vitest";
import { SimFleet } from "./sim-fleet.ts";
import { weather } from "./weather.ts";

const FRESH_MS = 8_000;

test("a quiet fleet reads every page, on every node, with two copies of each result", async () => {
  const fleet = new SimFleet(7, 3);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.run(2_000);
  const jobId = await fleet.submit(fleet.nodes[1]!, 40);
  await fleet.until("the job ends everywhere", () => fleet.hasConverged(), 60_000);
  const { results } = await fleet.nodes[0]!.agent!.results(jobId!);
  expect(results).toHaveLength(40);
  expect(new Set(results.map((result) => result.node)).size).toBe(3);
  for (const { output } of results)
    expect(fleet.nodes.filter((node) => node.blobs.held().has(output!)).length).toBeGreaterThanOrEqual(2);
});

test("the same seed tells the same story", async () => {
  const tell = async (): Promise<string> => {
    const fleet = new SimFleet(11, 3);
    await fleet.start();
    await fleet.run(2_000);
    await fleet.submit(fleet.nodes[0]!, 20);
    fleet.leader?.crash();
    await fleet.run(5_000);
    return fleet.story();
  };
  expect(await tell()).toBe(await tell());
});

test.each([
  { nodes: 3, first: 1, count: 6 },
  { nodes: 5, first: 1_000, count: 2 },
  // Five vote, the others work; more faults, for several come at once.
  { nodes: 20, voters: 5, first: 2_000, count: 1, faults: 80 },
])("no promise is broken in the recorded storms over $nodes nodes", async ({ count, faults = 40, ...init }) => {
  for (let i = 0; i < count; i++) {
    const report = await weather({ ...init, first: init.first + i, forMs: 0, faults });
    expect(report.broken ?? "").toBe("");
  }
});

test("no promise is broken in fresh storms", async () => {
  const first = Date.now() % 1_000_000_000;
  const report = await weather({ first, forMs: FRESH_MS, nodes: 3, faults: 40 });
  console.log(`from seed ${first}: ${report.summary}`);
  expect(report.broken ?? "").toBe("");
});
