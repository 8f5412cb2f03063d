import { SkeinError } from "../../../shared/errors.ts";
import { loadingBytes, type UnsortedFile } from "../../../shared/model-files.ts";
import type { ModelCheckAnswer } from "../../../shared/model-registry.ts";
import type { Surroundings } from "../surroundings.ts";

export interface Room {
  /** What the box is called, and what models may take on it at all. */
  name: string;
  memoryUsableBytes: number;
}

const sizeText = (bytes: number): string =>
  bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

/** Whether loading these files fits this box, by arithmetic, before anything is read. @throws MODEL_REFUSED with the figures */
export async function checkRoom(
  world: Surroundings,
  { name, memoryUsableBytes }: Room,
  model: string,
  files: readonly UnsortedFile[],
): Promise<ModelCheckAnswer> {
  const memoryNeededBytes = loadingBytes(files);
  const { memoryFreeBytes } = await world.probe.vitals();
  const takes = `loading it takes about ${sizeText(memoryNeededBytes)}, twice its graph and weights`;
  const refuse = (reason: string): never => {
    throw new SkeinError("MODEL_REFUSED", { model, reason, memoryNeededBytes, memoryUsableBytes, memoryFreeBytes });
  };
  if (memoryNeededBytes > memoryUsableBytes)
    refuse(`${takes}, and models may take ${sizeText(memoryUsableBytes)} on ${name}; ask a box with more memory`);
  if (memoryNeededBytes > memoryFreeBytes)
    refuse(`${takes}, and ${sizeText(memoryFreeBytes)} are free on ${name} now; ask again later, or another box`);
  return { memoryNeededBytes, memoryHereBytes: Math.min(memoryUsableBytes, memoryFreeBytes) };
}
