import type { HardwareFacts } from "../../../shared/capacity.ts";
import { TIMING } from "../../../shared/limits.ts";
import type { SessionChoice } from "../../../shared/session-choice.ts";
import type { Trial } from "../../ports/index.ts";
import type { Surroundings } from "../surroundings.ts";
import type { Subject } from "./subjects.ts";

/** A model run in one way for so long, within what this box can spare now. */
export async function trialOf(
  world: Surroundings,
  hardware: HardwareFacts,
  { graph, int8, shapes }: Subject,
  choice: SessionChoice,
  runMs: number,
): Promise<Trial> {
  return {
    graph: choice.variant === "int8" && int8 ? int8 : graph,
    ...(shapes && { shapes }),
    choice,
    runMs,
    memoryBytesMax: await trialMemoryBytes(world, hardware, choice.executors),
    deadlineMs: TIMING.trialMs,
  };
}

/** Half of what is free stays free; of what inference may use, each executor has its part. */
async function trialMemoryBytes(
  world: Surroundings,
  { memoryUsableBytes }: HardwareFacts,
  executors: number,
): Promise<number> {
  const { memoryFreeBytes } = await world.probe.vitals();
  return Math.floor(Math.min(memoryUsableBytes, memoryFreeBytes / 2) / executors);
}
