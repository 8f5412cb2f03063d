/** The rounds of a fit, from this terminal through whichever agent answers: what is learned is kept here between rounds, so no box is needed for the next. */
import { DECAYS, keepBest, LEARNING_RATES, rungsFor } from "../../../shared/fitting/halving.ts";
import { type HeadShape, type Score, weightsLength } from "../../../shared/fitting/head.ts";
import { beginFit, type FitState, type FitTerms, takeMean, weightedMean } from "../../../shared/fitting/rounds.ts";
import { type FitRoundAnswer, type FitRoundRequest, readWeights, writeWeights } from "../../../shared/fitting/wire.ts";

export interface FitWish {
  dataset: string;
  labels: string[];
  dimensions: number;
  /** Of the candidate that is taken, all rungs together. */
  rounds: number;
  /** What is not searched for. */
  terms: Pick<FitTerms, "optimiser" | "localEpochs" | "batchRows" | "seed">;
  learningRate?: number;
  l2?: number;
}

export interface Candidate {
  terms: FitTerms;
  state: FitState;
  /** How its weights scored before its last round, over all boxes. */
  trained: Score;
  heldOut: Score;
}

export interface RungTold {
  rounds: number;
  candidates: { learningRate: number; l2: number; loss: number; accuracy: number }[];
}

export interface FitEnd {
  best: Candidate;
  rungs: RungTold[];
  /** By box: rounds that went on without it, and the last reason. */
  missed: Map<string, { rounds: number; reason: string }>;
  /** Boxes whose rows were learned from, with how many. */
  rows: Map<string, number>;
}

type Ask = (request: FitRoundRequest) => Promise<FitRoundAnswer>;

const NOTHING: Score = { rows: 0, loss: 0, right: 0 };

export class Rounds {
  readonly #wish: FitWish;
  readonly #ask: Ask;
  readonly #tell: (rung: RungTold) => void;
  readonly #missed: FitEnd["missed"] = new Map();
  readonly #rows: FitEnd["rows"] = new Map();

  constructor(wish: FitWish, ask: Ask, tell: (rung: RungTold) => void) {
    this.#wish = wish;
    this.#ask = ask;
    this.#tell = tell;
  }

  /** @throws what the fleet answers when a round cannot be made at all */
  async run(): Promise<FitEnd> {
    let candidates = this.#candidates();
    const rungs: RungTold[] = [];
    const planned = rungsFor(candidates.length, this.#wish.rounds);
    for (const [i, { rounds }] of planned.entries()) {
      while (candidates[0]!.state.steps < rounds)
        candidates = await Promise.all(candidates.map((one) => this.#step(one)));
      // How the weights that came of the last round score is known only of a further one.
      candidates = await Promise.all(candidates.map((one) => this.#scored(one)));
      rungs.push(told(rounds, candidates));
      this.#tell(rungs.at(-1)!);
      const next = planned[i + 1];
      if (next) candidates = keepBest(candidates, lossOf, next.candidates);
    }
    return { best: keepBest(candidates, lossOf, 1)[0]!, rungs, missed: this.#missed, rows: this.#rows };
  }

  #candidates(): Candidate[] {
    const { terms, learningRate, l2 } = this.#wish;
    const rates = learningRate === undefined ? LEARNING_RATES[terms.optimiser] : [learningRate];
    const decays = l2 === undefined ? DECAYS : [l2];
    return rates.flatMap((rate) =>
      decays.map((decay) => ({
        terms: { ...terms, learningRate: rate, l2: decay },
        state: beginFit(weightsLength(this.#shape)),
        trained: NOTHING,
        heldOut: NOTHING,
      })),
    );
  }

  get #shape(): HeadShape {
    return { dimensions: this.#wish.dimensions, classes: this.#wish.labels.length };
  }

  async #step(candidate: Candidate): Promise<Candidate> {
    const { parts, ...scores } = await this.#round(candidate);
    const useful = parts.filter(({ trained }) => trained.rows > 0);
    const values = useful.map((part) => ({ values: readWeights(part.values, this.#shape), rows: part.trained.rows }));
    const state = takeMean(this.#shape, candidate.terms, candidate.state, weightedMean(values));
    return { ...candidate, ...scores, state };
  }

  async #scored(candidate: Candidate): Promise<Candidate> {
    const { trained, heldOut } = await this.#round(candidate);
    return { ...candidate, trained, heldOut };
  }

  async #round({ terms, state }: Candidate): Promise<FitRoundAnswer & Pick<Candidate, "trained" | "heldOut">> {
    const { dataset, labels, dimensions } = this.#wish;
    const weights = writeWeights(state.weights);
    const answer = await this.#ask({ dataset, labels, dimensions, round: state.steps, terms, weights });
    for (const { node, reason } of answer.missing)
      this.#missed.set(node, { rounds: (this.#missed.get(node)?.rounds ?? 0) + 1, reason });
    for (const { node, trained, heldOut } of answer.parts) this.#rows.set(node, trained.rows + heldOut.rows);
    const sum = (pick: "trained" | "heldOut"): Score => sumOf(answer.parts.map((part) => part[pick]));
    return { ...answer, trained: sum("trained"), heldOut: sum("heldOut") };
  }
}

const sumOf = (scores: readonly Score[]): Score =>
  scores.reduce((a, b) => ({ rows: a.rows + b.rows, loss: a.loss + b.loss, right: a.right + b.right }), NOTHING);

/** Of rows held out; of those learned from where none is. */
export const judged = ({ heldOut, trained }: Candidate): Score => (heldOut.rows > 0 ? heldOut : trained);
const lossOf = (candidate: Candidate): number => judged(candidate).loss / judged(candidate).rows;

const told = (rounds: number, candidates: readonly Candidate[]): RungTold => ({
  rounds,
  candidates: candidates.map((one) => ({
    learningRate: one.terms.learningRate,
    l2: one.terms.l2,
    loss: lossOf(one),
    accuracy: judged(one).right / judged(one).rows,
  })),
});
