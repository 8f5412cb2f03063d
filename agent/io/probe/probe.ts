import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { BoxView, ProviderTrial } from "../../../shared/box.ts";
import type { HardwareFacts } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { FirmwareProfile } from "../../../shared/profile.ts";
import type { CapacityProbe, ProbeResult } from "../../ports/index.ts";
import { noteAccelerators } from "./accelerators.ts";
import { reasonToRunNothing } from "./arm32.ts";
import { type Board, meminfoBytes, readBoard } from "./board.ts";
import { CgroupMemoryReader } from "./cgroup.ts";
import { noteCores } from "./cores.ts";
import { noteCpu, vectorOf } from "./cpu.ts";
import { oneAtATime, within } from "./deadline.ts";
import { noteDeepWords } from "./deep-words.ts";
import { Findings } from "./findings.ts";
import { insideOf, noteInside } from "./inside.ts";
import { askMachineWords } from "./machine-words.ts";
import { noteNetworkCards } from "./network-cards.ts";
import { notePowerMode } from "./power-mode.ts";
import { builtInProfilesDir, matchProfile, readProfiles } from "./profiles.ts";
import { Root } from "./root.ts";
import { noteStorage, storageOf } from "./storage.ts";
import { measureStorage } from "./storage-speed.ts";
import { noteWear } from "./storage-wear.ts";
import { VitalsReader } from "./vitals.ts";

/** What one executor is given when executors are counted: a warm pipeline with two models, after pages of mixed sizes. */
const EXECUTOR_MEMORY_BYTES = 400e6;

/** A local disk answers from memory; one that does not answer at all is dead or gone. */
const DISK_DEADLINE_MS = 2_000;

/** Free space under which the disk's speed is not measured: what is written for it must not be what fills it. */
const MEASURED_FREE_BYTES_MIN = 4 * LIMITS.diskFreeBytesMin;

export interface ProbeInit {
  /** The agent's folder; it need not exist yet. Its disk is the one that is watched. */
  dataDir: string;
  /** Default: the project's. */
  profilesDir?: string;
  /** Where the user keeps profiles of their own; it need not exist. */
  ownProfilesDir?: string;
  /** Executors somebody asked for; used as it is, except on a box that can run none. At least 1. */
  executorsWanted?: number;
  /** Whether the disk counts as full, whatever is free: a drill's. */
  isDiskFull?: () => boolean;
  /** Where the kernel's files are; default `/`. Another root is another box: this machine is then not asked for its names. */
  root?: string;
  /** Of the box under `root`; default this process's. */
  arch?: string;
  /** Makes a session with each of these execution providers; absent: none is tried, as on a witness. */
  tryProviders?: (names: readonly string[]) => Promise<ProviderTrial[]>;
  /** Default: this process's own clock. */
  nowMs?: () => number;
}

