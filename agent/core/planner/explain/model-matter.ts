import type { PlacementDecision } from "../../../../shared/decision.ts";
import { SkeinError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { standingOf } from "../placement/choose.ts";
import { type Candidate, candidate, greedy, isBetter } from "../placement/greedy.ts";
import { type PlacementProgram, placementProgram } from "../placement/program.ts";
import { askWhere, type Question } from "../placement/question.ts";

/** One model in a decision, as arithmetic. */
export interface PlacementMatter {
  decision: PlacementDecision;
  pipeline: string;
  question: Question;
  /** Of all models, as it was decided. */
  placed: Candidate;
  /** Of each node, beside what was placed there. */
  memoryLeft: Float64Array;
  /** Where the figures of this model on node i are. */
  at: (i: number) => number;
  placedOn: (i: number) => boolean;
}

/** @throws DECISION_MISSING if nothing had been decided of the model then */
export function placementMatter(decision: PlacementDecision, pipeline: string): PlacementMatter {
  const question = askWhere(decision);
  const m = question.models.findIndex((model) => model.pipeline === pipeline);
  if (m < 0) throw new SkeinError("DECISION_MISSING", { what: pipeline, kept: LIMITS.decisionsKept });
  const placed = candidate(question, placedIn(question, decision));
  const N = question.nodes.length;
  const memoryLeft = Float64Array.from(question.memory);
  placed.placed.forEach((stands, pair) => {
    if (stands) memoryLeft[pair % N] = memoryLeft[pair % N]! - question.takes[pair]!;
  });
  const at = (i: number): number => m * N + i;
  return { decision, pipeline, question, placed, memoryLeft, at, placedOn: (i) => placed.placed[at(i)] === 1 };
}

function placedIn({ models, nodes }: Question, { replicas }: PlacementDecision): Uint8Array {
  const placed = new Uint8Array(models.length * nodes.length);
  models.forEach((model, m) => {
    const on = new Set(replicas.find(({ pipeline }) => pipeline === model.pipeline)?.nodes);
    nodes.forEach((node, i) => {
      if (on.has(node.nodeId)) placed[m * nodes.length + i] = 1;
    });
  });
  return placed;
}

/** The program whose prices tell what memory is worth: the placement that was asked for, with copies that may be divided. */
export const relaxedProgram = ({ question, placed }: PlacementMatter): PlacementProgram =>
  placementProgram(question, placed, true);

/** Of its demand, what every model that stands somewhere gets at least. */
export const shareOf = ({ served }: Candidate): number =>
  Number.isFinite(served.share) ? Math.max(0, served.share) : 0;

/** By the greedy rule, or as it stood before where that is better still. */
export function best(question: Question): Candidate {
  const found = greedy(question);
  const standing = standingOf(question);
  return standing && !isBetter(found, standing) ? standing : found;
}
