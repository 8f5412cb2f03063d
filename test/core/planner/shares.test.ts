import fc from "fast-check";
import { expect, test } from "vitest";
import { fluidBound, readShares, type SharedWork, sharesProgram } from "../../../agent/core/planner/index.ts";
import { realSolver } from "../../support/real-solver.ts";

const solver = realSolver();
const solve = async (works: SharedWork[]) =>
  readShares(works, await solver.solve(sharesProgram(works), { timeLimitMs: 5_000 }))!;

test("one job alone takes all the time of all nodes, and ends when the closed form says", async () => {
  const rates = [4, 3, 0.5];
  const { share, time } = await solve([{ id: "job", amount: 300, rates }]);
  expect(time.get("job")).toEqual([1, 1, 1].map((all) => expect.closeTo(all)));
  const nodes = rates.map((itemsPerSecond, i) => ({
    nodeId: `n${i}`,
    itemsPerSecond,
    startSeconds: 0,
    executors: 1,
    moves: false,
    transferSeconds: 0,
  }));
  expect(1 / share).toBeCloseTo(fluidBound(300, nodes), 6);
});

test("each job goes where it is relatively quickest, and both end together", async () => {
  const works = [
    { id: "a", amount: 10, rates: [10, 1] },
    { id: "b", amount: 10, rates: [1, 10] },
  ];
  const { share, rates, time } = await solve(works);
  expect(share).toBeCloseTo(1);
  expect([...rates.values()]).toEqual([10, 10].map((rate) => expect.closeTo(rate)));
  expect(time.get("a")).toEqual([expect.closeTo(1), expect.closeTo(0)]);
});

test("a node's shadow price is what more of its time would bring", async () => {
  const works = [{ id: "a", amount: 10, rates: [4, 1] }];
  const { share, worthOfNodes } = await solve(works);
  const { share: more } = await solve([{ id: "a", amount: 10, rates: [4.4, 1] }]);
  expect(more - share).toBeCloseTo(0.1 * worthOfNodes[0]!, 6);
});

test("work that no node does gets nothing and holds nobody back; no work is no share", async () => {
  const { rates, share } = await solve([
    { id: "a", amount: 10, rates: [5, 0] },
    { id: "nobody's", amount: 1, rates: [0, 0] },
  ]);
  expect(rates.get("nobody's")).toBe(0);
  expect(share).toBeCloseTo(0.5);
  expect(await solve([])).toMatchObject({ share: 0, worthOfNodes: [] });
});

test("no node gives more than its time, and every work gets the common share of its amount", async () => {
  const rate = fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 100, noNaN: true }));
  const size = fc.record({ works: fc.integer({ min: 1, max: 5 }), nodes: fc.integer({ min: 1, max: 6 }) });
  const drawn = size.chain(({ works, nodes }) =>
    fc.array(
      fc.record({
        amount: fc.double({ min: 0.01, max: 1_000, noNaN: true }),
        rates: fc.array(rate, { minLength: nodes, maxLength: nodes }),
      }),
      { minLength: works, maxLength: works },
    ),
  );
  await fc.assert(
    fc.asyncProperty(drawn, async (unnamed) => {
      const works = unnamed.map((work, w) => ({ id: String(w), ...work }));
      const { share, rates, time } = await solve(works);
      for (const [i] of works[0]!.rates.entries()) {
        const spent = works.reduce((sum, { id }) => sum + time.get(id)![i]!, 0);
        expect(spent).toBeLessThanOrEqual(1 + 1e-6);
      }
      for (const { id, amount, rates: possible } of works)
        if (possible.some((one) => one > 0))
          expect(rates.get(id)! / amount).toBeGreaterThanOrEqual(share * (1 - 1e-4) - 1e-9);
    }),
    { numRuns: 60 },
  );
});
