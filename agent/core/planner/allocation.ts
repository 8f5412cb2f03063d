/**
 * The allocation model that this project began with (min sum of (R_i - R) * eps_i, needs 2 and 3, capacity 5), in the form that
 * holds for any needs and capacities: what each need is short of or has to spare is made as small as it can be, as a share of
 * the need (the largest share first) or in all. The article's eps_i is R_i - R: what is allocated less the whole capacity.
 */
import { invariant } from "../../../shared/errors.ts";
import type { Column, Program, Row, Solution } from "../../../shared/program.ts";

export interface Need {
  /** Over 0. */
  demand: number;
  /** Default 1. */
  weight?: number;
  /** Capacity of each node that one unit takes; Infinity: it cannot be there. Default: 1 everywhere. */
  perUnit?: readonly number[];
  /** Taken on each node where it stands. Default 0. */
  memory?: number;
  replicas?: { min: number; max: number };
}

export interface Capacity {
  units: number;
  /** Default: no bound. */
  memory?: number;
}

export interface AllocationRequest {
  needs: readonly Need[];
  nodes: readonly Capacity[];
  /** `minMax`: the largest relative error first, then all of them. `total`: the sum of the weighted errors. */
  fairness: "minMax" | "total";
  /** `idle`: what is over may be left. `handOut`: all of it is given, and what is over counts as an error too. */
  spare: "idle" | "handOut";
  /** In whole units. */
  whole?: true;
}

export interface Allocation {
  /** Units of each need: in all, and on each node. */
  units: number[];
  byNode: number[][];
  /** What is allocated less what is needed. */
  errors: number[];
  /** As the article has it: what is allocated less the capacity of all. */
  epsilon: number[];
}

/** Small against the largest error, so that the two are decided one after the other. */
const SECOND = 1e-3;

interface Shape {
  unit: (m: number, i: number) => number;
  short: (m: number) => number;
  over: (m: number) => number;
  worst: number;
  placed: (m: number, i: number) => number;
  /** Whether it matters where a need stands. */
  stands: boolean;
}

function shapeOf({ needs, nodes }: AllocationRequest): Shape {
  const [M, N] = [needs.length, nodes.length];
  const worst = M * N + 2 * M;
  return {
    unit: (m, i) => m * N + i,
    short: (m) => M * N + m,
    over: (m) => M * N + M + m,
    worst,
    placed: (m, i) => worst + 1 + m * N + i,
    stands: needs.some(({ memory, replicas }) => memory || replicas),
  };
}

/** Columns: units by need and node, what is short, what is over, the worst relative error, and where each need stands. */
export function allocationProgram(request: AllocationRequest): Program {
  const { needs, nodes, fairness, spare, whole } = request;
  invariant(
    needs.every(({ demand }) => demand > 0),
    "a need is over 0",
  );
  const at = shapeOf(request);
  const open = Number.POSITIVE_INFINITY;
  const isFair = fairness === "minMax";
  const mayBe = (m: number, i: number): boolean => Number.isFinite(needs[m]!.perUnit?.[i] ?? 1);
  const errorCost = ({ demand, weight = 1 }: Need): number => (isFair ? (SECOND * weight) / demand : weight);
  const columns: Column[] = [
    ...needs.flatMap((_, m) =>
      nodes.map((_, i) => ({ cost: 0, lower: 0, upper: mayBe(m, i) ? open : 0, ...(whole && { integer: true }) })),
    ),
    ...needs.map((need) => ({ cost: errorCost(need), lower: 0, upper: open })),
    ...needs.map((need) => ({ cost: errorCost(need), lower: 0, upper: open })),
    { cost: isFair ? 1 : 0, lower: 0, upper: open },
    ...(at.stands ? needs.flatMap(() => nodes.map(() => ({ cost: 0, lower: 0, upper: 1, integer: true }))) : []),
  ];
  const rows: Row[] = [];
  for (const [m, { demand }] of needs.entries()) {
    const units = nodes.map((_, i): [number, number] => [at.unit(m, i), 1]);
    rows.push({ lower: demand, upper: demand, terms: [...units, [at.short(m), 1], [at.over(m), -1]] });
    if (!isFair) continue;
    for (const error of spare === "handOut" ? [at.short(m), at.over(m)] : [at.short(m)])
      rows.push({
        lower: -open,
        upper: 0,
        terms: [
          [error, 1],
          [at.worst, -demand],
        ],
      });
  }
  for (const [i, { units }] of nodes.entries()) {
    const terms = needs.flatMap((need, m): [number, number][] =>
      mayBe(m, i) ? [[at.unit(m, i), need.perUnit?.[i] ?? 1]] : [],
    );
    rows.push({ lower: spare === "handOut" ? units : -open, upper: units, terms });
  }
  if (at.stands) rows.push(...standingRows(request, at, mayBe));
  return { sense: "minimise", columns, rows };
}

function standingRows({ needs, nodes }: AllocationRequest, at: Shape, mayBe: (m: number, i: number) => boolean): Row[] {
  const open = Number.POSITIVE_INFINITY;
  const links = needs.flatMap(({ perUnit }, m) =>
    nodes.flatMap(({ units }, i): Row[] => {
      const most = mayBe(m, i) ? units / (perUnit?.[i] ?? 1) : 0;
      return [
        {
          lower: -open,
          upper: 0,
          terms: [
            [at.unit(m, i), 1],
            [at.placed(m, i), -most],
          ],
        },
      ];
    }),
  );
  const memory = nodes.map(({ memory: upper = open }, i) => ({
    lower: -open,
    upper,
    terms: needs.map((need, m): [number, number] => [at.placed(m, i), need.memory ?? 0]),
  }));
  const replicas = needs.map(({ replicas }, m) => ({
    lower: replicas?.min ?? 0,
    upper: replicas?.max ?? open,
    terms: nodes.map((_, i): [number, number] => [at.placed(m, i), 1]),
  }));
  return [...links, ...memory, ...replicas];
}

/** Undefined if there is no allocation, or none was found. */
export function readAllocation(request: AllocationRequest, { values }: Solution): Allocation | undefined {
  if (values.length === 0) return undefined;
  const { needs, nodes } = request;
  const at = shapeOf(request);
  const byNode = needs.map((_, m) => nodes.map((_, i) => Math.max(0, values[at.unit(m, i)]!)));
  return allocationOf(request, byNode);
}

function allocationOf({ needs, nodes }: AllocationRequest, byNode: number[][]): Allocation {
  const units = byNode.map((one) => one.reduce((sum, value) => sum + value, 0));
  const capacity = nodes.reduce((sum, node) => sum + node.units, 0);
  return {
    units,
    byNode,
    errors: units.map((value, m) => value - needs[m]!.demand),
    epsilon: units.map((value) => value - capacity),
  };
}

/**
 * Whole units with the same sum (rounded down), by largest remainder: each is within one of what it was, and of equal remainders
 * the first listed gets it. It need not be the fairest whole allocation.
 */
export function wholeUnits(units: readonly number[]): number[] {
  // A sum of thirds is whole but for rounding.
  const total = Math.floor(units.reduce((sum, value) => sum + value, 0) + 1e-6);
  const whole = units.map((value) => Math.floor(value + 1e-9));
  const order = [...units.keys()].sort((a, b) => units[b]! - whole[b]! - (units[a]! - whole[a]!) || a - b);
  const left = total - whole.reduce((sum, value) => sum + value, 0);
  for (const m of order.slice(0, Math.max(0, left))) whole[m]!++;
  return whole;
}
