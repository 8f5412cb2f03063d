import type { Fitting } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import { type DatasetRow, type DatasetView, datasetView, readRow } from "../../shared/fitting/dataset.ts";
import { fitPart, fitRows } from "../../shared/fitting/part.ts";
import type { FitPart, FitRoundRequest } from "../../shared/fitting/wire.ts";

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
    return datasetView(name, rows);
  }

  async list(): Promise<DatasetView[]> {
    return [...this.#sets].map(([name, rows]) => datasetView(name, rows));
  }

  async remove(name: string): Promise<boolean> {
    return this.#sets.delete(name);
  }

  async round(request: FitRoundRequest): Promise<FitPart> {
    const { dataset } = request;
    const all = this.#sets.get(dataset);
    if (!all) throw new SkeinError("DATASET_UNKNOWN", { dataset });
    this.onRound();
    return fitPart(request, fitRows(all, request.labels, request.dimensions));
  }

  async close(): Promise<void> {}
}
