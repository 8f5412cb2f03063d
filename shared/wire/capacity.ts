import { type CapacityReport, checkCapacityReport } from "../capacity.ts";
import { checkVersion, codec, type Fields, hashFromBytes, hashToBytes } from "./codec.ts";

const VERSION = 1;
const report = codec("CapacityReport");

export function encodeCapacityReport(value: CapacityReport): Uint8Array {
  const profiles = value.profiles?.map((profile) => ({ ...profile, digest: hashToBytes(profile.digest) }));
  return report.encode({ version: VERSION, ...value, ...(profiles && { profiles }) });
}

/** @throws FRAME_INVALID, BAD_REQUEST */
export function decodeCapacityReport(bytes: Uint8Array): CapacityReport {
  const { version, ...fields } = report.decode(bytes);
  checkVersion({ version }, VERSION, "capacity report");
  const profiles = (fields.profiles as Fields[]).map((profile) => ({
    ...profile,
    digest: hashFromBytes(profile.digest, "digest"),
  }));
  return checkCapacityReport({ ...fields, profiles });
}
