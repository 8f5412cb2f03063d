import fc from "fast-check";
import { expect, test } from "vitest";
import { type Assignment, type PiecesHeld, SwarmTable, TokenBucket } from "../../../agent/core/transfer/index.ts";
import type { NodeId } from "../../../shared/ids.ts";

const [origin, a, b, c] = ["origin", "a", "b", "c"] as NodeId[] as [NodeId, NodeId, NodeId, NodeId];
const ALL: PiecesHeld = { whole: true, here: [], coming: [] };
const has = (here: string, coming = ""): PiecesHeld => ({
  whole: false,
  here: [...here].map((mark) => mark === "1"),
  coming: [...coming].map((mark) => mark === "1"),
});

function tableOf(pieces: number, startsAt = 0, atOnceMax = 4): SwarmTable {
  return new SwarmTable({ here: Array(pieces).fill(false), startsAt, atOnceMax, perNodeMax: 2 });
}

function all(table: SwarmTable, nowMs: number): Assignment[] {
  const asked: Assignment[] = [];
  for (let next = table.next(nowMs); next; next = table.next(nowMs)) asked.push(next);
  return asked;
}

test("of one that has all, pieces are asked in order from where this node begins, so many at once of one node", () => {
  const table = tableOf(5, 0.6);
  expect(table.next(0)).toBeUndefined();
  table.learned(origin, ALL, 0);
  expect(all(table, 0).map(({ piece }) => piece)).toEqual([3, 4]);
  table.arrived({ piece: 3, holder: origin }, 5);
  expect(all(table, 5)).toEqual([{ piece: 0, holder: origin }]);
});

test("the rarest piece comes first", () => {
  const table = tableOf(4, 0, 1);
  table.learned(a, has("1110"), 0);
  table.learned(b, has("1010"), 0);
  table.learned(c, has("0011"), 0);
  expect(all(table, 0)).toEqual([{ piece: 1, holder: a }]);
});

test("what a sibling has is not asked of the origin", () => {
  const table = tableOf(2);
  table.learned(origin, ALL, 0);
  table.learned(a, has("01"), 0);
  expect(all(table, 0)).toEqual([
    { piece: 0, holder: origin },
    { piece: 1, holder: a },
  ]);
});

test("a piece on its way to a sibling is waited for, but not for ever", () => {
  const table = tableOf(2);
  table.learned(origin, ALL, 0);
  table.learned(a, has("00", "10"), 0);
  expect(all(table, 0)).toEqual([{ piece: 1, holder: origin }]);
  table.arrived({ piece: 1, holder: origin }, 500);
  expect(all(table, 2_999)).toEqual([]);
  // That it still says so makes it no younger.
  table.learned(a, has("00", "10"), 2_999);
  expect(all(table, 3_001)).toEqual([{ piece: 0, holder: origin }]);
});

test("patience grows with what a piece usually takes", () => {
  const table = tableOf(2);
  table.learned(origin, ALL, 0);
  table.learned(a, has("00", "10"), 0);
  expect(all(table, 0)).toEqual([{ piece: 1, holder: origin }]);
  table.arrived({ piece: 1, holder: origin }, 4_000);
  expect(all(table, 11_000)).toEqual([]);
  expect(all(table, 12_001)).toEqual([{ piece: 0, holder: origin }]);
});

test("one that sent other bytes is asked for nothing more, and what it says comes to it is not waited for", () => {
  const table = tableOf(2, 0, 1);
  table.learned(a, has("10", "01"), 0);
  const lie = table.next(0)!;
  expect(lie).toEqual({ piece: 0, holder: a });
  table.lied(lie);
  expect(all(table, 0)).toEqual([]);
  table.learned(origin, ALL, 0);
  table.learned(a, has("10", "01"), 0);
  expect(all(table, 0)).toEqual([{ piece: 0, holder: origin }]);
});

