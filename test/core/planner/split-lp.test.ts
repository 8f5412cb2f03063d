/** The closed form against the linear program it solves. */
import { expect, test } from "vitest";
import { splitOf } from "../../../agent/core/planner/plan-job.ts";
import { bounds, fluidBound } from "../../../agent/core/planner/split.ts";
import { paceOf, runSeconds } from "../../../shared/item-ends.ts";
import type { Program } from "../../../shared/program.ts";
import { realSolver } from "../../support/real-solver.ts";
import { seededRandomness } from "../../support/virtual-clock.ts";
import { candidate, planRequest } from "./candidates.ts";

const solver = realSolver();

test("the bound and the price of each node's speed are those of the program: least T with sum of x = items, x <= rate (T - start)", async () => {
  const { random } = seededRandomness(7);
  for (let round = 0; round < 25; round++) {
    const items = 1 + Math.floor(400 * random());
    const nodes = Array.from({ length: 1 + Math.floor(8 * random()) }, (_, i) =>
      candidate(`n${i}`, {
        itemsPerSecond: 0.2 + 10 * random(),
        handOverMs: 3_000 * random(),
        holdsInputs: random() < 0.5,
        linkBytesPerSecond: 5 + 200 * random(),
      }),
    );
    const request = planRequest(items, nodes, { bytesPerItem: 10, uplinkBytesPerSecond: 10 + 300 * random() });
    const { split, uplink } = splitOf(request);
    const bound = fluidBound(items, split, uplink);
    const flows = split.map((node) => ({
      node,
      pace: paceOf(node),
      start: node.startSeconds + Math.min(node.executors * node.transferSeconds, runSeconds(node)),
    }));
    // A node that starts later takes no part; in a linear program it would still hold T up.
    const used = flows.filter(({ start }) => start < bound);
    const T = used.length;
    const open = Number.POSITIVE_INFINITY;
    const program: Program = {
      sense: "minimise",
      columns: [...used.map(() => ({ cost: 0, lower: 0, upper: open })), { cost: 1, lower: 0, upper: open }],
      rows: [
        ...used.map(({ pace, start }, i) => ({
          lower: -open,
          upper: -pace * start,
          terms: [
            [i, 1],
            [T, -pace],
          ] as [number, number][],
        })),
        { lower: items, upper: items, terms: used.map((_, i): [number, number] => [i, 1]) },
        ...(uplink && used.some(({ node }) => node.moves)
          ? [
              {
                lower: -open,
                upper: -uplink.startSeconds / uplink.secondsPerItem,
                terms: [
                  ...used.flatMap(({ node }, i): [number, number][] => (node.moves ? [[i, 1]] : [])),
                  [T, -1 / uplink.secondsPerItem] as [number, number],
                ],
              },
            ]
          : []),
      ],
    };
    const { status, objective, prices } = await solver.solve(program, { timeLimitMs: 2_000 });
    expect(status).toBe("optimal");
    expect(objective / bound).toBeCloseTo(1, 6);
    const { price, limitedByUplink } = bounds(items, split, uplink);
    if (limitedByUplink) continue;
    // One more item a second is T - start more items by then, at the row's price.
    for (const [i, { node, start }] of used.entries())
      expect(Math.abs(prices[i]!) * (bound - start)).toBeCloseTo(price(node.nodeId), 6);
  }
});
