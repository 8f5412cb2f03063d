import type { BoxView, ProbeResult, ProviderTrial } from "../../shared/box.ts";
import type { Vitals } from "../../shared/capacity.ts";

export interface StorageSpeed {
  /** Median of a small write made durable. */
  fsyncMs: number;
  writeBytesPerSecond?: number;
}

/** Reads the box. */
export interface CapacityProbe {
  probe(): Promise<ProbeResult>;
  /** Cheap enough for every few seconds. */
  vitals(): Promise<Vitals>;
  /**
   * Writes a little to the agent's folder, as often as it takes to tell how fast that is; a lot if `isWhole`. Undefined
   * while the disk is nearly full. @throws what the disk throws
   */
  storageSpeed(isWhole: boolean): Promise<StorageSpeed | undefined>;
  /** Tries each execution provider that the profile names, in processes of their own; none on a box that runs nothing. */
  tryProviders(): Promise<ProviderTrial[]>;
  /** Everything, for people; takes seconds the first time. `providers` and `links` are left to whoever knows them. */
  view(): Promise<BoxView>;
}
