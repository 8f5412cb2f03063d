import { posix } from "node:path";
import { type Root, wholeNumber } from "./root.ts";

export interface CgroupMemory {
  /**
   * The smallest limit on the way from this process to the root; absent if nothing limits it. Where there is none v2 says
   * `max`, which is no number, and v1 a number near 2^63, which is larger than any machine.
   */
  limitBytes?: number;
  /** What may still be taken before the first of those limits is reached; page cache that can be dropped counts as free. */
  headroomBytes?: number;
}

/**
 * The cgroup folders this process is in, innermost first, for v2 and for one v1 controller. Inside a container the paths in
 * /proc/self/cgroup may be the host's while the mount shows only our own group; the mount's root is always tried too.
 */
function foldersOf(root: Root, controller: string): { v2: string[]; v1: string[] } {
  const lines = (root.text("/proc/self/cgroup") ?? "").split("\n").map((line) => line.split(":"));
  const v1Path = lines
    .find(([, names]) => names?.split(",").includes(controller))
    ?.slice(2)
    .join(":");
  const v2Path = lines
    .find(([id, names]) => id === "0" && names === "")
    ?.slice(2)
    .join(":");
  return {
    v2: v2Path === undefined ? [] : upwards("/sys/fs/cgroup", v2Path),
    v1: v1Path === undefined ? [] : upwards(`/sys/fs/cgroup/${controller}`, v1Path),
  };
}

function upwards(mount: string, path: string): string[] {
  const folders: string[] = [];
  for (let at = posix.normalize(`/${path}`); at !== "/"; at = posix.dirname(at)) folders.push(posix.join(mount, at));
  return [...folders, mount];
}

const statField = (text: string | undefined, field: string): number =>
  wholeNumber(text?.match(new RegExp(`^${field} (\\d+)$`, "m"))?.[1]) ?? 0;

/** Reads memory limits of one box again and again; the folders are looked up once, as an agent does not change its group. */
export class CgroupMemoryReader {
  readonly #root: Root;
  readonly #folders: { v2: string[]; v1: string[] };

  constructor(root: Root) {
    this.#root = root;
    this.#folders = foldersOf(root, "memory");
  }

  read(): CgroupMemory {
    const root = this.#root;
    const limits: number[] = [];
    const headrooms: number[] = [];
    const add = (limitBytes: number | undefined, used: () => number): void => {
      if (limitBytes === undefined) return;
      limits.push(limitBytes);
      headrooms.push(Math.max(0, limitBytes - used()));
    };
    for (const folder of this.#folders.v2) {
      const used = (): number =>
        (root.number(`${folder}/memory.current`) ?? 0) - statField(root.text(`${folder}/memory.stat`), "inactive_file");
      add(root.number(`${folder}/memory.max`), used);
      // Above memory.high the kernel slows a group down until it is useless, so it is a limit to us.
      add(root.number(`${folder}/memory.high`), used);
    }
    for (const folder of this.#folders.v1)
      add(
        root.number(`${folder}/memory.limit_in_bytes`),
        () =>
          (root.number(`${folder}/memory.usage_in_bytes`) ?? 0) -
          statField(root.text(`${folder}/memory.stat`), "total_inactive_file"),
      );
    return limits.length === 0 ? {} : { limitBytes: Math.min(...limits), headroomBytes: Math.min(...headrooms) };
  }
}

/** Whole cores that the CPU quotas on the way to the root leave to this process; absent if nothing limits it. */
export function cgroupCores(root: Root): number | undefined {
  const folders = foldersOf(root, "cpu");
  const shares: number[] = [];
  for (const folder of folders.v2) {
    const [quota, period] = (root.text(`${folder}/cpu.max`) ?? "").trim().split(/\s+/).map(wholeNumber);
    if (quota && period) shares.push(quota / period);
  }
  for (const folder of folders.v1) {
    const quota = root.number(`${folder}/cpu.cfs_quota_us`);
    const period = root.number(`${folder}/cpu.cfs_period_us`);
    if (quota && quota > 0 && period) shares.push(quota / period);
  }
  return shares.length === 0 ? undefined : Math.max(1, Math.floor(Math.min(...shares)));
}
