import fc from "fast-check";
import { expect, test } from "vitest";
import { type CopyPlace, copyTargets, ordersFor, survey } from "../../../agent/core/replication/index.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { A, B, blob, C, node } from "../../support/nouns.ts";

const MIN = 1e6;
const D = node("d");
const place = (nodeId: NodeId, more: Partial<CopyPlace> = {}): CopyPlace => ({
  nodeId,
  live: true,
  diskFreeBytes: 1e9,
  ...more,
});
const zoneOf = ({ zone, nodeId }: CopyPlace): string => zone ?? nodeId;
const dropsFor = (holders: NodeId[], wanted: number, places: CopyPlace[], n = 1) =>
  ordersFor(blob(n), holders, wanted, survey(places, MIN), true).drops.map((drop) => drop.node);

test("a disk gets copies in proportion to its free space", () => {
  const places = [place(A, { diskFreeBytes: 1e9 }), place(B, { diskFreeBytes: 2e9 }), place(C, { diskFreeBytes: 5e9 })];
  const firsts = Array.from({ length: 4_000 }, (_, i) => copyTargets(blob(i), places, [], MIN)[0]);
  const shareOf = (nodeId: NodeId): number => firsts.filter((first) => first === nodeId).length / firsts.length;
  expect(shareOf(A)).toBeCloseTo(1 / 8, 1);
  expect(shareOf(B)).toBeCloseTo(2 / 8, 1);
  expect(shareOf(C)).toBeCloseTo(5 / 8, 1);
});

test("the next copy goes to another zone before a larger disk in the same", () => {
  const places = [
    place(A, { zone: "attic" }),
    place(B, { zone: "attic", diskFreeBytes: 1e15 }),
    place(C, { zone: "garage", diskFreeBytes: 2e6 }),
  ];
  for (let n = 0; n < 50; n++) expect(copyTargets(blob(n), places, [A], MIN)).toEqual([C, B]);
});

test("copies that are all in one zone get one elsewhere, once the boxes stand still, and then the surplus goes", () => {
  const places = [place(A, { zone: "attic" }), place(B, { zone: "attic" }), place(C, { zone: "garage" })];
  const fleet = survey(places, MIN);
  expect(ordersFor(blob(1), [A, B], 2, fleet, false)).toEqual({ copies: [], drops: [] });
  expect(ordersFor(blob(1), [A, B], 2, fleet, true).copies).toEqual([{ blob: blob(1), from: [A, B], to: C }]);
  const { copies, drops } = ordersFor(blob(1), [A, B, C], 2, fleet, true);
  expect(copies).toEqual([]);
  expect(drops).toHaveLength(1);
  expect([A, B]).toContain(drops[0]!.node);
  expect(drops[0]!.staying).toContain(C);
});

test("one copy alone is not moved for the sake of its zone, and none goes to a drained or full box elsewhere", () => {
  const places = [
    place(A, { zone: "attic" }),
    place(B, { zone: "attic" }),
    place(C, { zone: "garage", drained: true }),
  ];
  expect(ordersFor(blob(1), [A, B], 2, survey(places, MIN), true).copies).toEqual([]);
  expect(ordersFor(blob(1), [A], 1, survey(places, MIN), true).copies).toEqual([]);
  const full = [...places.slice(0, 2), place(C, { zone: "garage", diskFreeBytes: 10 })];
  expect(ordersFor(blob(1), [A, B], 2, survey(full, MIN), true).copies).toEqual([]);
});

test("a nearly full disk sheds surplus first, then a drained box; without surplus nothing goes", () => {
  const full = [place(A), place(B, { diskFreeBytes: 10 }), place(C, { drained: true }), place(D)];
  for (let n = 0; n < 20; n++) {
    expect(dropsFor([A, B, C], 2, full, n)).toEqual([B]);
    expect(dropsFor([A, B, C, D], 2, full, n)).toEqual([B, C]);
    expect(dropsFor([A, B], 2, full, n)).toEqual([]);
  }
});

test("a copy on a box that is away or leaving is no surplus, and makes none", () => {
  const places = [place(A), place(B, { live: false }), place(C, { leaving: true, drained: true })];
  expect(dropsFor([A, B, C], 1, places)).toEqual([]);
  expect(dropsFor([A, B, C], 0, places)).toEqual([]);
});

const ids = "abcdefgh".split("").map(node);
const places = fc
  .array(
    fc.record({
      live: fc.boolean(),
      diskFreeBytes: fc.constantFrom(10, 2e6, 1e9, 1e12),
      zone: fc.constantFrom(undefined, "attic", "garage", "cellar"),
      drained: fc.boolean(),
      leaving: fc.boolean(),
    }),
    { minLength: 1, maxLength: ids.length },
  )
  .map((all) =>
    all.map(
      ({ zone, drained, leaving, ...rest }, i): CopyPlace => ({
        nodeId: ids[i]!,
        ...rest,
        ...(zone ? { zone } : {}),
        ...(drained || leaving ? { drained: true as const } : {}),
        ...(leaving ? { leaving: true as const } : {}),
      }),
    ),
  );
const situation = fc.record({
  places,
  holders: fc.subarray(ids),
  wanted: fc.integer({ min: 1, max: 5 }),
  n: fc.nat(1_000),
});

