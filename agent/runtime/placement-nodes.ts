import type { CapacityReport } from "../../shared/capacity.ts";
import type { PlacementModel, PlacementNode, Replicas } from "../../shared/decision.ts";
import type { NodeView } from "../../shared/fleet.ts";
import { deratingOf, Figures, reservedBytes } from "../core/planner/index.ts";
import { isReachable, type Ruling, whyNotEligible } from "./workers.ts";

/** Left free beside the models, or the box begins to swap; and how far below that it may come before models are moved away. */
const FREE_SHARE = 0.05;
const FREE_BYTES_MIN = 64e6;
const FREE_SHARE_LAST = 0.25;

export interface Situation {
  ruling: Ruling;
  models: readonly PlacementModel[];
  before: readonly Replicas[];
  failed: (node: NodeView) => { pipeline: string; because: string }[];
}

/** A node by what it is, without what happens there: as rules are held against. */
export function placementNode({ nodeId, name, labels, report }: NodeView): PlacementNode {
  const links = report?.links ?? [];
  return {
    nodeId,
    name,
    ...(labels && { labels }),
    executors: report?.executors ?? 0,
    memoryForModelsBytes: report?.hardware.memoryUsableBytes ?? 0,
    ...heatOf(report),
    // Its files come from several holders at once: the best link is near what it gets.
    ...(links.length > 0 && { linkBytesPerSecond: Math.max(1, ...links.map((link) => link.bytesPerSecond)) }),
    profiles: report?.profiles ?? [],
    ...(report && { class: `${report.hardware.profile} ${report.hardware.cpuModel}` }),
    eligible: true,
  };
}

/** Heat passes sooner than a model has moved, so it takes at most so much of a box's worth here; battery likewise. */
const DERATING_MIN = 0.25;

function heatOf(report: CapacityReport | undefined): Pick<PlacementNode, "derating" | "deratedBecause"> {
  const { factor, because } = report ? deratingOf(report) : { factor: 1 };
  return { derating: Math.max(DERATING_MIN, factor), ...(because !== undefined && { deratedBecause: because }) };
}

/** The nodes as a placement sees them now. */
export function placementNodes(views: readonly NodeView[], situation: Situation): PlacementNode[] {
  const { ruling, failed } = situation;
  const plain = views.map((view) => placementNode(view));
  const figures = new Figures(plain);
  return views.map((view, i) => {
    const node = plain[i]!;
    const whyNot = whyNotOf(view, ruling);
    const failures = failed(view);
    const memory = view.report ? memoryForModels(view.report, node, figures, situation) : 0;
    return {
      ...node,
      profiles: node.profiles.filter(({ pipeline }) => situation.models.some((model) => model.pipeline === pipeline)),
      memoryForModelsBytes: Math.max(0, Math.round(memory)),
      ...(failures.length > 0 && { failed: failures }),
      ...(whyNot && { eligible: false, whyNot: whyNot.reason, ...(whyNot.rests && { rests: true as const }) }),
    };
  });
}

/** Why nothing may stand there now; `rests` if that is expected to pass. */
export function whyNotOf(view: NodeView, ruling: Ruling): { reason: string; rests: boolean } | undefined {
  const reason =
    whyNotEligible(view, ruling) ?? (view.isSelf || isReachable(view) ? undefined : "it cannot be reached");
  if (!reason) return undefined;
  const { role, leaving, drained, report, presence } = view;
  const isOut =
    role === "witness" || leaving || drained || !report || presence === "gone" || reason === "it cannot be reached";
  return { reason, rests: !isOut };
}

/**
 * What models may take: what those that stand take, and what is free beside a margin; never what is reserved or more than the
 * box's profile allows. While free memory is in its margin nothing comes and nothing goes, so that a box does not flap.
 */
function memoryForModels(report: CapacityReport, node: PlacementNode, figures: Figures, situation: Situation): number {
  const { models, before, ruling } = situation;
  const settled = (pipeline: string): number => {
    const model = models.find((one) => one.pipeline === pipeline);
    return model ? figures.of(model, node).settledBytes : 0;
  };
  const sum = (pipelines: string[]): number => pipelines.reduce((bytes, pipeline) => bytes + settled(pipeline), 0);
  const states = report.models ?? [];
  const standing = sum(states.filter(({ state }) => state === "ready").map(({ pipeline }) => pipeline));
  const usable = report.hardware.memoryUsableBytes;
  const margin = Math.max(FREE_BYTES_MIN, FREE_SHARE * usable);
  const free = report.vitals.memoryFreeBytes;
  const room = free >= margin ? free - margin : Math.min(0, free - FREE_SHARE_LAST * margin);
  const most = usable - reservedBytes(ruling.rules, node);
  const now = standing + room;
  // Of a model that is being loaded nobody knows how much of it is in the free memory's place by now.
  const isLoading = states.some(({ state }) => state === "loading");
  const placed = sum(before.filter(({ nodes }) => nodes.includes(node.nodeId)).map(({ pipeline }) => pipeline));
  return Math.min(most, isLoading ? Math.max(now, placed) : now);
}
