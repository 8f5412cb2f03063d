import type { HardwareFacts } from "../../../shared/capacity.ts";
import type { Surroundings } from "../surroundings.ts";

/** Half of what is free stays free; of what inference may use, each executor has its part. */
export async function trialMemoryBytes(
  world: Surroundings,
  { memoryUsableBytes }: HardwareFacts,
  executors: number,
): Promise<number> {
  const { memoryFreeBytes } = await world.probe.vitals();
  return Math.floor(Math.min(memoryUsableBytes, memoryFreeBytes / 2) / executors);
}
