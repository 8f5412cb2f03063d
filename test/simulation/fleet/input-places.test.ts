/** Where a job's inputs lie and how fast they come from there, as a leader makes it out from reports. */
import { expect, test } from "vitest";
import { inputPlaces } from "../../../agent/runtime/candidates.ts";
import type { CapacityReport } from "../../../shared/capacity.ts";
import type { NodeView } from "../../../shared/fleet.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";

const [A, B, C, D] = ["a", "b", "c", "d"].map((letter) => letter as NodeId) as [NodeId, NodeId, NodeId, NodeId];
const box = (nodeId: NodeId, links: [NodeId, number][] = []): NodeView => ({
  nodeId,
  name: nodeId,
  isSelf: false,
  isLeader: false,
  role: "voter",
  presence: "fresh",
  report: { links: links.map(([to, bytesPerSecond]) => ({ nodeId: to, bytesPerSecond })) } as CapacityReport,
});
const blobs = ["1", "2"] as BlobHash[];
const heldBy = (all: Record<string, NodeId[]>) => (blob: BlobHash) => all[blob] ?? [];

test("nodes with every input hold them; to each other one its fastest holder's link counts, whoever measured it", () => {
  const nodes = [
    box(A, [[D, 9]]),
    box(B, [[A, 1_000]]),
    box(C, [
      [A, 5],
      [B, 7],
    ]),
    box(D),
  ];
  const places = inputPlaces(blobs, heldBy({ 1: [A, B], 2: [A, B, C] }), nodes);
  expect([...places.holders]).toEqual([A, B]);
  expect(Object.fromEntries(places.linkTo)).toEqual({ [C]: 7, [D]: 9 });
  expect(places.uplinkBytesPerSecond, "of both holders, by the fastest link of each").toBe(9 + 7);
});

test("where nobody has them all, they come from whoever has some; without a measurement nothing is said", () => {
  const places = inputPlaces(blobs, heldBy({ 1: [A], 2: [B] }), [box(A), box(B), box(C, [[A, 3]])]);
  expect([places.holders.size, places.linkTo.get(C), places.uplinkBytesPerSecond]).toEqual([0, 3, 3]);
  expect(inputPlaces(blobs, heldBy({ 1: [A], 2: [A] }), [box(A), box(C)])).toEqual({
    holders: new Set([A]),
    linkTo: new Map(),
  });
});