test("one that is gone is asked again when it tells anew, and no more after four failures in a row", () => {
  const table = tableOf(1);
  for (let time = 0; time < 4; time++) {
    table.learned(origin, ALL, 0);
    table.failed(table.next(0)!, true);
    expect(table.knowsAll(origin)).toBe(false);
    expect(table.next(0)).toBeUndefined();
  }
  table.learned(origin, ALL, 0);
  expect(table.next(0)).toBeUndefined();
});

test("a slow piece is asked of a sibling that was far quicker, not of another who is as slow", () => {
  const table = tableOf(3, 0, 3);
  table.learned(origin, ALL, 0);
  table.learned(a, has("010"), 0);
  expect(all(table, 0)).toHaveLength(3);
  table.arrived({ piece: 1, holder: a }, 10);
  expect(all(table, 1_000)).toEqual([]);
  table.learned(a, has("110"), 1_000);
  expect(all(table, 1_000)).toEqual([{ piece: 0, holder: a }]);
  expect(table.arrived({ piece: 0, holder: a }, 1_010)).toMatchObject([{ piece: 0, holder: origin }]);
});

test("it is news when a node has more than before, and only then", () => {
  const table = tableOf(2);
  expect(table.learned(a, has("00"), 0)).toBe(false);
  expect(table.learned(a, has("10"), 1)).toBe(true);
  expect(table.learned(a, has("10"), 2)).toBe(false);
  expect(table.learned(a, ALL, 3)).toBe(true);
});

/** Nodes fetch from one origin and from each other, in rounds; nobody fails. @returns how often the origin sent a piece */
function spread(nodes: number, pieces: number, seeds: readonly number[]): number {
  const names = Array.from({ length: nodes }, (_, i) => `n${i}` as NodeId);
  const tables = names.map((_, i) => tableOf(pieces, seeds[i]!));
  const here = names.map(() => Array<boolean>(pieces).fill(false));
  const running: { node: number; asked: Assignment }[] = [];
  let sent = 0;
  for (let round = 0; tables.some((table) => !table.isWhole); round++) {
    expect(round).toBeLessThan(1_000);
    const nowMs = round * 100;
    for (const [i, table] of tables.entries()) {
      table.learned(origin, ALL, nowMs);
      for (const [k, name] of names.entries())
        if (k !== i) {
          const coming = here[k]!.map((_, piece) => tables[k]!.isComing(piece));
          table.learned(name, { whole: false, here: [...here[k]!], coming }, nowMs);
        }
      for (const asked of all(table, nowMs)) running.push({ node: i, asked });
    }
    // The origin's link carries two pieces a round, everyone else's as many as are asked for.
    const fromOrigin = running.filter(({ asked }) => asked.holder === origin).slice(0, 2);
    sent += fromOrigin.length;
    for (const done of [...fromOrigin, ...running.filter(({ asked }) => asked.holder !== origin)]) {
      running.splice(running.indexOf(done), 1);
      here[done.node]![done.asked.piece] = true;
      for (const other of tables[done.node]!.arrived(done.asked, nowMs + 50)) {
        tables[done.node]!.stopped(other);
        running.splice(
          running.findIndex((one) => one.node === done.node && one.asked === other),
          1,
        );
      }
    }
  }
  return sent;
}

test("four nodes that fetch at once take each piece of the origin little more than once", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 4, maxLength: 4 }), (seeds) => {
      expect(spread(4, 24, seeds)).toBeLessThanOrEqual(24 + 2);
    }),
    { numRuns: 50 },
  );
});

test("bytes are held to a rate over any stretch, a rest saves nothing up, and no rate is no limit", () => {
  const bucket = new TokenBucket();
  expect(bucket.take(1_000, 0, 0)).toBe(0);
  expect(bucket.take(500, 1_000, 0)).toBe(500);
  expect(bucket.take(500, 1_000, 500)).toBe(500);
  expect(bucket.take(500, 1_000, 500)).toBe(1_000);
  expect(bucket.take(100, 1_000, 60_000)).toBe(100);
});
