import type { Fitting } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import { type DatasetRow, type DatasetView, readRow, rowsOf } from "../../shared/fitting/dataset.ts";
import { score } from "../../shared/fitting/head.ts";
import { localRound } from "../../shared/fitting/rounds.ts";
import { type FitPart, type FitRoundRequest, readWeights, writeWeights } from "../../shared/fitting/wire.ts";

/** Data sets in memory, and rounds at once. */
export class PretendFitting implements Fitting {
  readonly #sets = new Map<string, DatasetRow[]>();
  /** Called when a round is asked, before it is answered. */
  onRound: () => void = () => {};

  async put(name: string, chunks: AsyncIterable<Uint8Array>): Promise<DatasetView> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    return this.putLines(name, Buffer.concat(parts).toString().trim().split("\n"));
  }

  putLines(name: string, lines: readonly string[]): DatasetView {
    const rows = lines.map((line, i) => readRow(line, i + 1));
    this.#sets.set(name, rows);
    return viewOf(name, rows);
  }

  async list(): Promise<DatasetView[]> {
    return [...this.#sets].map(([name, rows]) => viewOf(name, rows));
  }

  async remove(name: string): Promise<boolean> {
    return this.#sets.delete(name);
  }

  async round({ dataset, labels, dimensions, terms, round, weights: text }: FitRoundRequest): Promise<FitPart> {
    const all = this.#sets.get(dataset);
    if (!all) throw new SkeinError("DATASET_UNKNOWN", { dataset });
    this.onRound();
    const shape = { dimensions, classes: labels.length };
    const weights = readWeights(text, shape);
    const some = (isHeldOut: boolean) =>
      rowsOf(
        all.filter((row) => row.isHeldOut === isHeldOut),
        labels,
        dimensions,
      );
    return {
      values: writeWeights(localRound(shape, terms, weights, some(false), round)),
      trained: score(shape, weights, some(false)),
      heldOut: score(shape, weights, some(true)),
    };
  }

  async close(): Promise<void> {}
}

const viewOf = (name: string, rows: readonly DatasetRow[]): DatasetView => ({
  name,
  rows: rows.length,
  dimensions: rows[0]!.vector.length,
  labels: [...new Set(rows.map(({ label }) => label))].sort(),
});
