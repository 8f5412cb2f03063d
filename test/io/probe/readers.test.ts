/** What a box is: its files are written as the kernel's documentation and other people's listings show them. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createProbe, type ProbeInit } from "../../../agent/io/probe/index.ts";
import { type WrittenBoard, writeBoard } from "./boards.ts";

const probeOf = (board: WrittenBoard, more: Partial<ProbeInit> = {}) =>
  createProbe({ dataDir: tmpdir(), root: board.root, arch: board.arch, ...more });

function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), "skein-readers-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

const viewOf = (board: WrittenBoard, more: Partial<ProbeInit> = {}) => probeOf(board, more).view();
const valuesOf = async (board: WrittenBoard, what: string) =>
  (await viewOf(board)).found.filter((finding) => finding.what === what).map(({ value }) => value);

/** Without what the board's own file says of its processor. */
function boardWithCpuinfo(arch: string, cpuinfo: string): WrittenBoard {
  const board = { ...writeBoard("unknown-arm64"), arch };
  board.write("proc/cpuinfo", cpuinfo);
  return board;
}

describe("vector extensions", () => {
  test("of x64 are those that inference gains by, in a fixed order", async () => {
    const flags = "fpu sse2 avx512_vnni avx2 fma hypervisor avx avx_vnni f16c amx_int8 amx_tile";
    const board = boardWithCpuinfo("x64", `processor\t: 0\nflags\t\t: ${flags}\n`);
    const { facts } = await probeOf(board).probe();
    expect(facts.vector).toBe("avx f16c fma avx2 avx_vnni avx512_vnni amx_tile amx_int8");
  });

  test("of Arm are those that every core has: a thread may run on any", async () => {
    const big = "processor\t: 0\nFeatures\t: fp asimd asimdhp asimddp i8mm bf16\n\n";
    const little = "processor\t: 1\nFeatures\t: fp asimd asimdhp asimddp\n\n";
    expect((await probeOf(boardWithCpuinfo("arm64", big)).probe()).facts.vector).toBe(
      "asimd asimdhp asimddp i8mm bf16",
    );
    const both = await probeOf(boardWithCpuinfo("arm64", big + little)).probe();
    expect(both.facts.vector).toBe("asimd asimdhp asimddp");
  });

  test("are absent where the kernel lists none", async () => {
    const { facts } = await probeOf(boardWithCpuinfo("x64", "processor\t: 0\n")).probe();
    expect(facts).not.toHaveProperty("vector");
  });
});

test("caches that cores share are counted once, and nonsense among them not at all", async () => {
  const board = writeBoard("unknown-arm64");
  const write = (cpu: number, index: number, fields: Record<string, string>) => {
    for (const [name, text] of Object.entries(fields))
      board.write(`sys/devices/system/cpu/cpu${cpu}/cache/index${index}/${name}`, `${text}\n`);
  };
  for (const cpu of [0, 1, 2, 3]) {
    write(cpu, 0, { level: "1", type: "Data", size: "32K", shared_cpu_list: `${cpu}` });
    write(cpu, 2, { level: "2", type: "Unified", size: "512K", shared_cpu_list: cpu < 2 ? "0-1" : "2-3" });
    write(cpu, 3, { level: "3", type: "Unified", size: "huge", shared_cpu_list: "0-3" });
  }
  expect(await valuesOf(board, "cpu.caches")).toEqual(["L1 Data 32K x 4, L2 Unified 512K x 2"]);
});

