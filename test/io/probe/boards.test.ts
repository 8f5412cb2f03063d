/** The whole probe on every board: what it is taken for, what it starts, and where it is not what its class should be. */
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { createProbe } from "../../../agent/io/probe/index.ts";
import type { BoxView } from "../../../shared/box.ts";
import type { HardwareFacts } from "../../../shared/capacity.ts";
import { disagreementsOf } from "../../../shared/disagreements.ts";
import { boardNames, readBoardFile, writeBoard } from "./boards.ts";

interface Expected {
  profile: string;
  executors: number;
  facts: Partial<HardwareFacts>;
  /** What the disagreements are about. */
  but?: string[];
}

const GIB = 2 ** 30;

const BOARDS: Record<string, Expected> = {
  "raspberry-pi-zero-2-w": {
    profile: "raspberry-pi-zero-2-w",
    executors: 0,
    facts: { arch: "arm64", cores: 4, cpuModel: "Cortex-A53", storage: "sd" },
  },
  "raspberry-pi-zero-2-w-32bit": {
    profile: "generic-arm",
    executors: 0,
    facts: { arch: "arm", cores: 4, model: "Raspberry Pi Zero 2 W Rev 1.0", vector: "neon vfpv4" },
  },
  "raspberry-pi-3b-plus": {
    profile: "raspberry-pi-3b",
    executors: 1,
    facts: { arch: "arm64", cores: 4, model: "Raspberry Pi 3 Model B Plus Rev 1.3", storage: "sd" },
  },
  "raspberry-pi-4b": { profile: "raspberry-pi-4b", executors: 3, facts: { cores: 4, cpuModel: "Cortex-A72" } },
  "raspberry-pi-5": { profile: "raspberry-pi-5", executors: 3, facts: { cpuModel: "Cortex-A76" }, but: ["heat"] },
  "jetson-nano": {
    profile: "jetson-nano",
    executors: 3,
    facts: { cores: 4, cpuModel: "Cortex-A57", throttleC: 98 },
  },
  "jetson-nano-5w": {
    profile: "jetson-nano",
    executors: 1,
    facts: { cores: 2, storage: "sd" },
    but: ["cores", "power mode"],
  },
  "jetson-xavier-nx": {
    profile: "jetson-xavier-nx",
    executors: 5,
    facts: { cores: 6, cpuModel: "Carmel", storage: "sd" },
  },
  "jetson-orin-nano": { profile: "jetson-orin-nano", executors: 5, facts: { cores: 6, cpuModel: "Cortex-A78AE" } },
  "jetson-orin-nano-jetpack5": {
    profile: "jetson-orin-nano",
    executors: 5,
    facts: { model: "NVIDIA Orin Nano Developer Kit", storage: "sd" },
    but: ["storage"],
  },
  "jetson-orin-nx-8gb": {
    profile: "jetson-orin-nx",
    executors: 5,
    facts: { model: "BOXER-8654AI", cores: 6, storage: "nvme" },
    but: ["power mode"],
  },
  rk3588: { profile: "rk3588", executors: 4, facts: { cores: 8, cpuModel: "Cortex-A76 + Cortex-A55" } },
  "intel-n100": {
    profile: "intel-n100",
    executors: 4,
    facts: {
      arch: "x64",
      model: "AZW EQ",
      cpuModel: "Intel(R) N100",
      storage: "ssd",
      vector: "avx f16c fma avx2 avx_vnni",
    },
  },
  "intel-nuc": { profile: "intel-nuc", executors: 8, facts: { cores: 8, arch: "x64" } },
  "amd-mini-pc": { profile: "amd-mini-pc", executors: 8, facts: { model: "AZW SER", cores: 8 } },
  "coral-dev-board": {
    profile: "coral-dev-board",
    executors: 1,
    facts: { model: "Freescale i.MX8MQ Phanbell", cpuModel: "Cortex-A53", storage: "emmc" },
  },
  "beaglebone-black": {
    profile: "beaglebone-black",
    executors: 0,
    facts: { arch: "arm", cores: 1, cpuModel: "Cortex-A8", storage: "emmc" },
  },
  laptop: {
    profile: "laptop",
    executors: 3,
    facts: { model: "LENOVO 20BXCTO1WW", cpuModel: "Intel(R) Core(TM) i5-5300U CPU @ 2.30GHz", storage: "ssd" },
  },
  "cloud-vm": {
    profile: "cloud-vm",
    executors: 2,
    facts: { arch: "x64", cores: 2, cpuModel: "AMD EPYC", inside: "container docker in vm unnamed" },
  },
  "cloud-vm-arm64": { profile: "cloud-vm", executors: 4, facts: { arch: "arm64", cores: 4, inside: "vm kvm" } },
  "unknown-arm64": { profile: "generic-arm64", executors: 7, facts: { arch: "arm64", cores: 8 } },
};

const look = async (name: string, change?: (board: ReturnType<typeof writeBoard>) => void): Promise<BoxView> => {
  const board = writeBoard(name);
  change?.(board);
  return await createProbe({ dataDir: tmpdir(), root: board.root, arch: board.arch }).view();
};

