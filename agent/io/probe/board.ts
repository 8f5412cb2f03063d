import { availableParallelism, totalmem } from "node:os";
import { cgroupCores } from "./cgroup.ts";
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
  const cpuModel = plainLine(cpuinfo.match(/^model name\s*:(.*)$/m)?.[1]) ?? armCore(cpuinfo);
  const asked = model && cpuModel ? {} : await ask();
  return {
    arch,
    deviceTree: words(deviceTreeModel, compatible),
    dmi: words(dmi("sys_vendor"), dmi("product_name"), dmi("product_family"), dmi("board_vendor"), dmi("board_name")),
    model: model ?? plainLine(asked.model) ?? `${arch} machine`,
    cpuModel: cpuModel ?? plainLine(asked.cpuModel) ?? `${arch} CPU`,
    cores: coresOf(root, cpuinfo),
    memoryBytes: memoryTotal(root),
  };
}

const deviceTreeFile = (root: Root, name: string): string | undefined =>
  root.text(`/proc/device-tree/${name}`) ?? root.text(`/sys/firmware/devicetree/base/${name}`);

/** Of the Arm Main ID Register, as /proc/cpuinfo prints it: implementer 0x41 (Arm) and its part numbers. */
const ARM_PARTS: Record<string, string> = {
  "0xd03": "Cortex-A53",
  "0xd05": "Cortex-A55",
  "0xd07": "Cortex-A57",
  "0xd08": "Cortex-A72",
  "0xd0b": "Cortex-A76",
  "0xd42": "Cortex-A78AE",
};

/** Big and little cores named once each, big ones first as they are listed last. */
function armCore(cpuinfo: string): string | undefined {
  const parts = [...cpuinfo.matchAll(/^CPU part\s*:\s*(0x[0-9a-f]+)$/gm)].map((match) => ARM_PARTS[match[1]!]);
  return [...new Set(parts.filter((part) => part !== undefined))].reverse().join(" + ") || undefined;
}

/** CPUs this process may run on: present, allowed by its affinity, and within the CPU quota of its cgroups. */
function coresOf(root: Root, cpuinfo: string): number {
  const present = cpuinfo.match(/^processor\s*:/gm)?.length ?? availableParallelism();
  const allowed = cpuListLength(root.text("/proc/self/status")?.match(/^Cpus_allowed_list:\s*(\S+)$/m)?.[1]);
  return Math.max(1, Math.min(present, allowed ?? present, cgroupCores(root) ?? present));
}

/** `0-3,6` is five CPUs. */
function cpuListLength(list: string | undefined): number | undefined {
  return list?.split(",").reduce((sum, range) => {
    const [first, last] = range.split("-").map(Number);
    return sum + (last ?? first!) - first! + 1;
  }, 0);
}

export const meminfoBytes = (root: Root, field: string): number | undefined => {
  const kibibytes = root.text("/proc/meminfo")?.match(new RegExp(`^${field}:\\s*(\\d+) kB$`, "m"))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
};

const memoryTotal = (root: Root): number => meminfoBytes(root, "MemTotal") ?? totalmem();
