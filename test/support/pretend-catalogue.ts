/** The models of a pretend fleet, as its answers tell them. */
import { createHash } from "node:crypto";
import { SkeinError } from "../../shared/errors.ts";
import type { BlobHash, JobId, NodeId } from "../../shared/ids.ts";
import {
  type ModelManifest,
  modelBytes,
  modelReference,
  modelStatement,
  readModelReference,
} from "../../shared/model.ts";
import { graphsOf, modelNameFrom, sortFiles } from "../../shared/model-files.ts";
import type {
  ModelAddRequest,
  ModelAddStep,
  ModelAddView,
  ModelDetail,
  ModelRemoval,
} from "../../shared/model-registry.ts";
import { TINY_EXAMINATION } from "./pretend-trials.ts";

export class PretendCatalogue {
  readonly details = new Map<string, ModelDetail>();
  /** Told before a model is added, one with each call. */
  steps: ModelAddStep[] = [];

  /** @throws BLOB_MISSING, MODEL_EXISTS */
  add(request: ModelAddRequest, blobs: ReadonlyMap<BlobHash, Uint8Array>): ModelAddView {
    const missing = request.files.find(({ blob }) => !blobs.has(blob));
    if (missing) throw new SkeinError("BLOB_MISSING", { hash: missing.blob });
    const step = this.steps.shift();
    if (step) return { step };
    const chosen = graphsOf(request.files);
    const name = request.name ?? modelNameFrom(chosen.graph);
    const version = request.version ?? 1 + this.#versionsOf(name).length;
    const { inputs, outputs, batches } = TINY_EXAMINATION;
    const files = sortFiles(request.files, chosen, new Set());
    this.keep({ name, version, files, inputs, outputs, batches });
    return { step: "added", model: `${name}:${version}`, existing: false };
  }

  keep(manifest: ModelManifest, more: Partial<ModelDetail> = {}): void {
    const { name, version, files, inputs, outputs, batches } = manifest;
    const model = modelReference(manifest);
    if (this.details.has(model)) throw new SkeinError("MODEL_EXISTS", { model });
    this.details.set(model, {
      ...{ model, name, version, bytes: modelBytes(manifest), files: files.length, inputs, outputs, batches },
      digest: createHash("sha256").update(modelStatement(manifest)).digest("hex") as BlobHash,
      ...{ aliases: [], addedBy: "attic", addedAtMs: 1_700_000_000_000, holders: ["attic", "bench"], copies: 2 },
      nodes: [],
      ...{ manifest, jobs: [] },
      ...more,
    });
  }

  /** @throws MODEL_UNKNOWN */
  show(text: string): ModelDetail {
    const { name, tag } = readModelReference(text);
    const versions = this.#versionsOf(name);
    const found = versions.find(({ version, aliases }) =>
      tag === undefined ? true : String(version) === tag || aliases.includes(tag),
    );
    if (!found) throw new SkeinError("MODEL_UNKNOWN", { model: text });
    return found;
  }

  /** @throws MODEL_UNKNOWN, MODEL_WANTED */
  remove(text: string, force: boolean): ModelRemoval {
    const { model, jobs } = this.show(text);
    if (jobs.length > 0 && !force) throw new SkeinError("MODEL_WANTED", { model, jobs });
    this.details.delete(model);
    return { removed: model, cancelled: jobs };
  }

  alias(name: string, alias: string, version: number): { alias: string; version: number } {
    if (version > 0) this.show(`${name}:${version}`);
    for (const one of this.#versionsOf(name))
      one.aliases = [...one.aliases.filter((known) => known !== alias), ...(one.version === version ? [alias] : [])];
    return { alias: `${name}:${alias}`, version };
  }

  #versionsOf(name: string): ModelDetail[] {
    return [...this.details.values()].filter((one) => one.name === name).reverse();
  }
}

/** On two boxes: ready on one, on its way to the other. */
export const standing = (attic: NodeId, bench: NodeId): Pick<ModelDetail, "nodes" | "jobs"> => ({
  jobs: ["job-abc" as JobId],
  nodes: [
    { nodeId: attic, name: "attic", placed: true, state: "ready", bytesHere: 300, itemsPerSecond: 12.5 },
    { nodeId: bench, name: "bench", placed: true, state: "fetching", bytesHere: 100 },
  ],
});
