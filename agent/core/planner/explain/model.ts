import type { PlacementDecision } from "../../../../shared/decision.ts";
import type { ExplainedBound, ExplainedNode, ExplainQuestion, Explanation } from "../../../../shared/explanation.ts";
import type { Solution } from "../../../../shared/program.ts";
import { bytes, percent } from "../words.ts";
import { nodeNamed } from "./changes.ts";
import { type PlacementMatter, placementMatter } from "./model-matter.ts";
import { memoryPrice } from "./model-price.ts";
import { whatIfModel } from "./model-what-if.ts";
import { whyHere, whyNotHere } from "./model-why.ts";

/**
 * Where a model stands and why, from what was known when that was decided. `relaxed`: the solver's answer to
 * `relaxedProgram`, whose prices tell what more memory would be worth; without it nothing is said of that.
 * @throws NODE_UNKNOWN, BAD_REQUEST for a question about what the decision does not know
 */
export function explainModel(
  decision: PlacementDecision,
  pipeline: string,
  question: ExplainQuestion = {},
  relaxed?: Solution,
): Explanation {
  const matter = placementMatter(decision, pipeline);
  const binding = relaxed && memoryPrice(matter, relaxed);
  const runnerUp = runnerUpOf(matter);
  const says = [
    standingText(matter),
    ...decision.short
      .filter((one) => one.pipeline === pipeline)
      .map(({ because }) => `Short of what is wished: ${because}.`),
    ...(binding ? [binding.says] : []),
    ...(runnerUp ? [runnerUp] : []),
    ...(decision.notes ?? []).map((note) => `Taken for granted: ${note}.`),
  ];
  return {
    of: "model",
    what: pipeline,
    decidedAtMs: decision.madeAtMs,
    term: decision.term,
    says,
    nodes: matter.question.nodes
      .map((_, i) => explained(matter, i))
      .sort((a, b) => Number(b.isUsed) - Number(a.isUsed)),
    bound: boundOf(decision),
    ...(binding && { binding }),
    ...(runnerUp && { runnerUp }),
    ...(question.whyNot !== undefined && { whyNot: whyNot(matter, question.whyNot) }),
    ...(question.whatIf && question.whatIf.length > 0 && { whatIf: whatIfModel(matter, question.whatIf) }),
  };
}

function standingText({ decision, pipeline, question, placedOn }: PlacementMatter): string {
  const names = question.nodes.filter((_, i) => placedOn(i)).map(({ name }) => name);
  const where = names.length > 0 ? `stands on ${names.join(", ")}` : "stands nowhere";
  const by = {
    solver: "the solver found it",
    greedy: "the greedy rule found it",
    kept: "nothing better was worth a move",
  }[decision.by];
  return `${pipeline} ${where}. That was decided because ${decision.because}; ${by}.`;
}

function explained(matter: PlacementMatter, i: number): ExplainedNode {
  const { question, placedOn, at } = matter;
  const node = question.nodes[i]!;
  const rate = question.rate[at(i)]!;
  return {
    nodeId: node.nodeId,
    name: node.name,
    isUsed: placedOn(i),
    because: placedOn(i) ? whyHere(matter, i) : whyNotHere(matter, i),
    figures: {
      ...(rate > 0 && { itemsPerSecond: rate / node.derating }),
      derating: node.derating,
      memoryNeededBytes: Math.round(question.takes[at(i)]!),
      memoryForModelsBytes: node.memoryForModelsBytes,
    },
  };
}

function whyNot(matter: PlacementMatter, text: string): { node: string; says: string[] } {
  const node = nodeNamed(matter.question.nodes, text);
  const i = matter.question.nodes.indexOf(node);
  const isHere = matter.placedOn(i);
  return {
    node: node.name,
    says: [isHere ? `It stands there: ${whyHere(matter, i)}.` : `It does not stand there: ${whyNotHere(matter, i)}.`],
  };
}

/** How much of the demand every model gets at least, and what no placement could beat. */
function boundOf({ served: value, bound, boundBy }: PlacementDecision): ExplainedBound {
  const gap = bound > 0 ? Math.max(0, bound - value) / bound : 0;
  const proof = boundBy === "solver" ? "as the solver proved" : "even with memory enough everywhere";
  const says = `Every model that stands somewhere can be served ${times(value)} what is asked of it, at least; no placement could serve more than ${times(bound)}, ${proof}.`;
  return { value, bound, gap, unit: "share", says };
}

export const times = (share: number): string =>
  share >= 1.005 || share === 0 ? `${share >= 10 ? Math.round(share) : share.toFixed(2)} times` : percent(share);

/** Where it would go next. */
function runnerUpOf({ question, placedOn, at, memoryLeft }: PlacementMatter): string | undefined {
  const open = question.nodes
    .map((node, i) => ({ node, i, rate: question.rate[at(i)]! }))
    .filter(({ i, rate }) => !placedOn(i) && rate > 0)
    .sort((a, b) => b.rate - a.rate);
  const [next] = open.filter(({ i }) => question.takes[at(i)]! <= memoryLeft[i]!);
  if (next)
    return `The next best place would be ${next.node.name}: ${next.rate.toFixed(1)} items/s there, and ${bytes(memoryLeft[next.i]!)} left.`;
  const [crowded] = open;
  return crowded && `The next best place would be ${crowded.node.name}, if there were room beside what stands there.`;
}
