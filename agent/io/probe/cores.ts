import { availableParallelism } from "node:os";
import { cgroupCores } from "./cgroup.ts";
import type { Findings } from "./findings.ts";
import type { Root } from "./root.ts";

/** How many CPUs there are for this process, and what keeps the rest away. */
export interface CoreCounts {
  /** Usable here: the least of all below, at least 1. */
  usable: number;
  /** Switched on. */
  online: number;
  /** Switched off, as power modes do. */
  offline?: number;
  /** By the affinity of this process. */
  allowed?: number;
  /** Whole cores that the CPU quota of its cgroups is worth. */
  quota?: number;
}

export function coresOf(root: Root): CoreCounts {
  const online = root.text("/proc/cpuinfo")?.match(/^processor\s*:/gm)?.length ?? availableParallelism();
  const present = cpuListLength(root.text("/sys/devices/system/cpu/present")?.trim());
  const allowed = cpuListLength(root.text("/proc/self/status")?.match(/^Cpus_allowed_list:\s*(\S+)$/m)?.[1]);
  const quota = cgroupCores(root);
  return {
    usable: Math.max(1, Math.min(online, allowed ?? online, quota ?? online)),
    online,
    ...(present !== undefined && present > online && { offline: present - online }),
    ...(allowed !== undefined && { allowed }),
    ...(quota !== undefined && { quota }),
  };
}

/** `0-3,6` is five CPUs; undefined for what is no such list. */
function cpuListLength(list: string | undefined): number | undefined {
  if (list === undefined || !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list)) return undefined;
  return list.split(",").reduce((sum, range) => {
    const [first, last] = range.split("-").map(Number);
    return sum + (last ?? first!) - first! + 1;
  }, 0);
}

export function noteCores(findings: Findings, root: Root): void {
  const { usable, online, offline, allowed, quota } = coresOf(root);
  findings.note("cpu.cores", usable, "/proc/cpuinfo, /proc/self/status, cgroup");
  findings.note("cpu.coresOnline", online, "/proc/cpuinfo");
  if (offline !== undefined) findings.note("cpu.coresOffline", offline, "/sys/devices/system/cpu/present");
  if (allowed !== undefined && allowed < online) findings.note("cpu.coresAllowed", allowed, "/proc/self/status");
  if (quota !== undefined) findings.note("cpu.coresQuota", quota, "cgroup cpu.max, cpu.cfs_quota_us");
}
