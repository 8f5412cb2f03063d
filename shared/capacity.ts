import type { NodeId } from "./ids.ts";

/** What does not change while the agent runs. */
export interface HardwareFacts {
  /** Name of the firmware profile that matched, e.g. `raspberry-pi-5`. */
  profile: string;
  /** What the board or machine calls itself. */
  model: string;
  cpuModel: string;
  cores: number;
  /** `x64` or `arm64`. */
  arch: string;
  memoryTotalBytes: number;
  /** What inference may use of it, by the profile. */
  memoryUsableBytes: number;
}

/** What changes while the agent runs. */
export interface Vitals {
  memoryFreeBytes: number;
  diskFreeBytes: number;
  /** Load of all cores together, 0 to 1. */
  cpuLoad: number;
  /** Hottest zone; absent where there is no sensor. */
  temperatureC?: number;
  /** True once the hottest zone is at or over the profile's throttling limit. */
  throttled: boolean;
}

/** Measured speed of one pipeline on one node. */
export interface PipelineRate {
  pipeline: string;
  /** All executors together. */
  itemsPerSecond: number;
  /** Where the figure comes from: a run of calibration at start, or the work done since. */
  source: "calibration" | "work";
}

/** What one node says it can do. Gossiped, signed by gossipsub under the node's key; idempotent; facts only. */
export interface CapacityReport {
  nodeId: NodeId;
  name: string;
  agentVersion: string;
  /** Milliseconds since 1970 at which this life of the agent began: a report of a later life always wins. */
  startedAtMs: number;
  /** Counts up within a life; the larger wins. */
  sequence: number;
  hardware: HardwareFacts;
  vitals: Vitals;
  executors: number;
  rates: PipelineRate[];
  /** Items this node has been leased and has not reported. */
  itemsQueued: number;
  /** Where this node's API listens, for people; empty if it is on loopback only. */
  apiUrl: string;
}
