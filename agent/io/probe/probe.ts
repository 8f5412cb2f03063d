import { statfs } from "node:fs/promises";
import { freemem } from "node:os";
import { dirname } from "node:path";
import type { HardwareFacts, Vitals } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { FirmwareProfile } from "../../../shared/profile.ts";
import type { CapacityProbe, ProbeResult } from "../../ports/index.ts";
import { type Board, meminfoBytes, readBoard } from "./board.ts";
import { CgroupMemoryReader } from "./cgroup.ts";
import { oneAtATime, within } from "./deadline.ts";
import { HeatReader } from "./heat.ts";
import { LoadReader } from "./load.ts";
import { askMachineWords } from "./machine-words.ts";
import { matchProfile, ownProfilesDir, readProfiles } from "./profiles.ts";
import { Root } from "./root.ts";

/** What one executor is given when executors are counted: a warm pipeline with two models, after pages of mixed sizes. */
const EXECUTOR_MEMORY_BYTES = 400e6;

/** A local disk answers from memory; one that does not answer at all is dead or gone. */
const DISK_DEADLINE_MS = 2_000;

export interface ProbeInit {
  /** The agent's folder; it need not exist yet. Its disk is the one that is watched. */
  dataDir: string;
  /** Default: the project's own. */
  profilesDir?: string;
  /** Executors somebody asked for; used as it is. At least 1. */
  executorsWanted?: number;
  /** Whether the disk counts as full, whatever is free: a drill's. */
  isDiskFull?: () => boolean;
  /** Where the kernel's files are; default `/`. Another root is another box: this machine is then not asked for its names. */
  root?: string;
  /** Of the box under `root`; default this process's. */
  arch?: string;
}

export function createProbe(init: ProbeInit): CapacityProbe {
  const root = new Root(init.root ?? "/");
  const load = new LoadReader(root);
  const heat = new HeatReader(root);
  const cgroup = new CgroupMemoryReader(root);
  const diskFree = oneAtATime(async () => (init.isDiskFull?.() ? 0 : freeBytesUnder(init.dataDir)));
  let found: Promise<ProbeResult> | undefined;

  async function look(): Promise<ProbeResult> {
    const profiles = await readProfiles(init.profilesDir ?? ownProfilesDir());
    const ask = root.path === "/" ? askMachineWords : async () => ({});
    const board = await readBoard(root, init.arch ?? process.arch, ask);
    const { profile, reason } = matchProfile(board, profiles);
    const facts = factsOf(board, profile, cgroup.read().limitBytes);
    return { facts, profile, reason, executors: init.executorsWanted ?? executorsFor(facts, profile) };
  }

  const probe = (): Promise<ProbeResult> => {
    found ??= look().catch((error: unknown) => {
      found = undefined; // a profile may be mended and the probe tried again
      throw error;
    });
    return found;
  };

  async function vitals(): Promise<Vitals> {
    const { facts, profile } = await probe();
    const [temperatureC, diskFreeBytes] = await Promise.all([heat.hottestC(), within(DISK_DEADLINE_MS, diskFree())]);
    if (diskFreeBytes === undefined)
      throw new SkeinError("DEADLINE_EXCEEDED", {
        what: `The disk under ${init.dataDir}`,
        deadlineMs: DISK_DEADLINE_MS,
      });
    const available = meminfoBytes(root, "MemAvailable") ?? freemem();
    return {
      memoryFreeBytes: Math.min(available, cgroup.read().headroomBytes ?? available),
      diskFreeBytes,
      cpuLoad: load.read(facts.cores),
      ...(temperatureC !== undefined && { temperatureC }),
      throttled: temperatureC !== undefined && temperatureC >= profile.thermal.throttleC,
    };
  }

  return { probe, vitals };
}

function factsOf(board: Board, profile: FirmwareProfile, limitBytes: number | undefined): HardwareFacts {
  const memoryTotalBytes = Math.min(board.memoryBytes, limitBytes ?? board.memoryBytes);
  return {
    profile: profile.name,
    model: board.model,
    cpuModel: board.cpuModel,
    cores: board.cores,
    arch: board.arch,
    memoryTotalBytes,
    memoryUsableBytes: Math.floor(memoryTotalBytes * profile.memoryUsableShare),
  };
}

/** One executor per core is fastest (each runs one thread), less what the profile keeps back and what memory allows. */
function executorsFor(facts: HardwareFacts, profile: FirmwareProfile): number {
  const byCores = facts.cores - profile.executors.coresReserved;
  const byMemory = Math.floor(facts.memoryUsableBytes / EXECUTOR_MEMORY_BYTES);
  return Math.max(1, Math.min(byCores, profile.executors.max, byMemory));
}

/** Free for this user, on the disk that holds `path` or, before it exists, its nearest folder that does. */
async function freeBytesUnder(path: string): Promise<number> {
  try {
    const disk = await statfs(path);
    return disk.bavail * disk.bsize;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && dirname(path) !== path)
      return freeBytesUnder(dirname(path));
    throw error;
  }
}
