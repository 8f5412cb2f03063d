import { invariant } from "../../../shared/errors.ts";
import type { Program, Solution } from "../../../shared/program.ts";

/** Something that several nodes do at once: a job with what is left of it, or a model with what is asked of it. */
export interface SharedWork {
  id: string;
  /** Items, or items a second; times its weight if some shall be done sooner. Over 0. */
  amount: number;
  /** Items a second of each node, if it did nothing else; 0: not there. In the order of the nodes. */
  rates: readonly number[];
}

/** How nodes divide their time over all work at once. */
export interface Shares {
  /** The share of its amount that every work gets in a second, at least: jobs end together after 1 / share seconds. */
  share: number;
  /** Items a second of each work. */
  rates: Map<string, number>;
  /** For each work, the share of each node's time, 0 to 1. */
  time: Map<string, number[]>;
  /** By how much `share` would grow if a node had one second more in each: its shadow price. */
  worthOfNodes: number[];
}

/** Work that no node does holds nobody back, and gets nothing. */
const able = (works: readonly SharedWork[]): SharedWork[] =>
  works.filter(({ rates }) => rates.some((rate) => rate > 0));

/** About what the share will be: numbers near one are what a solver is best at. */
const unitOf = (works: readonly SharedWork[]): number =>
  works.reduce(
    (least, { amount, rates }) => Math.min(least, rates.reduce((sum, rate) => sum + rate, 0) / amount),
    1e300,
  ) / works.length;

/**
 * Maximise s with sum over nodes of rate * time >= s * amount for each work, and sum over works of time <= 1 for each node.
 * Columns: the times, work by work, then s.
 */
export function sharesProgram(works: readonly SharedWork[]): Program {
  const shared = able(works);
  const nodes = shared[0]?.rates.length ?? 0;
  const unit = shared.length > 0 ? unitOf(shared) : 1;
  const s = shared.length * nodes;
  const open = Number.POSITIVE_INFINITY;
  const time = (w: number, i: number): number => w * nodes + i;
  return {
    sense: "maximise",
    columns: [
      // No bound of their own but their node's: it would take the price that is the node's.
      ...shared.flatMap(({ rates }) => rates.map((rate) => ({ cost: 0, lower: 0, upper: rate > 0 ? open : 0 }))),
      { cost: 1, lower: 0, upper: shared.length > 0 ? open : 0 },
    ],
    rows: [
      ...Array.from({ length: nodes }, (_, i) => ({
        lower: 0,
        upper: 1,
        terms: shared.map((_, w): [number, number] => [time(w, i), 1]),
      })),
      ...shared.map(({ amount, rates }, w) => ({
        lower: 0,
        upper: open,
        terms: [
          ...rates.flatMap((rate, i): [number, number][] => (rate > 0 ? [[time(w, i), rate / (amount * unit)]] : [])),
          [s, -1] as [number, number],
        ],
      })),
    ],
  };
}

/** Undefined if the solver found no optimum. */
export function readShares(works: readonly SharedWork[], { status, values, prices }: Solution): Shares | undefined {
  if (status !== "optimal") return undefined;
  const shared = able(works);
  const nodes = shared[0]?.rates.length ?? 0;
  invariant(values.length === shared.length * nodes + 1, "the solution is of this program");
  const unit = shared.length > 0 ? unitOf(shared) : 1;
  const timeOf = new Map(works.map(({ id, rates }) => [id, rates.map(() => 0)]));
  const rateOf = new Map(works.map(({ id }) => [id, 0]));
  for (const [w, { id, rates }] of shared.entries()) {
    const time = values.slice(w * nodes, (w + 1) * nodes).map((value) => Math.min(1, Math.max(0, value)));
    timeOf.set(id, time);
    rateOf.set(
      id,
      rates.reduce((sum, rate, i) => sum + rate * time[i]!, 0),
    );
  }
  const worthOfNodes = prices.slice(0, nodes).map((price) => price * unit);
  return { share: values.at(-1)! * unit, rates: rateOf, time: timeOf, worthOfNodes };
}