test("a drop never leaves fewer live copies than wanted, nor fewer zones than those could be in", () => {
  fc.assert(
    fc.property(situation, ({ places, holders, wanted, n }) => {
      const { drops } = ordersFor(blob(n), holders, wanted, survey(places, MIN), true);
      if (drops.length === 0) return;
      const counted = places.filter((one) => one.live && !one.leaving && holders.includes(one.nodeId));
      const left = counted.filter((one) => !drops.some((drop) => drop.node === one.nodeId));
      expect(left.length).toBe(wanted);
      const zones = (of: CopyPlace[]): number => new Set(of.map(zoneOf)).size;
      expect(zones(left)).toBeGreaterThanOrEqual(Math.min(zones(counted), wanted));
      for (const drop of drops) expect([...drop.staying].sort()).toEqual(left.map(({ nodeId }) => nodeId).sort());
    }),
  );
});

test("whatever was ordered, the orders come to an end: enough copies where there is room, in two zones where there are two", () => {
  fc.assert(
    fc.property(situation, ({ places, holders, wanted, n }) => {
      const fleet = survey(places, MIN);
      const now = new Set(holders);
      const isLive = (nodeId: NodeId): boolean => fleet.live.has(nodeId);
      if (![...now].some(isLive)) return;
      let rounds = 0;
      for (; rounds < 20; rounds++) {
        const { copies, drops } = ordersFor(blob(n), now, wanted, fleet, true);
        if (copies.length + drops.length === 0) break;
        for (const { to, from } of copies) {
          expect(from.every((one) => now.has(one) && isLive(one))).toBe(true);
          expect(fleet.live.get(to)!.diskFreeBytes).toBeGreaterThanOrEqual(MIN);
          now.add(to);
        }
        for (const drop of drops) now.delete(drop.node);
      }
      expect(rounds).toBeLessThan(20);
      const staying = places.filter((one) => one.live && !one.leaving);
      const held = staying.filter((one) => now.has(one.nodeId));
      const room = staying.filter((one) => one.diskFreeBytes >= MIN || now.has(one.nodeId));
      expect(held.length).toBeGreaterThanOrEqual(Math.min(wanted, room.length));
      const could = new Set(room.filter((one) => !one.drained || now.has(one.nodeId)).map(zoneOf)).size;
      if (held.length > 1 && wanted > 1 && could > 1) expect(new Set(held.map(zoneOf)).size).toBeGreaterThan(1);
    }),
  );
});

test("neither the order of the boxes nor that of the holders changes what is ordered", () => {
  const canonical = ({ copies, drops }: ReturnType<typeof ordersFor>): unknown => [
    copies.map(({ to }) => to),
    drops.map((drop) => drop.node).sort(),
  ];
  fc.assert(
    fc.property(situation, ({ places, holders, wanted, n }) => {
      const forwards = ordersFor(blob(n), holders, wanted, survey(places, MIN), true);
      const turned = [[...holders].reverse(), wanted, survey([...places].reverse(), MIN), true] as const;
      expect(canonical(ordersFor(blob(n), ...turned))).toEqual(canonical(forwards));
    }),
  );
});

test("a blob that is likely to be needed on some nodes has a copy on one of them: at once where copies are missing, else when all stand still", () => {
  const places = [place(A), place(B), place(C), place(D)];
  const fleet = survey(places, MIN);
  const likely = new Set([D]);
  for (let n = 0; n < 20; n++) {
    expect(ordersFor(blob(n), [A], 2, fleet, false, likely).copies).toEqual([{ blob: blob(n), from: [A], to: D }]);
    expect(ordersFor(blob(n), [A, B], 2, fleet, false, likely)).toEqual({ copies: [], drops: [] });
    expect(ordersFor(blob(n), [A, B], 2, fleet, true, likely).copies).toEqual([{ blob: blob(n), from: [A, B], to: D }]);
    const { drops } = ordersFor(blob(n), [A, B, D], 2, fleet, true, likely);
    expect(drops.map((drop) => drop.node)).not.toContain(D);
    const staying = [A, B, D].filter((one) => one !== drops[0]!.node);
    expect(ordersFor(blob(n), staying, 2, fleet, true, likely)).toEqual({ copies: [], drops: [] });
  }
});

test("zones come before what is likely, and a drained or full node gets nothing because of it", () => {
  const zoned = [place(A, { zone: "x" }), place(B, { zone: "x" }), place(C, { zone: "y" })];
  const likely = new Set([B]);
  expect(ordersFor(blob(1), [A], 2, survey(zoned, MIN), false, likely).copies[0]!.to).toBe(C);
  // It is copied there, and the zone keeps its copy.
  const { copies } = ordersFor(blob(1), [A, C], 2, survey(zoned, MIN), true, likely);
  expect(copies[0]!.to).toBe(B);
  const { drops } = ordersFor(blob(1), [A, B, C], 2, survey(zoned, MIN), true, likely);
  expect(drops.map((drop) => drop.node)).toEqual([A]);
  for (const more of [{ drained: true as const }, { diskFreeBytes: MIN - 1 }])
    expect(ordersFor(blob(1), [A, C], 2, survey([zoned[0]!, place(B, more), zoned[2]!], MIN), true, likely)).toEqual({
      copies: [],
      drops: [],
    });
});
