import type { PlacementDecision, Replicas } from "../../../../shared/decision.ts";
import { barredBecause } from "../rules.ts";
import { bytes } from "../words.ts";
import { withCompany } from "./company.ts";
import { type Candidate, candidate, isBetter } from "./greedy.ts";
import { complain, noPlaces, type Question } from "./question.ts";
import { serve } from "./serve.ts";

/** What was thought of, by whom. */
export interface Answers {
  greedy: Candidate;
  /** Absent while the solver has not answered, and when it failed. */
  solved?: Candidate;
  /** What stands, if nothing is broken by leaving it so. */
  standing?: Candidate;
  bound?: number;
  gap?: number;
  solveSeconds: number;
}

export interface Occasion {
  term: number;
  madeAtMs: number;
  because: string;
}

/** What stands is moved only for so much more. */
const WORTH_MOVING = 1.05;

/** Where models stand, as a candidate: undefined if a rule or the memory is broken by it, or a model stands too seldom. */
export function standingOf(question: Question): Candidate | undefined {
  const { nodes, models, stands, rate, takes, pinned, min, max } = question;
  const N = nodes.length;
  const places = noPlaces(question);
  for (let pair = 0; pair < stands.length; pair++) {
    if (pinned[pair] && !stands[pair]) return undefined;
    if (!stands[pair] || nodes[pair % N]!.rests) continue;
    if (rate[pair] === 0) return undefined;
    places.placed[pair] = 1;
    places.memoryLeft[pair % N] = places.memoryLeft[pair % N]! - takes[pair]!;
    places.counts[Math.floor(pair / N)]!++;
  }
  const isOver = places.memoryLeft.some((left) => left < 0);
  if (isOver || models.some((_, m) => places.counts[m]! < min[m]! || places.counts[m]! > max[m]!)) return undefined;
  const standing = candidate(question, places.placed);
  return standing.nowhere === 0 ? standing : undefined;
}

/** The best of what was thought of; what stands, unless something else serves a good deal more. */
export function choose(question: Question, answers: Answers, occasion: Occasion): PlacementDecision {
  const { greedy, solved, standing, bound, gap, solveSeconds } = answers;
  const isSolved = solved !== undefined && isBetter(solved, greedy);
  const best = isSolved ? solved : greedy;
  const isWorse = best.nowhere + best.missing > 0;
  const stays = standing !== undefined && (isWorse || best.served.share <= WORTH_MOVING * standing.served.share);
  const chosen = withCompany(question, stays ? standing : best);
  const { request } = question;
  return {
    kind: "placement",
    ...occasion,
    nodes: [...request.nodes],
    models: [...request.models],
    rules: [...request.rules],
    ...(request.together && { together: [...request.together] }),
    before: [...request.before],
    replicas: replicasOf(question, chosen),
    short: shortOf(question, chosen),
    by: stays ? "kept" : isSolved ? "solver" : "greedy",
    served: finite(chosen.served.share),
    bound: finite(Math.max(chosen.served.share, bound ?? memoryless(question))),
    ...(bound !== undefined && { boundBy: "solver" }),
    ...(gap !== undefined && { gap }),
    solveSeconds,
    ...(question.notes.length > 0 && { notes: [...question.notes] }),
  };
}

/** Nothing stands, so nothing is served. */
const finite = (share: number): number => (Number.isFinite(share) ? share : 0);

/** What could be served if every model stood wherever it may. */
const memoryless = (question: Question): number =>
  serve(
    question,
    Uint8Array.from(question.rate, (rate) => (rate > 0 ? 1 : 0)),
  ).bound;

/** With what rests: it stays where it is. */
function replicasOf(question: Question, { placed }: Candidate): Replicas[] {
  const { models, nodes, stands, request } = question;
  return models.map(({ pipeline }, m) => ({
    pipeline,
    nodes: nodes
      .filter((node, i) => {
        const pair = m * nodes.length + i;
        if (placed[pair]) return true;
        return stands[pair] && node.rests && !barredBecause(request.rules, node, pipeline);
      })
      .map(({ nodeId }) => nodeId),
  }));
}

function shortOf(question: Question, chosen: Candidate): PlacementDecision["short"] {
  const { models, nodes, min } = question;
  const N = nodes.length;
  const left = Float64Array.from(question.memory);
  chosen.placed.forEach((placed, pair) => {
    if (placed) left[pair % N] = left[pair % N]! - question.takes[pair]!;
  });
  const told: Pick<Question, "short"> = { short: new Map(question.short) };
  models.forEach((_, m) => {
    const count = chosen.placed.subarray(m * N, (m + 1) * N).reduce((sum, one) => sum + one, 0);
    const couldStand = question.rate.subarray(m * N, (m + 1) * N).some((rate) => rate > 0);
    if (couldStand && count < Math.max(1, min[m]!)) complain(told, m, crowdedOut(question, chosen, left, m, count));
  });
  return [...told.short].flatMap(([m, reasons]) =>
    reasons.map((because) => ({ pipeline: models[m]!.pipeline, because })),
  );
}

/** It could stand there alone, and cannot beside the others. */
function crowdedOut(question: Question, { placed }: Candidate, left: Float64Array, m: number, count: number): string {
  const { nodes, min, rate, takes } = question;
  const open = nodes.flatMap((_, i) => {
    const pair = m * nodes.length + i;
    return rate[pair]! > 0 && !placed[pair] ? [{ i, lacks: takes[pair]! - left[i]!, takes: takes[pair]! }] : [];
  });
  const [nearest] = open.sort((a, b) => a.lacks - b.lacks || a.i - b.i);
  const stands = count === 0 ? "it stands nowhere" : `it stands on ${count} of the ${min[m]} boxes that it should`;
  if (!nearest) return stands;
  const { name } = nodes[nearest.i]!;
  return `${stands}: it needs ${bytes(nearest.takes)} while it loads, and beside what else stands there the nearest to it, ${name}, has ${bytes(Math.max(0, left[nearest.i]!))} left`;
}