const about = (box: BoxView): string[] => disagreementsOf(box).map((one) => one.about);

test("every board is looked at, and says whether it was recorded or after what it was written", () => {
  expect(boardNames.toSorted()).toEqual(Object.keys(BOARDS).sort());
  for (const { origin, from } of boardNames.map(readBoardFile)) {
    expect(["recorded", "written"]).toContain(origin);
    expect(from.join().length).toBeGreaterThan(20);
  }
});

test.each(Object.entries(BOARDS))("%s", async (name, { profile, executors, facts, but = [] }) => {
  const box = await look(name);
  expect(box.facts).toMatchObject({ profile, ...facts });
  expect(box.executors).toBe(executors);
  expect(about(box)).toEqual(but);
});

test("a 32-bit system on a 64-bit board is told of the profile that it could have", async () => {
  const { others, runsNothing } = await look("raspberry-pi-zero-2-w-32bit");
  expect(others).toEqual([expect.objectContaining({ name: "raspberry-pi-zero-2-w", hindrance: "arm64 systems" })]);
  expect(runsNothing).toContain("32-bit");
});

test("a virtual machine stays one whatever its host's processor is", async () => {
  const inVm = "processor\t: 0\nmodel name\t: Intel(R) N100\nflags\t\t: fpu hypervisor avx2\n";
  const { facts, others } = await look("intel-n100", (board) => board.write("proc/cpuinfo", inVm));
  expect(facts.profile).toBe("cloud-vm");
  expect(others[0]!.name).toBe("intel-n100");
});

test("a laptop is one by its chassis, whatever else is inside", async () => {
  const { facts } = await look("intel-n100", (board) => board.write("sys/class/dmi/id/chassis_type", "10\n"));
  expect(facts.profile).toBe("laptop");
});

test("cores that a quota takes away are told of, with why", async () => {
  const box = await look("raspberry-pi-4b", (board) => {
    board.write("sys/fs/cgroup/system.slice/skein.service/cpu.max", "200000 100000\n");
  });
  expect(disagreementsOf(box)).toEqual([
    { about: "cores", expected: "4", found: "2", because: "a cgroup's CPU quota allows no more" },
  ]);
});

test("cores that the affinity keeps away are told of", async () => {
  const box = await look("raspberry-pi-4b", (board) => board.write("proc/self/status", "Cpus_allowed_list:\t0\n"));
  expect(disagreementsOf(box)).toMatchObject([{ found: "1", because: expect.stringContaining("affinity") }]);
});

test("cores that are switched off are told of, with what the power mode should be", async () => {
  const [cores, mode] = disagreementsOf(await look("jetson-nano-5w"));
  expect(cores).toMatchObject({ expected: "4", found: "2", because: "2 are switched off, as a power mode does" });
  expect(mode).toMatchObject({ expected: "MAXN", found: "5W", because: expect.stringContaining("sudo nvpmodel -m 0") });
});

test("memory of a size that was never sold is told of, and a limit on it", async () => {
  const odd = await look("raspberry-pi-4b", (board) => board.write("proc/meminfo", "MemTotal: 5452595 kB\n"));
  expect(disagreementsOf(odd)).toMatchObject([
    { about: "memory", expected: "1 GiB, 2 GiB, 4 GiB, 8 GiB", found: "5.2 GiB" },
  ]);
  const limited = await look("raspberry-pi-4b", (board) => {
    board.write("sys/fs/cgroup/system.slice/skein.service/memory.max", `${GIB}\n`);
  });
  expect(disagreementsOf(limited)).toEqual([
    { about: "memory", expected: "4 GiB", found: "1 GiB", because: "a cgroup's memory limit allows no more" },
  ]);
});

test("heat over the limit is told of", async () => {
  expect(disagreementsOf(await look("raspberry-pi-5"))).toEqual([
    {
      about: "heat",
      expected: "slows itself from 80 C on",
      found: "81 C",
      because: "it does not say that it is slowed",
    },
  ]);
});

test("a provider that the profile names and that does not load is told of, with the reason; one that it does not name is not", async () => {
  const box = await look("jetson-nano");
  const trial = { works: false, reason: "not compiled in" };
  const providers = [
    { name: "cuda", ...trial },
    { name: "webgpu", ...trial },
  ];
  expect(disagreementsOf({ ...box, providers })).toEqual([
    { about: "provider cuda", expected: "to be tried", found: "does not load", because: "not compiled in" },
  ]);
});

test("a card that is written to more than it bears is told of, from the second day on", async () => {
  const written = (upSeconds: number) =>
    look("raspberry-pi-3b-plus", (board) => {
      board.write("proc/uptime", `${upSeconds}.50 1000.00\n`);
      board.write("sys/block/mmcblk0/stat", `1 2 3 4 5 6 ${100e9 / 512} 8 9 10 11\n`);
    });
  expect(about(await written(80_000))).toEqual([]);
  expect(disagreementsOf(await written(2 * 86_400))).toMatchObject([
    { about: "wear", expected: "at most 10 GB a day", found: "50 GB a day" },
  ]);
  expect(about(await written(20 * 86_400))).toEqual([]);
});
