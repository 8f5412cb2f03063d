/** What a box finds out while it runs, as the others hear of it; and how fast bytes come from each peer. */
import { expect, test } from "vitest";
import type { CapacityReport } from "../../../shared/capacity.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { SimFleet, type SimFleetOptions } from "./sim-fleet.ts";
import { type SimNode, sha256 } from "./sim-node.ts";

async function fleetOf(size: number, options: SimFleetOptions = {}): Promise<SimFleet> {
  const fleet = new SimFleet(3, size, options);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 8_000);
  return fleet;
}

/** What one box heard of another last. */
const reportOf = (by: SimNode, of: SimNode): CapacityReport | undefined =>
  by.agent!.fleet().nodes.find(({ nodeId }) => nodeId === of.nodeId)?.report;
const changesOf = (node: SimNode): unknown[] =>
  node
    .agent!.eventsSince(0)
    .flatMap(({ event, facts }) => (event === "boxChanged" ? [`${facts.what} ${facts.to}`] : []));

test("what was measured at the start, and what changes later, the others hear with the next report", async () => {
  const fleet = await fleetOf(3);
  const [a, b] = fleet.nodes as [SimNode, SimNode];
  await fleet.until("its storage", () => reportOf(b, a)?.hardware.fsyncMs !== undefined, 20_000);
  expect(reportOf(b, a)?.hardware).toMatchObject({ fsyncMs: 5, providers: ["cpu"] });
  a.vitals = { power: "mains", batteryPercent: 90 };
  await fleet.run(TIMING.capacityReportMs);
  a.vitals = { power: "battery", batteryPercent: 88, slowedBy: ["under-voltage"] };
  await fleet.until("its battery", () => reportOf(b, a)?.vitals.power === "battery", 2 * TIMING.capacityReportMs);
  expect(reportOf(b, a)?.vitals.slowedBy).toEqual(["under-voltage"]);
  expect(changesOf(a)).toEqual(["power battery", "slowing under-voltage"]);
  expect(changesOf(b)).toEqual([]);
});

test("storage that became slow is noticed without a restart, and told", async () => {
  const fleet = await fleetOf(3);
  const [a, b] = fleet.nodes as [SimNode, SimNode];
  await fleet.until("its storage", () => reportOf(b, a)?.hardware.fsyncMs === 5, 20_000);
  a.syncMs = [100, 200];
  await fleet.run(TIMING.storageLookMs + 2_000);
  expect(reportOf(b, a)?.hardware.fsyncMs).toBe(200);
  expect(changesOf(a)).toEqual(["storage slow"]);
});

test("each idle link is asked for its speed once, and a slow one shows", async () => {
  const fleet = await fleetOf(3);
  const [a, b, c] = fleet.nodes as [SimNode, SimNode, SimNode];
  fleet.net.impair(c.nodeId, { kind: "slow", delayMs: 1, bytesPerSecond: 2e6 });
  const linksOf = (node: SimNode) =>
    new Map(reportOf(a, node)?.links?.map((link) => [link.nodeId, link.bytesPerSecond]));
  await fleet.until("all links", () => fleet.nodes.every((node) => linksOf(node).size === 2), 60_000);
  expect(linksOf(a).get(c.nodeId)).toBeGreaterThan(1e6);
  expect(linksOf(a).get(c.nodeId)).toBeLessThan(3e6);
  expect(linksOf(a).get(b.nodeId)).toBeGreaterThan(1e8);
  const [toB, toC] = (await fleet.settled(a.agent!.probe(), 1_000)).links!;
  expect(toB).toMatchObject({ name: "n1", state: "up", from: "probe", rttMs: expect.any(Number) });
  expect(toC?.bytesPerSecond).toBe(linksOf(a).get(c.nodeId));
  const asked: string[] = [];
  for (const node of fleet.nodes) {
    const { request } = node.network!;
    node.network!.request = (to, method, ...rest) => {
      asked.push(method);
      return request.call(node.network, to, method, ...rest);
    };
  }
  await fleet.run(6 * TIMING.linkSpeedLookMs);
  expect(asked).not.toContain("speed");
});

test("blobs that are fetched anyway tell how fast a link is, without a question", async () => {
  const fleet = await fleetOf(LIMITS.speedNodesMax + 1, { voters: 3 });
  const [a, b] = fleet.nodes as [SimNode, SimNode];
  const bytes = new Uint8Array(3_000_000).fill(7);
  const hash = sha256(bytes);
  b.blobs.keep(hash, bytes);
  await fleet.settled(a.agent!.readBlob(hash), 20_000);
  await fleet.run(TIMING.capacityReportMs);
  expect(reportOf(b, a)?.links).toEqual([{ nodeId: b.nodeId, bytesPerSecond: expect.any(Number) }]);
  const { links } = await fleet.settled(a.agent!.probe(), 1_000);
  expect(links?.find(({ nodeId }) => nodeId === b.nodeId)).toMatchObject({ from: "transfers" });
});

test("nobody is asked while the fleet works, and everyone afterwards", async () => {
  const fleet = await fleetOf(3, { alike: { secondsPerItem: 1, executors: 1 } });
  await fleet.submit(fleet.nodes[0]!, 90);
  await fleet.run(2 * TIMING.linkSpeedLookMs);
  expect(fleet.leader!.agent!.ledger.openJobs()).toHaveLength(1);
  const links = () => fleet.nodes.flatMap((node) => reportOf(node, node)?.links ?? []);
  expect(links()).toEqual([]);
  await fleet.until("the end of the job", () => fleet.leader!.agent!.ledger.openJobs().length === 0, 300_000);
  await fleet.until("all links", () => links().length === 6, 60_000);
});

test("in a large fleet nobody is asked", async () => {
  const fleet = await fleetOf(LIMITS.speedNodesMax + 1, { voters: 3 });
  await fleet.run(3 * TIMING.linkSpeedLookMs);
  expect(fleet.nodes.flatMap((node) => reportOf(node, node)?.links ?? [])).toEqual([]);
});
