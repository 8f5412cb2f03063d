/** What one box found out about itself, for people and as JSON: `skein probe`, `GET /v1/probe`. */
import type { HardwareFacts, Vitals } from "./capacity.ts";
import type { NodeId } from "./ids.ts";
import type { FirmwareProfile } from "./profile.ts";

/** One thing that was found. */
export interface Finding {
  /** Noun with its place first and unit last, e.g. `cpu.frequencyMaxMHz`, `memory.availableBytes`, `accelerator.nvidia`. */
  what: string;
  value: string | number | boolean;
  /** The file, or the tool, it was read from. */
  from: string;
}

/** One thing that was looked for and is not there, or cannot be read. */
export interface NotFound {
  what: string;
  lookedAt: string[];
}

/** Whether an execution provider of onnxruntime made a session here and ran it. */
export interface ProviderTrial {
  name: string;
  works: boolean;
  /** What it ran in how long, or why not. */
  reason: string;
}

/** The link to one other node, as measured from here. */
export interface LinkFigures {
  nodeId: NodeId;
  name: string;
  state: "up" | "suspect" | "down";
  rttMs?: number;
  bytesPerSecond?: number;
  /** Where the last figure of the speed came from: blobs that were fetched anyway, or a question asked for it. */
  from?: "transfers" | "probe";
}

/** A profile that was not taken. */
export interface OtherProfile {
  name: string;
  priority: number;
  /** Why it fits too, or knows this box. */
  reason: string;
  /** What it is for and this box is not; absent if it would fit. */
  hindrance?: string;
}

/** A file of the user's own that is no profile. */
export interface RefusedProfile {
  file: string;
  /** The field, and what was meant. */
  reason: string;
}

/** What a box is, as read when its agent starts, and what it is taken for. */
export interface ProbeResult {
  facts: HardwareFacts;
  /** The one that matched, or was chosen. */
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

export interface BoxView extends ProbeResult {
  /** Of this moment. */
  vitals: Vitals;
  /** In a fixed order, by part of the box. */
  found: Finding[];
  missing: NotFound[];
  /** Absent: not tried here (yet). */
  providers?: ProviderTrial[];
  /** Of the agent that runs here; absent without one. */
  links?: LinkFigures[];
}
