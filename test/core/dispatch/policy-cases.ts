import type { PolicyCase } from "./policy.ts";

const perfect: PolicyCase = {
  nodes: 20,
  items: 20_000,
  speedRange: 10,
  estimateError: 0,
  itemSpread: 0.2,
  slowed: { part: 0, factor: 5 },
  dying: 0,
  handOverMs: 20,
};
const mistaken = { ...perfect, estimateError: 0.3 };
const slowed = { ...mistaken, slowed: { part: 0.1, factor: 5 } };
const dying = { ...slowed, dying: 0.05 };

/** Each with what makespan over the fluid bound may be at most, at 2,000 items. */
export const POLICY_CASES: { name: string; setting: PolicyCase; atMost: { median: number; p95: number } }[] = [
  { name: "speeds known", setting: perfect, atMost: { median: 1.05, p95: 1.1 } },
  { name: "estimates 30 % off", setting: mistaken, atMost: { median: 1.05, p95: 1.1 } },
  { name: "+ 10 % of nodes slow 5 times mid-job", setting: slowed, atMost: { median: 1.05, p95: 1.1 } },
  { name: "+ 5 % of nodes die", setting: dying, atMost: { median: 1.1, p95: 1.15 } },
  { name: "the same, 200 ms a hand-over", setting: { ...dying, handOverMs: 200 }, atMost: { median: 1.1, p95: 1.15 } },
];
