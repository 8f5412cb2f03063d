import type { CapacityReport } from "../../../shared/capacity.ts";
import { decodeCapacityReport } from "../../../shared/wire/capacity.ts";

const read = new WeakMap<Uint8Array, CapacityReport>();

/**
 * The same bytes reach every box of the fleet, and all of them are in this process: they are decoded and checked at the
 * first. Frozen, so that no box can change what another believes.
 */
export function readReportOnce(bytes: Uint8Array): CapacityReport {
  const known = read.get(bytes);
  if (known) return known;
  const report = decodeCapacityReport(bytes);
  for (const part of [report, report.hardware, report.vitals, report.rates, ...report.rates]) Object.freeze(part);
  read.set(bytes, report);
  return report;
}