describe("accelerators", () => {
  test("are told with what showed them, and where there are none, with where they were looked for", async () => {
    const board = writeBoard("intel-nuc");
    board.write("sys/class/drm/card0/device/vendor", "0x8086\n");
    board.write("sys/class/drm/card0/device/uevent", "DRIVER=i915\nPCI_ID=8086:9A49\n");
    board.write("sys/class/drm/card0-HDMI-A-1/status", "connected\n");
    board.write("sys/bus/usb/devices/2-1/idVendor", "1a6e\n");
    board.write("sys/bus/usb/devices/2-1/idProduct", "089a\n");
    board.write("dev/apex_0", "");
    const { found, missing } = await viewOf(board);
    expect(found.filter(({ what }) => what.startsWith("accelerator"))).toEqual([
      { what: "accelerator.gpu", value: "Intel, driver i915", from: "/sys/class/drm/card0/device/uevent" },
      { what: "accelerator.coral", value: "Coral Edge TPU", from: "/dev/apex_0" },
      { what: "accelerator.usb", value: "Coral Edge TPU (USB)", from: "/sys/bus/usb/devices/2-1/idProduct" },
    ]);
    expect(missing.map(({ what }) => what)).not.toContain("accelerator");
    const none = await viewOf(writeBoard("raspberry-pi-5"));
    expect(none.missing.find(({ what }) => what === "accelerator")?.lookedAt).toContain("/sys/class/drm/card*");
  });

  test("of boards and of NVIDIA's driver are found", async () => {
    const rock = writeBoard("rk3588");
    rock.write("sys/class/devfreq/fdab0000.npu/cur_freq", "1000000000\n");
    rock.write("dev/mali0", "");
    expect(await valuesOf(rock, "accelerator.npu")).toEqual(["NPU fdab0000.npu"]);
    expect(await valuesOf(rock, "accelerator.mali")).toEqual(["Arm Mali GPU"]);
    const pc = writeBoard("amd-mini-pc");
    pc.write(
      "proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14\nGCC version: 12\n",
    );
    pc.write(
      "proc/driver/nvidia/gpus/0000:01:00.0/information",
      "Model: \t\t NVIDIA GeForce RTX 3060\nIRQ:   \t\t 90\n",
    );
    expect(await valuesOf(pc, "accelerator.nvidiaModel")).toEqual(["NVIDIA GeForce RTX 3060"]);
    expect(await valuesOf(pc, "accelerator.nvidiaDriver")).toEqual([
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module 550.54.14",
    ]);
  });
});

describe("the storage of the agent's folder", () => {
  const mountOf = (rest: string, at = "/"): string =>
    `36 1 ${rest.split("|")[0]} / ${at} rw,relatime shared:1 - ${rest.split("|")[1]} rw\n`;
  async function kindOf(mounts: string, files: Record<string, string> = {}): Promise<string | undefined> {
    const board = writeBoard("unknown-arm64");
    board.write("proc/self/mountinfo", mounts);
    for (const [path, text] of Object.entries(files)) board.write(`sys/block/${path}`, text);
    return (await probeOf(board).probe()).facts.storage;
  }

  test.each([
    ["nvme", "259:2|ext4 /dev/nvme0n1p2", { "nvme0n1/nvme0n1p2/dev": "259:2\n" }],
    ["sd", "179:2|ext4 /dev/root", { "mmcblk0/mmcblk0p2/dev": "179:2\n", "mmcblk0/device/type": "SD\n" }],
    ["emmc", "179:2|ext4 /dev/mmcblk0p2", { "mmcblk0/mmcblk0p2/dev": "179:2\n", "mmcblk0/device/type": "MMC\n" }],
    ["ssd", "8:1|ext4 /dev/sda1", { "sda/sda1/dev": "8:1\n", "sda/queue/rotational": "0\n" }],
    ["hdd", "0:45|btrfs /dev/sdb", { "sdb/dev": "8:16\n", "sdb/queue/rotational": "1\n" }],
    ["memory", "0:50|tmpfs tmpfs", {}],
    ["network", "0:51|nfs4 nas:/export", {}],
  ])("is %s", async (kind, mount, files) => {
    expect(await kindOf(mountOf(mount), files as unknown as Record<string, string>)).toBe(kind);
  });

  test("is that of the disk under an encrypted one", async () => {
    const files = { "dm-0/dev": "254:0\n", "dm-0/slaves/mmcblk0p2/dev": "179:2\n", "mmcblk0/device/type": "SD\n" };
    expect(await kindOf(mountOf("254:0|ext4 /dev/mapper/root"), files)).toBe("sd");
  });

  test("is that of the nearest mount, and of two at one place the later", async () => {
    const mounts =
      mountOf("0:50|tmpfs tmpfs") + mountOf("0:51|nfs nas:/x", tmpdir()) + mountOf("0:52|tmpfs t", `${tmpdir()}x`);
    expect(await kindOf(mounts)).toBe("network");
    expect(await kindOf(mounts + mountOf("0:53|tmpfs t", tmpdir()))).toBe("memory");
  });

  test("is left open where nothing can be known: a virtual disk, an unknown card, a table that cannot be read", async () => {
    expect(await kindOf(mountOf("254:0|ext4 /dev/vda"), { "vda/dev": "254:0\n", "vda/queue/rotational": "1\n" })).toBe(
      undefined,
    );
    expect(
      await kindOf(mountOf("179:2|ext4 /dev/x"), { "mmcblk0/mmcblk0p2/dev": "179:2\n", "mmcblk0/device/type": "?\n" }),
    ).toBe(undefined);
    expect(await kindOf("what is this - even\n\n - \n")).toBe(undefined);
    expect(await kindOf(mountOf("0:60|overlay overlay"))).toBe(undefined);
  });
});

