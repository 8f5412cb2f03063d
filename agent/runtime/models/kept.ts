import type { ModelState } from "../../../shared/capacity.ts";
import type { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { type ModelManifest, modelBytes, modelReference, modelStatement } from "../../../shared/model.ts";
import type { WantedModel } from "../../../shared/wanted-models.ts";
import type { Surroundings } from "../surroundings.ts";

/** A model that is wanted on this node, or is still loaded though it is not. */
export class KeptModel {
  readonly pipeline: string;
  readonly manifest: ModelManifest;
  readonly digest: BlobHash;
  readonly bytes: number;
  /** Who may have its files. */
  from: readonly NodeId[] = [];
  /** From 0 to 1: this node's place among those that fetch it. */
  place = 0;
  isWanted = true;
  isLoaded = false;
  state: ModelState["state"] = "fetching";
  reason: string | undefined;
  /** Of its files, as far as they are here. */
  bytesHere = 0;
  /** Only room that another model gives free helps it. */
  lacksMemory = false;
  retryAtMs = 0;
  #failures = 0;

  constructor(wanted: WantedModel, sha256: Surroundings["sha256"]) {
    this.manifest = wanted.manifest;
    this.pipeline = modelReference(wanted.manifest);
    this.digest = sha256(modelStatement(wanted.manifest));
    this.bytes = modelBytes(wanted.manifest);
  }

  heard({ holders, siblings }: Pick<WantedModel, "holders" | "siblings">, self: NodeId): void {
    const before = siblings.filter((sibling) => sibling < self).length;
    this.place = before / (siblings.length + 1);
    // Of many siblings each node watches others, so that what one has is known to some of the rest.
    this.from = [...holders, ...siblings.slice(before), ...siblings.slice(0, before)];
  }

  get isReady(): boolean {
    return this.state === "ready";
  }

  begin(state: "fetching" | "loading" | "ready"): void {
    this.state = state;
    this.reason = undefined;
    this.lacksMemory = false;
    if (state === "ready") this.#failures = 0;
  }

  failed(error: SkeinError, nowMs: number): void {
    this.state = "failed";
    this.reason = cut(error.message);
    this.retryAtMs = nowMs + Math.min(TIMING.modelRetryMs * 2 ** this.#failures, TIMING.modelRetryMaxMs);
    this.#failures++;
  }

  /** What it failed of may be over. */
  hurry(): void {
    this.#failures = 0;
    this.retryAtMs = 0;
  }

  view(bytesComing: number): ModelState {
    const { pipeline, state, reason } = this;
    const bytesHere = Math.min(this.bytes, this.bytesHere + bytesComing);
    return { pipeline, state, ...(reason !== undefined && { reason }), bytesHere };
  }
}

/** As many characters as fit: a reason travels in every report. */
function cut(text: string): string {
  let short = text.slice(0, LIMITS.becauseBytesMax);
  while (new TextEncoder().encode(short).length > LIMITS.becauseBytesMax) short = short.slice(0, -1);
  return short;
}
