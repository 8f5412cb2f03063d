import type { NodeView } from "../../shared/fleet.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { KeptRule } from "../../shared/rules.ts";
import type { DispatchNode } from "../core/dispatch/index.ts";
import type { Planning } from "../core/ledger/index.ts";
import { barredBecause, type Derating, restsBecause } from "../core/planner/index.ts";

/** What people ask of the planner, and the time at which that is looked at. */
export interface Ruling {
  rules: readonly KeptRule[];
  nowMs: number;
}

const NO_RULES: readonly KeptRule[] = [];

/** Looked up some times a second, and mostly there are none. */
export const rulesOf = ({ rules }: Planning): readonly KeptRule[] =>
  rules.size === 0 ? NO_RULES : [...rules].map(([ruleId, rule]) => ({ ruleId, rule }));

/**
 * Those a leader deals with: heard of, and not cut off. One that heat or battery leave nothing is left alone.
 * @param ratesOf of what runs there besides what a node tells of
 */
export function workersOf(
  nodes: readonly NodeView[],
  ruling: Ruling,
  deratingOf: (node: NodeView) => Derating,
  ratesOf: (node: NodeView) => [pipeline: string, itemsPerSecond: number][] = () => [],
): DispatchNode[] {
  return nodes.flatMap((node) => {
    const { report, nodeId, name, isSelf, link } = node;
    if (!report || !(isSelf || isReachable(node))) return [];
    const { factor: derating } = deratingOf(node);
    return {
      nodeId,
      name,
      executors: report.executors,
      rates: new Map([
        ...report.rates.flatMap(({ pipeline, itemsPerSecond }): [string, number][] =>
          barredBecause(ruling.rules, node, pipeline) === undefined ? [[pipeline, itemsPerSecond]] : [],
        ),
        ...ratesOf(node),
      ]),
      eligible: whyNotEligible(node, ruling) === undefined && derating > 0,
      derating,
      handOverMs: expectedHandOverMs(node),
      links: new Map((report.links ?? []).map(({ nodeId: peer, bytesPerSecond }) => [peer, bytesPerSecond])),
      suspect: link?.state === "suspect",
    };
  });
}

export const isReachable = (node: NodeView): boolean => node.link !== undefined && node.link.state !== "down";

/** Until one was measured: the lease's way there, and the first report's way back. */
export const expectedHandOverMs = ({ isSelf, link }: NodeView): number => (isSelf ? 0 : 2 * (link?.rttMs ?? 0));

/** Why a node gets no new work, as the end of a sentence; undefined if it does. */
export function whyNotEligible(node: NodeView, { rules, nowMs }: Ruling): string | undefined {
  const { report, presence, role } = node;
  if (role === "witness") return "it only votes";
  if (node.leaving) return "it is leaving the fleet";
  if (node.drained) return "it is drained";
  if (!report) return "nothing was heard of it yet";
  if (presence !== "fresh") return `it is ${presence}`;
  if (report.vitals.diskFreeBytes < LIMITS.diskFreeBytesMin) return "its disk is nearly full";
  if (report.vitals.throttled) return "it is too hot";
  return restsBecause(rules, node, report.vitals, nowMs);
}

/** The same for the work of one pipeline. */
export const whyNotFor = (pipeline: string, node: NodeView, ruling: Ruling): string | undefined =>
  whyNotEligible(node, ruling) ?? barredBecause(ruling.rules, node, pipeline);

/** By people's rules alone. */
export const ruledOut = (pipeline: string, node: NodeView, { rules, nowMs }: Ruling): string | undefined =>
  (node.report && restsBecause(rules, node, node.report.vitals, nowMs)) ?? barredBecause(rules, node, pipeline);
