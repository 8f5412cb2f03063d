import { canonicalJson } from "../../../shared/canonical-json.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";
import type { ModelFile } from "../../../shared/model.ts";
import type { Examination, Trials } from "../../ports/index.ts";
import type { Surroundings } from "../surroundings.ts";

export type Examined = Pick<Examination, "inputs" | "outputs" | "batches">;

/** @throws BAD_REQUEST on a box that runs no models */
export function trialsOf({ trials }: Surroundings): Trials {
  if (trials) return trials;
  throw new SkeinError("BAD_REQUEST", { reason: "this box runs no models, so it cannot examine one; ask another" });
}

/** @throws BLOB_HASH_MISMATCH, DISK_FULL */
export const placeFiles = (world: Surroundings, digest: BlobHash, files: readonly ModelFile[]): Promise<string> =>
  world.models.place(
    digest,
    files.map(({ path, blob, bytes }) => ({ path, sha256: blob, bytes, read: () => world.blobs.stream(blob) })),
  );

/**
 * What the model takes and gives, by running its graph, and its int8 variant, which must be the same to whoever uses it.
 * @throws MODEL_REFUSED
 */
export async function examine(
  trials: Trials,
  model: string,
  folder: string,
  graphs: readonly ModelFile[],
  memoryBytesMax: number,
): Promise<Examined> {
  let first: Examined | undefined;
  for (const { path, use } of graphs) {
    const found = await trials
      .examine({ folder, path }, { memoryBytesMax, deadlineMs: TIMING.modelExamineMs })
      .catch((error: unknown) => {
        throw named(SkeinError.from(error), model);
      });
    const { inputs, outputs, batches } = found;
    if (first && canonicalJson([inputs, outputs]) !== canonicalJson([first.inputs, first.outputs]))
      throw new SkeinError("MODEL_REFUSED", {
        model,
        reason: `${path} (${use}) takes or gives other tensors than the graph does`,
      });
    first = { inputs, outputs, batches: batches && (first?.batches ?? true) };
  }
  return first!;
}

/** Whoever tries a graph out knows its file only. */
const named = (error: SkeinError, model: string): SkeinError =>
  error.code === "MODEL_REFUSED" ? new SkeinError("MODEL_REFUSED", { ...error.facts, model }, { cause: error }) : error;