export function createProbe(init: ProbeInit): CapacityProbe {
  const root = new Root(init.root ?? "/");
  const arch = init.arch ?? process.arch;
  const cgroup = new CgroupMemoryReader(root);
  const diskFree = oneAtATime(async () => (init.isDiskFull?.() ? 0 : freeBytesUnder(init.dataDir)));
  const reader = new VitalsReader(root, {
    cgroup,
    diskFreeBytes: async () => {
      const bytes = await within(DISK_DEADLINE_MS, diskFree());
      if (bytes !== undefined) return bytes;
      const what = `The disk under ${init.dataDir}`;
      throw new SkeinError("DEADLINE_EXCEEDED", { what, deadlineMs: DISK_DEADLINE_MS });
    },
    nowMs: init.nowMs ?? (() => performance.now()),
  });
  let found: Promise<ProbeResult> | undefined;
  let deepWords: Promise<Findings> | undefined;

  async function look(): Promise<ProbeResult> {
    const { profiles, refused } = await readProfiles(init.profilesDir ?? builtInProfilesDir(), init.ownProfilesDir);
    const ask = root.path === "/" ? askMachineWords : async () => ({});
    const board = await readBoard(root, arch, ask);
    const { profile, reason, others } = matchProfile(board, profiles);
    const facts = { ...factsOf(board, profile, cgroup.read().limitBytes), ...placeOf() };
    const runsNothing = reasonToRunNothing(root, arch);
    const executors = runsNothing ? 0 : (init.executorsWanted ?? executorsFor(facts, profile));
    return { facts, profile, reason, others, profilesRefused: refused, executors, ...(runsNothing && { runsNothing }) };
  }

  function placeOf(): Pick<HardwareFacts, "storage" | "vector" | "inside"> {
    const { kind } = storageOf(root, init.dataDir);
    const [vector, inside] = [vectorOf(root, arch), insideOf(root)];
    return { ...(kind && { storage: kind }), ...(vector && { vector }), ...(inside && { inside }) };
  }

  const probe = (): Promise<ProbeResult> => {
    found ??= look().catch((error: unknown) => {
      found = undefined; // a profile may be mended and the probe tried again
      throw error;
    });
    return found;
  };

  async function vitals() {
    const { facts, profile } = await probe();
    return await reader.read(facts.cores, profile);
  }

  async function storageSpeed(isWhole: boolean) {
    const freeBytes = await diskFree();
    return freeBytes < MEASURED_FREE_BYTES_MIN ? undefined : await measureStorage(init.dataDir, isWhole);
  }

  async function tryProviders(): Promise<ProviderTrial[]> {
    const { profile, runsNothing } = await probe();
    return runsNothing || !init.tryProviders ? [] : await init.tryProviders(profile.providers);
  }

  async function view(): Promise<BoxView> {
    const probed = await probe();
    const { facts } = probed;
    const now = await vitals();
    const findings = new Findings();
    noteBoard(findings, facts);
    noteCores(findings, root);
    noteCpu(findings, root, arch);
    noteMemory(findings, root, facts, cgroup.read().limitBytes);
    reader.note(findings, now);
    notePowerMode(findings, root);
    noteAccelerators(findings, root);
    const place = storageOf(root, init.dataDir);
    noteStorage(findings, root, place);
    noteWear(findings, root, place.disk);
    noteNetworkCards(findings, root);
    noteInside(findings, root);
    if (root.path === "/") deepWords ??= gatherDeepWords();
    const deep = await deepWords;
    return {
      ...probed,
      vitals: now,
      found: [...findings.found, ...(deep?.found ?? [])],
      missing: [...findings.missing, ...(deep?.missing ?? [])],
    };
  }

  return { probe, vitals, storageSpeed, tryProviders, view };
}

async function gatherDeepWords(): Promise<Findings> {
  const findings = new Findings();
  await noteDeepWords(findings);
  return findings;
}

function noteBoard(findings: Findings, facts: HardwareFacts): void {
  findings.note("board.model", facts.model, "/proc/device-tree/model, /sys/class/dmi/id");
  findings.note("board.arch", facts.arch, "of this process");
  findings.note("cpu.model", facts.cpuModel, "/proc/cpuinfo");
}

function noteMemory(findings: Findings, root: Root, facts: HardwareFacts, limitBytes: number | undefined): void {
  findings.note("memory.machineBytes", meminfoBytes(root, "MemTotal"), "/proc/meminfo");
  findings.note("memory.totalBytes", facts.memoryTotalBytes, "/proc/meminfo, cgroup");
  // Where nothing limits it, cgroup v1 says so by a limit larger than any machine.
  const isLimited = limitBytes !== undefined && limitBytes <= facts.memoryTotalBytes;
  const files = "cgroup memory.max, memory.high, memory.limit_in_bytes";
  findings.note("memory.limitBytes", isLimited ? limitBytes : undefined, files);
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
    warnC: profile.thermal.warnC,
    throttleC: profile.thermal.throttleC,
  };
}

/** One executor per core is fastest (each runs one thread), less what the profile keeps back and what memory allows. */
function executorsFor(facts: HardwareFacts, profile: FirmwareProfile): number {
  const byCores = facts.cores - profile.executors.coresReserved;
  if (profile.executors.max === 0) return 0;
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
