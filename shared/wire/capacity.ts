import { type CapacityReport, checkCapacityReport } from "../capacity.ts";
import { checkVersion, codec } from "./codec.ts";

const VERSION = 1;
const report = codec("CapacityReport");

export const encodeCapacityReport = (value: CapacityReport): Uint8Array =>
  report.encode({ version: VERSION, ...value });

/** @throws FRAME_INVALID, BAD_REQUEST */
export function decodeCapacityReport(bytes: Uint8Array): CapacityReport {
  const { version, ...fields } = report.decode(bytes);
  checkVersion({ version }, VERSION, "capacity report");
  return checkCapacityReport(fields);
}