describe("where it runs", () => {
  test.each([
    ["nothing", {}, undefined],
    ["docker", { ".dockerenv": "" }, "container docker"],
    ["podman", { "run/.containerenv": "" }, "container podman"],
    ["lxc", { "run/systemd/container": "lxc\n" }, "container lxc"],
    [
      "kubernetes",
      { "proc/self/cgroup": "0::/kubepods.slice/kubepods-pod1.slice/cri-1.scope\n" },
      "container kubernetes",
    ],
    ["docker of cgroup v1", { "proc/self/cgroup": "4:memory:/docker/abc\n" }, "container docker"],
    ["xen", { "sys/hypervisor/type": "xen\n" }, "vm xen"],
    ["qemu", { "sys/class/dmi/id/sys_vendor": "QEMU\n" }, "vm kvm"],
    [
      "bare metal at Amazon",
      { "sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "a1.metal\n" },
      undefined,
    ],
    ["both", { ".dockerenv": "", "sys/class/dmi/id/sys_vendor": "VMware, Inc.\n" }, "container docker in vm vmware"],
  ])("is seen: %s", async (_name, files, inside) => {
    const board = writeBoard("unknown-arm64");
    for (const [path, text] of Object.entries(files)) board.write(path, text!);
    expect((await probeOf(board).probe()).facts.inside).toBe(inside);
  });

  test("a virtual machine without a name shows by its processor's flag", async () => {
    const board = boardWithCpuinfo("x64", "processor\t: 0\nflags\t\t: fpu hypervisor avx2\n");
    expect((await probeOf(board).probe()).facts.inside).toBe("vm unnamed");
  });
});

describe("a 32-bit Arm box", () => {
  const arm = (architecture: number) =>
    boardWithCpuinfo("arm", `processor\t: 0\nFeatures\t: half neon vfpv4\nCPU architecture: ${architecture}\n`);

  test("runs no executor whatever was asked for, tries no provider, and says why", async () => {
    const probe = probeOf(arm(7), {
      executorsWanted: 4,
      tryProviders: async () => [{ name: "cpu", works: true, reason: "never" }],
    });
    const found = await probe.probe();
    expect(found).toMatchObject({ executors: 0, facts: { arch: "arm", vector: "neon vfpv4" } });
    expect(found.runsNothing).toMatch(/32-bit Arm system runs no inference.*gateway or a witness$/);
    expect(await probe.tryProviders()).toEqual([]);
    expect((await probe.view()).runsNothing).toBe(found.runsNothing);
  });

  test("with a 64-bit processor is told that it could", async () => {
    expect((await probeOf(arm(8)).probe()).runsNothing).toMatch(/with a 64-bit system it would$/);
  });
});

describe("the storage's speed", () => {
  test("is measured in the agent's folder, and leaves nothing there", async () => {
    const dataDir = temporary();
    const probe = createProbe({ dataDir: join(dataDir, "agent") });
    const whole = await probe.storageSpeed(true);
    expect(whole?.fsyncMs).toBeGreaterThan(0);
    expect(whole?.writeBytesPerSecond).toBeGreaterThan(100_000);
    expect(await probe.storageSpeed(false)).toEqual({ fsyncMs: expect.any(Number) });
    expect(readdirSync(join(dataDir, "agent"))).toEqual([]);
  });

  test("is not measured on a disk that is nearly full, and a folder that takes no file says so", async () => {
    const dataDir = temporary();
    writeFileSync(join(dataDir, "file"), "");
    expect(await createProbe({ dataDir, isDiskFull: () => true }).storageSpeed(true)).toBe(undefined);
    await expect(createProbe({ dataDir: join(dataDir, "file") }).storageSpeed(false)).rejects.toThrow();
  });
});
