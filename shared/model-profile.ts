/** What one box does with one model, as measured there: the figures that a plan stands on. */
import { checkList, checkNumber, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "./checks.ts";
import { type BlobHash, isBlobHash } from "./ids.ts";
import { LIMITS } from "./limits.ts";

/** Batches that are measured, as far as the model takes them. */
export const PROFILED_BATCHES = [1, 2, 4, 8, 16, 32] as const;

export interface ModelProfile {
  /** The model's pipeline, `name:version`, or one of those that come with the agent. */
  pipeline: string;
  /** Of what it runs. */
  digest: BlobHash;
  /** Milliseconds of one run with so many items on one executor, all executors busy; ascending by items. */
  runs: { items: number; ms: number }[];
  /** Milliseconds from a file on the disk to a session. */
  loadMs: number;
  /** Milliseconds of the first run, which is slower. */
  firstRunMs: number;
  /** Of one executor, what this model adds to it: at the most while it loads and first runs, and settled after. */
  memoryPeakBytes: number;
  memorySettledBytes: number;
  /** Where the energy can be read (Intel RAPL, a board's power sensor). */
  joulesPerItem?: number;
  /** How far real runs were from what was foreseen for them, as a part of it, lately. Absent before the first. */
  predictionError?: number;
  /** Measured here; or taken from a box of the same class until it is. */
  source: "measured" | "class";
}

/** The batch with the most items a second; the smaller of equals. */
export function bestBatch({ runs }: Pick<ModelProfile, "runs">): number {
  let best = { items: 1, perSecond: 0 };
  for (const { items, ms } of runs) {
    const perSecond = items / ms;
    // Two hundredths are within the noise, and a larger batch makes everyone in it wait.
    if (perSecond > best.perSecond * 1.02) best = { items, perSecond };
  }
  return best.items;
}

/** @throws BAD_REQUEST */
export function checkModelProfile(value: unknown, at: string): ModelProfile {
  const profile = checkRecord(value, at);
  if (!isBlobHash(profile.digest)) refuse(`${at}.digest`, "must be a SHA-256 in 64 small hex digits");
  const ms = (key: "loadMs" | "firstRunMs"): number => checkNumber(profile[key], `${at}.${key}`, 0, 1e9);
  const bytes = (key: "memoryPeakBytes" | "memorySettledBytes"): number =>
    checkWhole(profile[key], `${at}.${key}`, 0, 2 ** 50);
  const joulesPerItem = profile.joulesPerItem ?? undefined;
  const predictionError = profile.predictionError ?? undefined;
  return {
    pipeline: checkText(profile.pipeline, `${at}.pipeline`, LIMITS.nameBytesMax),
    digest: profile.digest,
    runs: checkList(profile.runs, `${at}.runs`, 32, (one, path) => {
      const run = checkRecord(one, path);
      return {
        items: checkWhole(run.items, `${path}.items`, 1, 1_024),
        ms: checkNumber(run.ms, `${path}.ms`, 1e-6, 1e9),
      };
    }),
    loadMs: ms("loadMs"),
    firstRunMs: ms("firstRunMs"),
    memoryPeakBytes: bytes("memoryPeakBytes"),
    memorySettledBytes: bytes("memorySettledBytes"),
    ...(joulesPerItem !== undefined && { joulesPerItem: checkNumber(joulesPerItem, `${at}.joulesPerItem`, 0, 1e9) }),
    ...(predictionError !== undefined && {
      predictionError: checkNumber(predictionError, `${at}.predictionError`, 0, 1e9),
    }),
    source: checkOneOf(profile.source, `${at}.source`, ["measured", "class"]),
  };
}
