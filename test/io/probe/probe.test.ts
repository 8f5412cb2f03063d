import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createProbe, type ProbeInit } from "../../../agent/io/probe/index.ts";
import { checkCapacityReport } from "../../../shared/capacity.ts";
import { capacityReport, nodeIdOf } from "../../core/fleet/reports.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { type WrittenBoard, writeBoard } from "./boards.ts";

const ownProfiles = new URL("../../../firmware-profiles/", import.meta.url).pathname;
const probeOf = (board: WrittenBoard, more: Partial<ProbeInit> = {}) =>
  createProbe({ dataDir: tmpdir(), root: board.root, arch: board.arch, ...more });

describe("a box is recognised", () => {
  test.each([
    ["raspberry-pi-4b", "Raspberry Pi 4 Model B Rev 1.4", "Cortex-A72", 4, 3],
    ["raspberry-pi-5", "Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76", 4, 3],
    ["jetson-orin-nano", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit", "Cortex-A78AE", 6, 5],
    ["intel-nuc", "Intel(R) Client Systems NUC11TNHi5", "11th Gen Intel(R) Core(TM) i5-1135G7 @ 2.40GHz", 8, 8],
    ["rk3588", "Orange Pi 5 Plus", "Cortex-A76 + Cortex-A55", 8, 4],
  ])("%s by what its firmware says of itself", async (name, model, cpuModel, cores, executors) => {
    const found = await probeOf(writeBoard(name)).probe();
    expect(found.facts).toMatchObject({ profile: name, model, cpuModel, cores });
    expect(found.profile.name).toBe(name);
    expect(found.executors).toBe(executors);
    expect(found.reason).toContain(found.profile.title);
  });

  test("as generic where nothing more special fits, and the reason says so", async () => {
    const pc = writeBoard("amd-mini-pc");
    pc.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: VIA Nano X2\n");
    const found = await probeOf(pc).probe();
    expect(found.facts).toMatchObject({ profile: "generic-x64", model: "AZW SER" });
    expect(found.reason).toBe('no more special profile knows "AZW SER", so "x64 machine" stands in');
    const vm = await probeOf(writeBoard("unknown-arm64")).probe();
    expect(vm.facts).toMatchObject({ profile: "generic-arm64", model: "arm64 machine", cpuModel: "arm64 CPU" });
  });

  test("without believing what makers write where a name should be", async () => {
    const board = writeBoard("amd-mini-pc");
    board.write("sys/class/dmi/id/sys_vendor", "System manufacturer\n");
    board.write("sys/class/dmi/id/product_name", "To Be Filled By O.E.M.\n");
    expect((await probeOf(board).probe()).facts.model).toBe("x64 machine");
  });

  test("only within its architecture: a Pi's device tree on an x64 machine proves nothing", async () => {
    const found = await probeOf({ ...writeBoard("raspberry-pi-5"), arch: "x64" }).probe();
    expect(found.facts.profile).toBe("generic-x64");
  });

  test("not at all on an architecture without a profile, with an error that says so", async () => {
    const probe = probeOf({ ...writeBoard("unknown-arm64"), arch: "riscv64" });
    await expect(probe.probe()).rejects.toMatchObject({
      code: "INTERNAL",
      message: /no firmware profile fits.*riscv64/,
    });
  });
});

describe("cores and executors", () => {
  test("leave out CPUs this process may not run on", async () => {
    const board = writeBoard("rk3588");
    board.write("proc/self/status", "Cpus_allowed_list:\t4-5,7\n");
    expect(await probeOf(board).probe()).toMatchObject({ facts: { cores: 3 }, executors: 2 });
  });

  test("follow the CPU quota of any cgroup on the way up, rounded down, but are never none", async () => {
    const board = writeBoard("intel-nuc");
    board.write("sys/fs/cgroup/system.slice/cpu.max", "350000 100000\n");
    expect((await probeOf(board).probe()).facts.cores).toBe(3);
    board.write("sys/fs/cgroup/system.slice/skein.service/cpu.max", "50000 100000\n");
    expect(await probeOf(board).probe()).toMatchObject({ facts: { cores: 1 }, executors: 1 });
  });

  test("follow the CPU quota of cgroup v1", async () => {
    const board = writeBoard("intel-nuc");
    board.write("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n");
    board.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    board.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    expect((await probeOf(board).probe()).facts.cores).toBe(2);
  });

  test("are fewer where memory is short", async () => {
    const board = writeBoard("raspberry-pi-4b");
    board.write("proc/meminfo", "MemTotal: 948304 kB\nMemAvailable: 700000 kB\n");
    expect((await probeOf(board).probe()).executors).toBe(1);
  });

  test("are what somebody asked for, if somebody did", async () => {
    expect((await probeOf(writeBoard("raspberry-pi-4b"), { executorsWanted: 7 }).probe()).executors).toBe(7);
  });
});

describe("memory", () => {
  test("is the machine's where nothing limits it, and the profile's share of it is usable", async () => {
    const probe = probeOf(writeBoard("raspberry-pi-4b"));
    const { facts, profile } = await probe.probe();
    expect(facts.memoryTotalBytes).toBe(3884528 * 1024);
    expect(facts.memoryUsableBytes).toBe(Math.floor(3884528 * 1024 * profile.memoryUsableShare));
    expect((await probe.vitals()).memoryFreeBytes).toBe(3300000 * 1024);
  });

  test("is the tightest cgroup's, and page cache that can be dropped counts as free", async () => {
    const board = writeBoard("intel-nuc");
    const unit = "sys/fs/cgroup/system.slice/skein.service";
    board.write(`${unit}/memory.max`, "4000000000\n");
    board.write("sys/fs/cgroup/system.slice/memory.max", "3000000000\n");
    board.write("sys/fs/cgroup/system.slice/memory.current", "2500000000\n");
    board.write("sys/fs/cgroup/system.slice/memory.stat", "anon 1\nfile 2\ninactive_file 600000000\nactive_file 3\n");
    const probe = probeOf(board);
    expect((await probe.probe()).facts.memoryTotalBytes).toBe(3000000000);
    expect((await probe.vitals()).memoryFreeBytes).toBe(1100000000);
  });

  test("stops at memory.high, above which the kernel makes a group crawl", async () => {
    const board = writeBoard("intel-nuc");
    board.write("sys/fs/cgroup/system.slice/skein.service/memory.high", "1000000000\n");
    expect((await probeOf(board).probe()).facts.memoryTotalBytes).toBe(1000000000);
  });

  test("follows cgroup v1, where no limit is written as a huge one, and a container sees its group at the mount's root", async () => {
    const board = writeBoard("intel-nuc");
    const mount = "sys/fs/cgroup/memory";
    board.write("proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n");
    board.write(`${mount}/memory.limit_in_bytes`, "9223372036854771712\n");
    expect((await probeOf(board).probe()).facts.memoryTotalBytes).toBe(16203904 * 1024);
    board.write(`${mount}/memory.limit_in_bytes`, "2000000000\n");
    board.write(`${mount}/memory.usage_in_bytes`, "900000000\n");
    board.write(`${mount}/memory.stat`, "cache 5\ninactive_file 7\ntotal_inactive_file 400000000\n");
    const probe = probeOf(board);
    expect((await probe.probe()).facts.memoryTotalBytes).toBe(2000000000);
    expect((await probe.vitals()).memoryFreeBytes).toBe(1500000000);
  });
});

describe("heat", () => {
  const hottest = async (name: string) => (await probeOf(writeBoard(name)).vitals()).temperatureC;

  test("is the hottest zone's", async () => {
    expect(await hottest("rk3588")).toBe(51.769);
  });

  test("leaves out zones that cannot be read and a power chip that always says 100", async () => {
    expect(await hottest("jetson-orin-nano")).toBe(61.9);
  });

  test("leaves out the radio and the drive, and reads the CPU's own sensors", async () => {
    expect(await hottest("intel-nuc")).toBe(60);
  });

  test("is found where an AMD processor has no thermal zone", async () => {
    expect(await hottest("amd-mini-pc")).toBe(40.375);
  });

  test("is absent where there is no sensor, and nothing is throttled then", async () => {
    const vitals = await probeOf(writeBoard("unknown-arm64")).vitals();
    expect(vitals).not.toHaveProperty("temperatureC");
    expect(vitals.throttled).toBe(false);
  });

  test("makes a box throttled from its profile's limit on", async () => {
    const board = writeBoard("raspberry-pi-5");
    const probe = probeOf(board);
    expect(await probe.vitals()).toMatchObject({ temperatureC: 81.45, throttled: true });
    board.write("sys/class/thermal/thermal_zone0/temp", "79999\n");
    expect(await probe.vitals()).toMatchObject({ temperatureC: 79.999, throttled: false });
    board.write("sys/class/thermal/thermal_zone0/temp", "80000\n");
    expect((await probe.vitals()).throttled).toBe(true);
  });

  test("is not believed from a zone that is switched off", async () => {
    const board = writeBoard("raspberry-pi-5");
    for (const nonsense of ["-274000\n", "0\n", "2147483647\n", "\n", "hot\n"]) {
      board.write("sys/class/thermal/thermal_zone0/temp", nonsense);
      expect(await probeOf(board).vitals()).not.toHaveProperty("temperatureC");
    }
  });
});

describe("load", () => {
  test("is the busy share of all cores since the reading before; waiting for the disk is not busy", async () => {
    const board = writeBoard("raspberry-pi-4b");
    const probe = probeOf(board);
    board.write("proc/stat", "cpu  1200 0 600 8600 500 0 100 0 0 0\n"); // 300 busy, 700 idle or waiting
    expect((await probe.vitals()).cpuLoad).toBe(0.3);
    board.write("proc/stat", "cpu  1300 0 600 8600 500 0 100 0 0 0\n");
    expect((await probe.vitals()).cpuLoad).toBe(1);
    expect((await probe.vitals()).cpuLoad).toBe(1); // no time has passed: the last answer stands
  });
});

test("free disk is that of the data folder, even before the folder exists", async () => {
  const board = writeBoard("raspberry-pi-4b");
  const dataDir = join(board.root, "not", "there", "yet");
  expect((await probeOf(board, { dataDir }).vitals()).diskFreeBytes).toBeGreaterThan(0);
});

test("what any board reports passes the check that its peers make", async () => {
  for (const name of ["raspberry-pi-4b", "raspberry-pi-5", "jetson-orin-nano", "intel-nuc", "rk3588", "amd-mini-pc"]) {
    const probe = probeOf(writeBoard(name));
    const { facts: hardware, executors } = await probe.probe();
    const report = capacityReport(nodeIdOf("a"), { hardware, executors, vitals: await probe.vitals() });
    expect(checkCapacityReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  }
});

describe("the project's profiles", () => {
  test("that cannot be read stop the probe with the file and the field, and it can be tried again", async () => {
    const profilesDir = temporaryFolder();
    writeFileSync(join(profilesDir, "mine.json"), '{ "name": "mine", "colour": "red" }');
    const probe = probeOf(writeBoard("raspberry-pi-5"), { profilesDir });
    await expect(probe.probe()).rejects.toMatchObject({
      code: "INTERNAL",
      message: expect.stringMatching(/mine\.json.*colour is not known/),
    });
    writeFileSync(join(profilesDir, "mine.json"), "{ not json");
    await expect(probe.probe()).rejects.toMatchObject({
      code: "INTERNAL",
      message: expect.stringMatching(/mine\.json/),
    });
    copyFileSync(join(ownProfiles, "raspberry-pi-5.json"), join(profilesDir, "mine.json"));
    expect((await probe.probe()).facts.profile).toBe("raspberry-pi-5");
  });
});

describe("a user's own profiles", () => {
  /** The project's profile of a board, changed. */
  const own = (dir: string, name: string, change: object): void => {
    const profile = JSON.parse(readFileSync(join(ownProfiles, "raspberry-pi-5.json"), "utf8"));
    writeFileSync(join(dir, `${name}.json`), JSON.stringify({ ...profile, ...change }));
  };

  test("of the same name replace the project's", async () => {
    const ownProfilesDir = temporaryFolder();
    own(ownProfilesDir, "raspberry-pi-5", { title: "The Pi in the attic", variants: [], memoryUsableShare: 0.9 });
    const found = await probeOf(writeBoard("raspberry-pi-5"), { ownProfilesDir }).probe();
    expect(found).toMatchObject({ profile: { title: "The Pi in the attic", memoryUsableShare: 0.9 } });
    expect(found.others.map(({ name }) => name)).toEqual(["generic-arm64"]);
  });

  test("of a higher priority win, and the project's comes next, with its reason", async () => {
    const ownProfilesDir = temporaryFolder();
    own(ownProfilesDir, "attic", { name: "attic", priority: 500 });
    const found = await probeOf(writeBoard("raspberry-pi-5"), { ownProfilesDir }).probe();
    expect(found.facts.profile).toBe("attic");
    expect(found.others.map(({ name, priority }) => [name, priority])).toEqual([
      ["raspberry-pi-5", 100],
      ["generic-arm64", 0],
    ]);
    expect(found.others[0]!.reason).toContain('the device tree says "Raspberry Pi 5');
  });

  test("that are broken are left out, and told of with the file, the field and what was meant", async () => {
    const ownProfilesDir = temporaryFolder();
    own(ownProfilesDir, "percent", { name: "percent", priority: 500, memoryUsableShare: 60 });
    writeFileSync(join(ownProfilesDir, "torn.json"), '{ "name": "to');
    writeFileSync(join(ownProfilesDir, "notes.txt"), "no profile at all");
    const found = await probeOf(writeBoard("raspberry-pi-5"), { ownProfilesDir }).probe();
    expect(found.facts.profile).toBe("raspberry-pi-5");
    expect(found.profilesRefused).toEqual([
      { file: join(ownProfilesDir, "percent.json"), reason: expect.stringContaining("did you mean 0.6?") },
      { file: join(ownProfilesDir, "torn.json"), reason: expect.stringContaining("JSON") },
    ]);
  });

  test("need not exist", async () => {
    const ownProfilesDir = join(temporaryFolder(), "not", "there");
    const found = await probeOf(writeBoard("raspberry-pi-5"), { ownProfilesDir }).probe();
    expect(found).toMatchObject({ facts: { profile: "raspberry-pi-5" }, profilesRefused: [] });
  });
});

test("this machine is read whole, and its vitals without a child process", async () => {
  let started = 0;
  const count = (): void => {
    started += 1;
  };
  subscribe("child_process", count);
  onTestFinished(() => {
    unsubscribe("child_process", count);
  });
  const probe = createProbe({ dataDir: tmpdir() });
  const { facts, executors } = await probe.probe();
  expect(facts).toMatchObject({ arch: process.arch, cores: expect.toSatisfy((cores: number) => cores >= 1) });
  await once(spawn(process.execPath, ["--version"], { stdio: "ignore" }), "exit");
  expect(started).toBeGreaterThan(0); // the counter counts
  started = 0;
  const vitals = await probe.vitals();
  await probe.vitals();
  expect(started).toBe(0);
  expect(vitals.memoryFreeBytes).toBeGreaterThan(0);
  expect(vitals.memoryFreeBytes).toBeLessThanOrEqual(facts.memoryTotalBytes);
  const report = capacityReport(nodeIdOf("a"), { hardware: facts, executors, vitals });
  expect(checkCapacityReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
});
