import type { HardwareFacts, Vitals } from "../../shared/capacity.ts";
import type { FirmwareProfile } from "../../shared/profile.ts";

export interface ProbeResult {
  facts: HardwareFacts;
  profile: FirmwareProfile;
  /** Why this profile, in a sentence. */
  reason: string;
  /** Executors to start by default on this box. */
  executors: number;
}

/** Reads the box. */
export interface CapacityProbe {
  probe(): Promise<ProbeResult>;
  /** Cheap enough for every few seconds. */
  vitals(): Promise<Vitals>;
}
