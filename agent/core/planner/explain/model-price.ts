import type { PlacementNode } from "../../../../shared/decision.ts";
import type { ShadowPrice } from "../../../../shared/explanation.ts";
import type { Solution } from "../../../../shared/program.ts";
import { askWhere } from "../placement/question.ts";
import { bytes, percent } from "../words.ts";
import { best, type PlacementMatter, relaxedProgram, shareOf } from "./model-matter.ts";

const GB = 1e9;
/** A price below this is none; of whole copies, a share of what is served. */
const PRICE_MIN = 1e-6;
const GAIN_MIN = 0.005;
/** Boxes that are tried with just enough memory more, those that lack least first. */
const TRIED_MAX = 8;

/**
 * What a GB more for models would be worth where it is worth most: by the shadow prices of the linear program, in which copies
 * may be divided; and where that program lacks nothing, by what a whole copy more would serve. Undefined if the program was
 * not solved.
 */
export function memoryPrice(matter: PlacementMatter, { status, prices }: Solution): ShadowPrice | undefined {
  if (status !== "optimal" || prices.length === 0) return undefined;
  return byPrices(matter, prices) ?? byWholeCopies(matter) ?? NOTHING;
}

const NOTHING: ShadowPrice = {
  of: "memory",
  unit: "GB",
  gain: 0,
  says: "Memory holds nothing back: more of it would serve no more.",
};

function byPrices(matter: PlacementMatter, prices: readonly number[]): ShadowPrice | undefined {
  const { memoryRows, unit } = relaxedProgram(matter);
  const { nodes, memory } = matter.question;
  let [of, gain] = ["", PRICE_MIN];
  nodes.forEach((node, i) => {
    const row = memoryRows[i];
    // The row counts a node's memory as one, and the program the share in units.
    const worth = row === undefined ? 0 : (Math.abs(prices[row]!) * unit * GB) / memory[i]!;
    if (worth > gain) [of, gain] = [node.name, worth];
  });
  if (of === "") return undefined;
  const { served } = matter.decision;
  const part = served > 0 ? `, ${percent(gain / served)} more than now` : "";
  const says = `Memory is worth most on ${of}: a GB more for models there would serve every model ${gain.toFixed(2)} times its demand more${part}, as far as copies could be divided.`;
  return { of, unit: "GB", gain, says };
}

function byWholeCopies(matter: PlacementMatter): ShadowPrice | undefined {
  const before = shareOf(matter.placed);
  const lacking = matter.question.nodes
    .map((node, i) => ({ node, lacks: matter.question.takes[matter.at(i)]! - matter.memoryLeft[i]! }))
    .filter(({ node, lacks }, i) => node.eligible && lacks > 0 && !matter.placedOn(i))
    .sort((a, b) => a.lacks - b.lacks)
    .slice(0, TRIED_MAX)
    .map(({ node, lacks }) => ({ node, lacks, gain: gainOf(matter, node, lacks) - before }))
    .filter(({ gain }) => gain > GAIN_MIN * before)
    .sort((a, b) => b.gain / b.lacks - a.gain / a.lacks);
  const [most] = lacking;
  if (!most) return undefined;
  const { node, lacks, gain } = most;
  const part = before > 0 ? ` (${percent(gain / before)} more)` : "";
  const says = `${bytes(lacks)} more memory for models on ${node.name} would make room for ${matter.pipeline} there, and every model could be served ${gain.toFixed(2)} times its demand more${part}.`;
  return { of: node.name, unit: "GB", gain: (gain * GB) / lacks, says };
}

function gainOf({ decision }: PlacementMatter, { nodeId }: PlacementNode, lacks: number): number {
  const nodes = decision.nodes.map((node) =>
    // A byte more, for the figures are whole.
    node.nodeId === nodeId ? { ...node, memoryForModelsBytes: node.memoryForModelsBytes + Math.ceil(lacks) + 1 } : node,
  );
  return shareOf(best(askWhere({ ...decision, nodes, before: decision.replicas })));
}
