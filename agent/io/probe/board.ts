import { totalmem } from "node:os";
import { coresOf } from "./cores.ts";
import { insideOf } from "./inside.ts";
import { plainLine, type Root } from "./root.ts";

/** What the box calls itself, before a profile is chosen. */
export interface Board {
  arch: string;
  /** Model and compatible strings of the device tree, one line; empty on machines without one. */
  deviceTree: string;
  /** Vendor, product and board of the DMI table, one line; empty on machines without one. */
  dmi: string;
  model: string;
  cpuModel: string;
  cores: number;
  /** Whether it runs in a virtual machine. */
  virtual: boolean;
  /** Whether it calls itself a laptop or the like. */
  portable: boolean;
  /** Of the machine, before any cgroup limit. */
  memoryBytes: number;
}

/** Names that files do not always give: a container shows no DMI table, a new Arm core is only a number in /proc/cpuinfo. */
export interface MachineWords {
  model?: string;
  cpuModel?: string;
}

/** What makers write where a name should be. */
const PLACEHOLDER =
  /^(to be filled by o\.?e\.?m\.?|default string|system (product name|manufacturer)|not (specified|applicable)|none|-|0+|x+)$/i;

/**
 * Numbers of DMI chassis types that are carried about: portable, laptop, notebook, hand held, sub notebook, tablet,
 * convertible, detachable (SMBIOS 3.7, table 17).
 */
const PORTABLE_CHASSIS = [8, 9, 10, 11, 14, 30, 31, 32];

/** What older kernels print for any Arm core. */
const NAMELESS_ARM = /^ARMv\d+ Processor/i;

/** Reads the box's names and sizes; `ask` is called only for names that the files leave open. */
export async function readBoard(root: Root, arch: string, ask: () => Promise<MachineWords>): Promise<Board> {
  const deviceTreeModel = plainLine(deviceTreeFile(root, "model"));
  const compatible = plainLine(deviceTreeFile(root, "compatible"));
  const dmi = (field: string): string | undefined => {
    const value = plainLine(root.text(`/sys/class/dmi/id/${field}`));
    return value && !PLACEHOLDER.test(value) ? value : undefined;
  };
  const words = (...all: (string | undefined)[]): string => [...new Set(all.filter(Boolean))].join(" ");
  const dmiModel = words(dmi("sys_vendor"), dmi("product_name"));
  const cpuinfo = root.text("/proc/cpuinfo") ?? "";
  const model = deviceTreeModel ?? plainLine(dmiModel);
  const cpuName = plainLine(cpuinfo.match(/^model name\s*:(.*)$/m)?.[1]);
  const cpuModel = cpuName && !NAMELESS_ARM.test(cpuName) ? cpuName : (armCore(cpuinfo) ?? cpuName);
  const asked = model && cpuModel ? {} : await ask();
  return {
    arch,
    deviceTree: words(deviceTreeModel, compatible),
    dmi: words(dmi("sys_vendor"), dmi("product_name"), dmi("product_family"), dmi("board_vendor"), dmi("board_name")),
    model: model ?? plainLine(asked.model) ?? `${arch} machine`,
    cpuModel: cpuModel ?? plainLine(asked.cpuModel) ?? `${arch} CPU`,
    cores: coresOf(root).usable,
    virtual: /\bvm\b/.test(insideOf(root) ?? ""),
    portable: PORTABLE_CHASSIS.includes(root.number("/sys/class/dmi/id/chassis_type") ?? 0),
    memoryBytes: memoryTotal(root),
  };
}

const deviceTreeFile = (root: Root, name: string): string | undefined =>
  root.text(`/proc/device-tree/${name}`) ?? root.text(`/sys/firmware/devicetree/base/${name}`);

/** Of the Arm Main ID Register, as /proc/cpuinfo prints it: implementer (0x41 is Arm, 0x4e NVIDIA) and its part numbers. */
const ARM_CORES: Record<string, string> = {
  "0x41 0xc07": "Cortex-A7",
  "0x41 0xc08": "Cortex-A8",
  "0x41 0xd03": "Cortex-A53",
  "0x41 0xd05": "Cortex-A55",
  "0x41 0xd07": "Cortex-A57",
  "0x41 0xd08": "Cortex-A72",
  "0x41 0xd0b": "Cortex-A76",
  "0x41 0xd42": "Cortex-A78AE",
  "0x4e 0x004": "Carmel",
};

/** Big and little cores named once each, big ones first as they are listed last. */
function armCore(cpuinfo: string): string | undefined {
  const field = (core: string, name: string): string =>
    core.match(new RegExp(`^CPU ${name}\\s*:\\s*(0x[0-9a-f]+)$`, "m"))?.[1] ?? "";
  const cores = cpuinfo.split("\n\n").map((core) => ARM_CORES[`${field(core, "implementer")} ${field(core, "part")}`]);
  return [...new Set(cores.filter((core) => core !== undefined))].reverse().join(" + ") || undefined;
}

export const meminfoBytes = (root: Root, field: string): number | undefined => {
  const kibibytes = root.text("/proc/meminfo")?.match(new RegExp(`^${field}:\\s*(\\d+) kB$`, "m"))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
};

const memoryTotal = (root: Root): number => meminfoBytes(root, "MemTotal") ?? totalmem();
