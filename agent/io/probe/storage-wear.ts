import type { Findings } from "./findings.ts";
import type { Root } from "./root.ts";

/** Sectors of /sys/block/DISK/stat are of this size whatever the disk's own are (Documentation/block/stat.rst). */
const SECTOR_BYTES = 512;
/** Field "write sectors", counted from 0. */
const WRITE_SECTORS = 6;
const DAY_S = 86_400;

/** What was written to a disk a day, since the box was started; undefined within its first day, which tells of the installation. */
export function writtenBytesPerDay(root: Root, disk: string): number | undefined {
  const upS = Number(root.text("/proc/uptime")?.split(" ")[0]);
  const sectors = Number(root.text(`/sys/block/${disk}/stat`)?.trim().split(/\s+/)[WRITE_SECTORS]);
  if (!(upS >= DAY_S) || !Number.isSafeInteger(sectors)) return undefined;
  return Math.round((sectors * SECTOR_BYTES * DAY_S) / upS);
}

export function noteWear(findings: Findings, root: Root, disk: string | undefined): void {
  const bytes = disk === undefined ? undefined : writtenBytesPerDay(root, disk);
  if (bytes !== undefined) findings.note("storage.writtenPerDayBytes", bytes, `/sys/block/${disk}/stat, /proc/uptime`);
}
