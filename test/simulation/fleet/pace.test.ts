/** Patience as measured: what a fleet on slow cards and links does with it, and what a fast one keeps. */
import { describe, expect, test } from "vitest";
import { TIMING } from "../../../shared/limits.ts";
import { SimFleet } from "./sim-fleet.ts";

type Span = [minMs: number, maxMs: number];
interface Boxes {
  delayMs: Span;
  syncMs: Span;
}

const SEEDS = [1, 2, 3, 4, 5];
const FAST: Boxes = { delayMs: [1, 3], syncMs: [1, 5] };
const SLOW: Boxes = { delayMs: [80, 120], syncMs: [200, 300] };
/** Here an election takes longer than any timeout that a fleet begins with. */
const DREADFUL: Boxes = { delayMs: [130, 170], syncMs: [550, 650] };
/** Work enough to measure, and some seconds for what follows from it. */
const ADAPT_MS = 30_000;

async function fleetOf(seed: number, { delayMs, syncMs }: Boxes): Promise<SimFleet> {
  const fleet = new SimFleet(seed, 3);
  await fleet.start();
  fleet.net.setDelay(...delayMs);
  for (const node of fleet.nodes) node.syncMs = syncMs;
  await fleet.until("a leader", () => fleet.leader !== undefined, 30_000);
  await fleet.run(3_000);
  await fleet.submit(fleet.nodes[0]!, 60);
  await fleet.run(ADAPT_MS);
  return fleet;
}
const statuses = (fleet: SimFleet) => fleet.nodes.flatMap(({ agent }) => agent?.raftStatus() ?? []);
const termsOf = (fleet: SimFleet): number[] => statuses(fleet).map(({ term }) => term);
const patienceOf = (fleet: SimFleet): number[] => statuses(fleet).map(({ electionTicks }) => electionTicks);

describe.each([
  ["slow", SLOW],
  ["dreadful", DREADFUL],
])("on %s disks and links", (_, boxes) => {
  test.each(SEEDS)("a fleet becomes patient, all alike, and its leadership does not flap (seed %i)", async (seed) => {
    const fleet = await fleetOf(seed, boxes);
    const [patience, ...others] = patienceOf(fleet);
    expect(patience).toBeGreaterThan(TIMING.electionTicks);
    expect(others).toEqual([patience, patience]);
    const terms = termsOf(fleet);
    await fleet.submit(fleet.nodes[1]!, 60);
    await fleet.run(60_000);
    expect(termsOf(fleet)).toEqual(terms);
    fleet.leader!.crash();
    await fleet.until("the next leader", () => fleet.leader !== undefined, 2 * patience! * TIMING.tickMs);
    // One election decided it: nobody stood while another was under way.
    expect(Math.max(...termsOf(fleet))).toBe(terms[0]! + 1);
  });
});

test.each(SEEDS)("a fast fleet stays as quick to miss its leader as it began (seed %i)", async (seed) => {
  const fleet = await fleetOf(seed, FAST);
  expect(new Set(patienceOf(fleet))).toEqual(new Set([TIMING.electionTicks]));
  const { leader } = fleet;
  // No FIN: only silence tells.
  for (const node of fleet.nodes) if (node !== leader) fleet.net.cut(leader!.nodeId, node.nodeId);
  const others = fleet.nodes.filter((node) => node !== leader);
  const elected = () => others.some(({ agent }) => agent?.raftStatus().role === "leader");
  await fleet.until("the next leader", elected, 2 * TIMING.electionTicks * TIMING.tickMs + 500);
});
