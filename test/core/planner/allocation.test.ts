import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Allocation,
  type AllocationRequest,
  allocationProgram,
  type Need,
  readAllocation,
  wholeUnits,
} from "../../../agent/core/planner/index.ts";
import { realSolver } from "../../support/real-solver.ts";

const solver = realSolver();
async function solve(request: AllocationRequest): Promise<Allocation> {
  return readAllocation(request, await solver.solve(allocationProgram(request), { timeLimitMs: 5_000 }))!;
}

const pool = (demands: number[], capacity: number, more: Partial<AllocationRequest> = {}): AllocationRequest => ({
  needs: demands.map((demand) => ({ demand })),
  nodes: [{ units: capacity }],
  fairness: "minMax",
  spare: "idle",
  ...more,
});
const near = (values: number[]) => values.map((value) => expect.closeTo(value, 6));

test.each(["minMax", "total"] as const)(
  "the article's case, %s: needs 2 and 3 of 5 get 2 and 3; errors -3 and -2 as it writes them",
  async (fairness) => {
    const { units, errors, epsilon } = await solve(pool([2, 3], 5, { fairness }));
    expect(units).toEqual(near([2, 3]));
    expect(errors).toEqual(near([0, 0]));
    expect(epsilon).toEqual(near([-3, -2]));
    // Its objective, the sum of (R_i - R) * eps_i, at its optimum.
    expect(epsilon.reduce((sum, one) => sum + one * one, 0)).toBeCloseTo(13);
  },
);

const each = (need: Partial<Need>): Need[] => [2, 3].map((demand) => ({ demand, ...need }));
test.each<[string, AllocationRequest["nodes"], Need[]]>([
  ["on two nodes of 3 and 2", [{ units: 3 }, { units: 2 }], each({ replicas: { min: 1, max: 9 } })],
  ["on five of one", Array.from({ length: 5 }, () => ({ units: 1 })), each({ replicas: { min: 1, max: 9 } })],
  [
    "where memory forbids sharing",
    [
      { units: 3, memory: 1 },
      { units: 2, memory: 1 },
    ],
    each({ memory: 1 }),
  ],
  ["with two replicas each", [{ units: 3 }, { units: 2 }], each({ replicas: { min: 2, max: 9 } })],
])("the same as a whole-number program, %s: no error", async (_, nodes, needs) => {
  const { units, byNode, errors } = await solve({ needs, nodes, fairness: "minMax", spare: "idle" });
  expect(units).toEqual(near([2, 3]));
  expect(errors).toEqual(near([0, 0]));
  for (const [i, node] of nodes.entries())
    expect(byNode.reduce((sum, one) => sum + one[i]!, 0)).toBeLessThanOrEqual(node.units + 1e-6);
});

test("a capacity of 4: both are short by the same 20 %, and in whole units get 2 and 2", async () => {
  const { units } = await solve(pool([2, 3], 4));
  expect(units).toEqual(near([1.6, 2.4]));
  expect(wholeUnits(units)).toEqual([2, 2]);
});

test("a capacity of 4 by the sum of errors: one is missing in all, and whose it is is not decided", async () => {
  const { units, errors } = await solve(pool([2, 3], 4, { fairness: "total" }));
  expect(units[0]! + units[1]!).toBeCloseTo(4);
  expect(Math.abs(errors[0]!) + Math.abs(errors[1]!)).toBeCloseTo(1);
});

test("a capacity of 6: what is over may stay idle, or is handed out fairly", async () => {
  expect((await solve(pool([2, 3], 6))).units).toEqual(near([2, 3]));
  expect((await solve(pool([2, 3], 6, { spare: "handOut" }))).units).toEqual(near([2.4, 3.6]));
});

test("needs of 2, 3 and 5 of 7: 30 % short each; 2, 2 and 3 in whole units, where rounding gives 1, 2 and 4", async () => {
  const { units } = await solve(pool([2, 3, 5], 7));
  expect(units).toEqual(near([1.4, 2.1, 3.5]));
  expect(wholeUnits(units)).toEqual([1, 2, 4]);
  expect((await solve(pool([2, 3, 5], 7, { whole: true }))).units).toEqual(near([2, 2, 3]));
});

test("needs that cannot be met by rows that must hold have no allocation", async () => {
  const request: AllocationRequest = {
    needs: [{ demand: 2, memory: 2, replicas: { min: 1, max: 1 } }],
    nodes: [{ units: 5, memory: 1 }],
    fairness: "minMax",
    spare: "idle",
  };
  const solution = await solver.solve(allocationProgram(request), { timeLimitMs: 5_000 });
  expect(solution.status).toBe("infeasible");
  expect(readAllocation(request, solution)).toBeUndefined();
});

const demands = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 });
const capacity = fc.integer({ min: 1, max: 200 });

test("nothing is missing whenever there is enough", async () => {
  await fc.assert(
    fc.asyncProperty(demands, fc.nat(50), async (needs, more) => {
      const { errors } = await solve(
        pool(
          needs,
          needs.reduce((sum, one) => sum + one, more),
        ),
      );
      for (const error of errors) expect(error).toBeCloseTo(0, 5);
    }),
    { numRuns: 40 },
  );
});

test("twice of everything gives twice of everything, and in another order the same in that order", async () => {
  await fc.assert(
    fc.asyncProperty(demands, capacity, async (needs, units) => {
      const plain = (await solve(pool(needs, units))).units;
      const doubled = (
        await solve(
          pool(
            needs.map((need) => 2 * need),
            2 * units,
          ),
        )
      ).units;
      const turned = (await solve(pool([...needs].reverse(), units))).units;
      expect(doubled).toEqual(plain.map((value) => expect.closeTo(2 * value, 4)));
      expect(turned).toEqual([...plain].reverse().map((value) => expect.closeTo(value, 4)));
    }),
    { numRuns: 40 },
  );
});

test("whole units are within one of what they were, and lose nothing that is whole", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 20 }), (units) => {
      const whole = wholeUnits(units);
      for (const [m, value] of whole.entries()) {
        expect(Number.isInteger(value)).toBe(true);
        expect(Math.abs(value - units[m]!)).toBeLessThanOrEqual(1 + 1e-6);
      }
      const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
      expect(sum(whole)).toBe(Math.floor(sum(units) + 1e-6));
    }),
  );
});
