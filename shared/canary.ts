/**
 * The pipeline `canary`: work that costs what it is told to cost and needs no models, for rehearsals and measurements. Its
 * input says how many rounds of SHA-256 to compute over a seed; its output is the last digest, so a result that was not
 * computed cannot be taken for one that was.
 */
import { checkKeys, checkRecord, checkText, checkWhole, refuse } from "./checks.ts";
import { LIMITS } from "./limits.ts";

export interface CanaryInput {
  /** 0: nothing but the hand-over. At most canaryRoundsMax. */
  rounds: number;
  /** Tells items of one cost apart. Its UTF-8 bytes are what is hashed first. */
  seed: string;
}

export interface CanaryOutput {
  version: 1;
  rounds: number;
  /** SHA-256 of the seed, hashed again `rounds` times; hex. */
  digest: string;
}

export const writeCanaryInput = ({ rounds, seed }: CanaryInput): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ rounds, seed }));

/** @throws BAD_REQUEST for anything else than an input as it is written above, to the last key. */
export function readCanaryInput(bytes: Uint8Array): CanaryInput {
  if (bytes.length > LIMITS.canaryInputBytesMax)
    refuse("the input", `must have at most ${LIMITS.canaryInputBytesMax} bytes, not ${bytes.length}`);
  const fields = checkRecord(parse(bytes), "the input");
  checkKeys(fields, "", ["rounds", "seed"]);
  return {
    rounds: checkWhole(fields.rounds, "rounds", 0, LIMITS.canaryRoundsMax),
    seed: checkText(fields.seed, "seed", LIMITS.nameBytesMax, 0),
  };
}

export const writeCanaryOutput = ({ version, rounds, digest }: CanaryOutput): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ version, rounds, digest }));

/** @throws BAD_REQUEST for anything else. */
export function readCanaryOutput(bytes: Uint8Array): CanaryOutput {
  const fields = checkRecord(parse(bytes), "the output");
  if (fields.version !== 1) refuse("version", "must be 1");
  const digest = checkText(fields.digest, "digest", 64);
  if (!/^[0-9a-f]{64}$/.test(digest)) refuse("digest", "must be 64 hex digits");
  return { version: 1, rounds: checkWhole(fields.rounds, "rounds", 0, LIMITS.canaryRoundsMax), digest };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    refuse("a canary", "must be JSON in UTF-8");
  }
}
