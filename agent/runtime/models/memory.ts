import { SkeinError } from "../../../shared/errors.ts";
import type { ModelManifest } from "../../../shared/model.ts";
import { loadingBytes } from "../../../shared/model-files.ts";
import type { ModelProfile } from "../../../shared/model-profile.ts";
import { plainChoice, type SessionChoice } from "../../../shared/session-choice.ts";
import type { Surroundings } from "../surroundings.ts";

export interface ToLoad {
  pipeline: string;
  manifest: ModelManifest;
  choice: SessionChoice;
  /** As measured here, or on a box of this class. */
  profile?: ModelProfile;
}

/** Unless a search on this box found a better one: the engine looks that up. */
export const choiceFor = (executors: number): SessionChoice => plainChoice(Math.max(1, executors));

/** What a session keeps of what it took at its peak (measured: 211 MB of 334 MB). */
const SETTLED_SHARE = 0.63;

/** Executors load one after the other: the last one is at its peak when the others have settled. */
function peakBytes({ manifest, choice, profile }: ToLoad): number {
  const peak = profile?.memoryPeakBytes ?? loadingBytes(manifest.files);
  return peak + (choice.executors - 1) * (profile?.memorySettledBytes ?? SETTLED_SHARE * peak);
}

/** @throws MODEL_INVALID with the figures while there is not the memory to load it */
export async function checkMemory(world: Surroundings, model: ToLoad): Promise<void> {
  const { pipeline } = model;
  if (world.engine.executors === 0)
    throw new SkeinError("MODEL_INVALID", { model: pipeline, reason: "this node runs no inference" });
  const neededBytes = peakBytes(model);
  const { memoryFreeBytes } = await world.probe.vitals();
  if (neededBytes <= memoryFreeBytes) return;
  const reason = `it takes up to ${megabytes(neededBytes)} while it loads, and ${megabytes(memoryFreeBytes)} are free`;
  throw new SkeinError("MODEL_INVALID", { model: pipeline, reason });
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
