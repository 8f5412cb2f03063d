import fc from "fast-check";
import { expect, test } from "vitest";
import { type Assignment, PieceTable } from "../../../agent/core/transfer/index.ts";
import type { NodeId } from "../../../shared/ids.ts";

const [a, b, c] = ["a", "b", "c"] as NodeId[] as [NodeId, NodeId, NodeId];
const none = (count: number): boolean[] => Array.from({ length: count }, () => false);

function all(table: PieceTable, nowMs: number): Assignment[] {
  const asked: Assignment[] = [];
  for (let next = table.next(nowMs); next; next = table.next(nowMs)) asked.push(next);
  return asked;
}

test("pieces are asked in order, of the holders in turn, so many at once", () => {
  const table = new PieceTable({ here: none(5), holders: [a, b], spares: [], atOnceMax: 3 });
  expect(all(table, 0)).toEqual([
    { piece: 0, holder: a },
    { piece: 1, holder: b },
    { piece: 2, holder: a },
  ]);
  table.arrived({ piece: 1, holder: b }, 5);
  expect(all(table, 5)).toEqual([{ piece: 3, holder: b }]);
});

test("pieces that are here are not asked for", () => {
  const table = new PieceTable({ here: [true, false, true], holders: [a], spares: [], atOnceMax: 3 });
  expect(all(table, 0)).toEqual([{ piece: 1, holder: a }]);
  table.arrived({ piece: 1, holder: a }, 1);
  expect(table.isWhole).toBe(true);
  expect(table.senders()).toEqual([undefined, a, undefined]);
});

test("a holder that failed is asked no more, its piece is asked of another, and spares come when no holder is left", () => {
  const table = new PieceTable({ here: none(2), holders: [a, b], spares: [c], atOnceMax: 2 });
  const [first, second] = all(table, 0) as [Assignment, Assignment];
  table.failed(first, true);
  expect(all(table, 1)).toEqual([{ piece: 0, holder: b }]);
  table.failed(second, true);
  table.failed({ piece: 0, holder: b }, true);
  expect(all(table, 2)).toEqual([
    { piece: 0, holder: c },
    { piece: 1, holder: c },
  ]);
  expect(table.isStuck).toBe(false);
  table.failed({ piece: 0, holder: c }, true);
  table.failed({ piece: 1, holder: c }, true);
  expect(table.isStuck).toBe(true);
});

test("a holder that fails now and then is asked again, one that only fails is not", () => {
  const table = new PieceTable({ here: none(2), holders: [a], spares: [], atOnceMax: 1 });
  const fail = (): void => table.failed(table.next(0)!);
  for (let i = 0; i < 3; i++) fail();
  table.arrived(table.next(0)!, 1);
  for (let i = 0; i < 4; i++) fail();
  expect(table.next(2)).toBeUndefined();
  expect(table.isStuck).toBe(true);
});

test("a slow holder's piece is asked of one that was fast, once nothing else is left to ask; whoever ends first ends it", () => {
  const table = new PieceTable({ here: none(2), holders: [a, b], spares: [], atOnceMax: 3 });
  all(table, 0);
  table.arrived({ piece: 1, holder: b }, 10);
  expect(all(table, 30)).toEqual([]);
  expect(all(table, 31)).toEqual([{ piece: 0, holder: b }]);
  // Not a third time.
  expect(all(table, 1_000)).toEqual([]);
  expect(table.arrived({ piece: 0, holder: b }, 40)).toMatchObject([{ piece: 0, holder: a }]);
  table.stopped({ piece: 0, holder: a });
  expect(table.isWhole).toBe(true);
  expect(table.senders()).toEqual([b, b]);
});

test("whatever fails, every piece comes as long as one holder is sound, and never more are under way than may be", () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 6 }),
      fc.infiniteStream(fc.nat(99)),
      (here, atOnceMax, dice) => {
        const table = new PieceTable({ here, holders: [a, b], spares: [c], atOnceMax });
        const running: Assignment[] = [];
        const roll = (): number => dice.next().value;
        for (let nowMs = 0; !table.isWhole; nowMs += roll()) {
          running.push(...all(table, nowMs));
          expect(running.length).toBeLessThanOrEqual(atOnceMax);
          expect(running.length, "never stuck").toBeGreaterThan(0);
          const [one] = running.splice(roll() % running.length, 1) as [Assignment];
          if (one.holder !== c && roll() < 30) table.failed(one);
          else
            for (const other of table.arrived(one, nowMs)) {
              table.stopped(other);
              running.splice(
                running.findIndex((run) => run.piece === other.piece && run.holder === other.holder),
                1,
              );
            }
        }
        expect(table.isStuck).toBe(false);
      },
    ),
  );
});
