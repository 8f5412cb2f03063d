import { expect, test } from "vitest";
import {
  type CopyOrder,
  type CopyPlace,
  copiesOwed,
  copiesPossible,
  copiesStaying,
  copyTargets,
  type Orders,
  ordersFor,
  survey,
} from "../../../agent/core/replication/index.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { A, B, blob, C, node } from "../../support/nouns.ts";

const place = (nodeId: typeof A, more: Partial<CopyPlace> = {}): CopyPlace => ({
  nodeId,
  live: true,
  diskFreeBytes: 1e9,
  ...more,
});
/** Orders for each of these blobs. */
function orders(input: {
  holders: Iterable<readonly [BlobHash, ReadonlySet<NodeId>]>;
  places?: CopyPlace[];
  wanted?: number;
  tidy?: boolean;
}): Orders {
  const { places = [place(A), place(B), place(C)], wanted = 2, tidy = false } = input;
  const all = [...input.holders].map(([hash, holders]) => ordersFor(hash, holders, wanted, survey(places, 1e6), tidy));
  return { copies: all.flatMap(({ copies }) => copies), drops: all.flatMap(({ drops }) => drops) };
}
const order = (input: Parameters<typeof orders>[0]): CopyOrder[] => orders(input).copies;

test("copies go to live nodes with room that have none yet", () => {
  const places = [place(A), place(B, { live: false }), place(C, { diskFreeBytes: 10 })];
  expect(copyTargets(blob(1), places, [], 1e6)).toEqual([A]);
  expect(copyTargets(blob(1), [place(A), place(B)], [A], 1e6)).toEqual([B]);
});

test("many blobs spread over the nodes", () => {
  const places = [place(A), place(B), place(C)];
  const firsts = Array.from({ length: 300 }, (_, i) => copyTargets(blob(i), places, [], 1e6)[0]);
  for (const nodeId of [A, B, C]) expect(firsts.filter((first) => first === nodeId).length).toBeGreaterThan(50);
});

test("a blob that lost a holder is copied from a live one to a node without it", () => {
  const orders = order({
    holders: [[blob(1), new Set([A, B])]],
    places: [place(A), place(B, { live: false }), place(C)],
  });
  expect(orders).toEqual([{ blob: blob(1), from: [A], to: C }]);
});

test("nothing is copied when enough copies live, or when no holder does", () => {
  expect(order({ holders: [[blob(1), new Set([A, B])]] })).toEqual([]);
  expect(
    order({ holders: [[blob(1), new Set([B])]], places: [place(A), place(B, { live: false }), place(C)] }),
  ).toEqual([]);
});

test("no more copies are asked for than there are live nodes", () => {
  expect(order({ holders: [[blob(1), new Set([A])]], places: [place(A)], wanted: 3 })).toEqual([]);
  expect(order({ holders: [[blob(1), new Set([A])]], wanted: 9 })).toHaveLength(2);
});

test("a box that is drained gets copies last; one that is leaving gets none", () => {
  const places = [place(A, { drained: true }), place(B), place(C, { drained: true, leaving: true })];
  for (let n = 0; n < 20; n++) expect(copyTargets(blob(n), places, [], 1e6)).toEqual([B, A]);
  expect(copiesPossible(3, places)).toBe(2);
  expect(copiesStaying([A, C], places)).toBe(1);
});

test("what a leaving box holds is copied from it to others, as if it were gone", () => {
  const places = [place(A), place(B), place(C, { leaving: true })];
  expect(order({ holders: [[blob(1), new Set([A, C])]], places })).toEqual([{ blob: blob(1), from: [A, C], to: B }]);
  expect(order({ holders: [[blob(1), new Set([A, B, C])]], places })).toEqual([]);
  const both = order({ holders: [[blob(1), new Set([C])]], places });
  expect(both.map(({ from, to }) => [from, to]).sort()).toEqual([
    [[C], A],
    [[C], B],
  ]);
});

test("a box owes the copies that are too few without it, counted on live boxes that stay", () => {
  const places = [place(A), place(B), place(C, { leaving: true }), place(node("d"), { live: false })];
  const holders = [
    [blob(1), new Set([A, B, C])],
    [blob(2), new Set([A, C])],
    [blob(3), new Set([C])],
    [blob(4), new Set([C, node("d")])],
    [blob(5), new Set([A])],
  ] as const;
  expect(copiesOwed({ holders, places, wantedOf: () => 2, node: C })).toEqual({ owed: 3, onlyHere: 2 });
  expect(copiesOwed({ holders, places: [place(B), place(C)], wantedOf: () => 2, node: C })).toEqual({
    owed: 3,
    onlyHere: 3,
  });
});
