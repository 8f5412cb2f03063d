import type { StorageKind } from "./capacity.ts";

/** A firmware profile: what cannot be measured about a class of device, and how to recognise it. One JSON file each in firmware-profiles/. */
export interface FirmwareProfile {
  name: string;
  title: string;
  /**
   * Any one pattern that matches is enough; a pattern is a case-insensitive regular expression. The rest are conditions,
   * and all of them must hold. Generic profiles match on arch alone.
   */
  recognise: {
    deviceTree?: string[];
    dmi?: string[];
    cpu?: string[];
    /** Whether the system runs inside a virtual machine. */
    virtual?: boolean;
    /** Whether the box calls itself a laptop, notebook, tablet or the like (DMI chassis type). */
    portable?: boolean;
    /** `any` is either of those that onnxruntime is made for. */
    arch: (typeof PROFILE_ARCHES)[number];
  };
  /** Larger wins when several match. */
  priority: number;
  /** Cores that boxes of the class have, where all have the same: fewer that are found want an explanation. */
  cores?: number;
  /** Share of total memory that inference may use, 0 to 1. */
  memoryUsableShare: number;
  /** The memory sizes the class is sold with, and what is different with one. */
  variants?: ProfileVariant[];
  executors: {
    /** Cores left for the agent and the system. */
    coresReserved: number;
    /** 0: boxes of this class can run no inference; they vote, hold copies and answer clients. */
    max: number;
  };
  thermal: {
    /** Shed work from here. */
    warnC: number;
    /** The device slows itself from here. */
    throttleC: number;
    /** What it takes to stay below that with all cores busy. */
    cooling: (typeof COOLINGS)[number];
  };
  power?: {
    /** What it must be fed with, for people. */
    supply?: string;
    /** The whole box with all cores busy; where it has modes, each has its own. */
    fullLoadWatts?: number;
    modes?: PowerMode[];
    /** The mode all other figures of this profile are for. */
    assumes?: string;
  };
  storage?: {
    /** What the agent's folder usually lies on in this class. */
    usual: StorageKind;
    /** More than this, every day for years, wears it out early. */
    writeBytesPerDayMax: number;
  };
  /** onnxruntime execution providers to try, in order; none where no inference is run. */
  providers: string[];
  /** What a user should know, a sentence each. */
  notes: string[];
  /** JSON path of a figure above → where it comes from. */
  sources: Record<string, string>;
}

export interface ProfileVariant {
  /** As sold; the system sees a little less. */
  memoryBytes: number;
  memoryUsableShare?: number;
  cores?: number;
}

export interface PowerMode {
  name: string;
  /** What the mode limits the module to, at full load. */
  watts: number;
  /** How to get there: a command, for people. */
  switch?: string;
}

export const PROFILE_ARCHES = ["x64", "arm64", "arm", "any"] as const;
export const COOLINGS = ["none", "heatsink", "fan"] as const;

/** Execution providers by the names onnxruntime gives them. */
export const PROVIDERS = ["cpu", "cuda", "tensorrt", "dml", "webgpu", "coreml", "qnn", "xnnpack"] as const;

/** Every figure that a source must be named for in any profile. */
export const PROFILE_FIGURES = [
  "memoryUsableShare",
  "executors.coresReserved",
  "executors.max",
  "thermal.warnC",
  "thermal.throttleC",
  "thermal.cooling",
  "providers",
] as const;

/** And these, in a profile that has them. */
export const OPTIONAL_FIGURES = ["cores", "variants", "power", "storage"] as const;

/**
 * The profile as it holds for one box: with the figures of its variant. What the system sees of a memory size is up to
 * 30 % less, since graphics memory and firmware take their part (a Raspberry Pi Zero 2 W shows 427 MiB of 512).
 */
export function profileForMemory(profile: FirmwareProfile, memoryBytes: number): FirmwareProfile {
  const variant = variantFor(profile, memoryBytes);
  if (!variant) return profile;
  const { cores = profile.cores, memoryUsableShare = profile.memoryUsableShare } = variant;
  return { ...profile, memoryUsableShare, ...(cores === undefined ? {} : { cores }) };
}

export const variantFor = ({ variants = [] }: FirmwareProfile, memoryBytes: number): ProfileVariant | undefined =>
  variants.find((variant) => memoryBytes <= 1.02 * variant.memoryBytes && memoryBytes >= 0.7 * variant.memoryBytes);
