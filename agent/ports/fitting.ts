import type { DatasetView } from "../../shared/fitting/dataset.ts";
import type { FitPart, FitRoundRequest } from "../../shared/fitting/wire.ts";

/** Labelled vectors on this disk, and the rounds of training on them. Rows never leave this room. */
export interface Fitting {
  /** Takes the place of one of that name. @throws BAD_REQUEST with the line, TOO_LARGE, DISK_FULL, FIT_BUSY, FIT_FAILED */
  put(name: string, chunks: AsyncIterable<Uint8Array>): Promise<DatasetView>;
  list(): Promise<DatasetView[]>;
  /** True if it was there. */
  remove(name: string): Promise<boolean>;
  /** One round on the rows of this box, on a thread of its own. @throws DATASET_UNKNOWN, BAD_REQUEST, FIT_BUSY, FIT_FAILED */
  round(request: FitRoundRequest): Promise<FitPart>;
  close(): Promise<void>;
}
