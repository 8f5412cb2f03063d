/** What one box makes of a round: the same on its thread and wherever a box is pretended. */
import { SkeinError } from "../errors.ts";
import { type DatasetRow, rowsOf } from "./dataset.ts";
import { type Rows, score } from "./head.ts";
import { localRound } from "./rounds.ts";
import { type FitPart, type FitRoundRequest, readWeights, writeWeights } from "./wire.ts";

export interface FitRows {
  training: Rows;
  heldOut: Rows;
}

/** @throws BAD_REQUEST where vectors have another length */
export function fitRows(rows: readonly DatasetRow[], labels: readonly string[], dimensions: number): FitRows {
  const has = rows[0]!.vector.length;
  if (has !== dimensions)
    throw new SkeinError("BAD_REQUEST", { reason: `its vectors have ${has} numbers, not ${dimensions}` });
  const some = (isHeldOut: boolean): Rows =>
    rowsOf(
      rows.filter((row) => row.isHeldOut === isHeldOut),
      labels,
      dimensions,
    );
  return { training: some(false), heldOut: some(true) };
}

/** @throws BAD_REQUEST */
export function fitPart(request: FitRoundRequest, { training, heldOut }: FitRows): FitPart {
  const { labels, dimensions, terms, round } = request;
  const shape = { dimensions, classes: labels.length };
  const weights = readWeights(request.weights, shape);
  const trained = score(shape, weights, training);
  // Of no row there is no mean; its part counts for nothing.
  const values = trained.rows === 0 ? weights : localRound(shape, terms, weights, training, round);
  return { values: writeWeights(values), trained, heldOut: score(shape, weights, heldOut) };
}
