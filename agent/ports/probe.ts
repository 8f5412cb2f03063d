import type { BoxView, OtherProfile, ProviderTrial, RefusedProfile } from "../../shared/box.ts";
import type { HardwareFacts, Vitals } from "../../shared/capacity.ts";
import type { FirmwareProfile } from "../../shared/profile.ts";

export interface ProbeResult {
  facts: HardwareFacts;
  profile: FirmwareProfile;
  /** Why this profile, in a sentence. */
  reason: string;
  /** Those that came next. */
  others: OtherProfile[];
  /** Files of the user's own that were left out. */
  profilesRefused: RefusedProfile[];
  /** Executors to start by default on this box. */
  executors: number;
  /** Why this box can run no inference at all, in a sentence; absent if it can. */
  runsNothing?: string;
}

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
