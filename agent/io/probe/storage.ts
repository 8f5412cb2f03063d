import { existsSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import type { StorageKind } from "../../../shared/capacity.ts";
import type { Findings } from "./findings.ts";
import type { Root } from "./root.ts";

const NETWORK_FS =
  /^(nfs4?|cifs|smb3|smbfs|9p|ceph|glusterfs|afs|lustre|beegfs|fuse\.(sshfs|s3fs|rclone|glusterfs|ceph.*))$/;
const MEMORY_FS = /^(tmpfs|ramfs|rootfs)$/;
/** Disks under disks (partition, LUKS, LVM, RAID) and no loop that a broken table could make. */
const LAYERS_MAX = 6;

export interface StoragePlace {
  kind?: StorageKind;
  fileSystem?: string;
  /** As the kernel names it, e.g. `mmcblk0`. */
  disk?: string;
  /** What told the kind, or why nothing did. */
  from: string;
}

interface Mount {
  device: string;
  at: string;
  type: string;
  source: string;
}

/** Where a folder lies. It need not exist yet. */
export function storageOf(root: Root, folder: string): StoragePlace {
  const mounts = readMounts(root.text("/proc/self/mountinfo") ?? "");
  const path = realFolder(folder);
  const mount = mounts.filter(({ at }) => isUnder(path, at)).reduce<Mount | undefined>(nearer, undefined);
  if (!mount) return { from: "/proc/self/mountinfo" };
  const { type: fileSystem } = mount;
  if (NETWORK_FS.test(fileSystem)) return { kind: "network", fileSystem, from: "/proc/self/mountinfo" };
  if (MEMORY_FS.test(fileSystem)) return { kind: "memory", fileSystem, from: "/proc/self/mountinfo" };
  const disk = diskOf(root, mount);
  if (!disk) return { fileSystem, from: "/proc/self/mountinfo" };
  return { fileSystem, disk, ...kindOf(root, disk) };
}

/** Fields of proc_pid_mountinfo(5); a dash ends the optional ones, and blanks in paths are written as \040. */
function readMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [place, rest] = line.split(" - ");
    const [, , device, , at] = place?.split(" ") ?? [];
    const [type, source] = rest?.split(" ") ?? [];
    if (!device || !at || !type) return [];
    return [{ device, at: unescapeOctal(at), type, source: unescapeOctal(source ?? "") }];
  });
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));

const isUnder = (path: string, mount: string): boolean =>
  mount === "/" || path === mount || path.startsWith(`${mount}/`);

/** The longest path; of two on the same one the later, which hides the earlier. */
const nearer = (best: Mount | undefined, one: Mount): Mount => (best && best.at.length > one.at.length ? best : one);

function realFolder(folder: string): string {
  let at = folder;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return realpathSync(at);
}

/** By its number; file systems over several disks (btrfs) have a number of their own, and then by the name of the source. */
function diskOf(root: Root, { device, source }: Mount): string | undefined {
  const name = source.startsWith("/dev/") ? source.slice("/dev/".length) : undefined;
  for (const disk of root.names("/sys/block")) {
    if (root.text(`/sys/block/${disk}/dev`)?.trim() === device || disk === name) return disk;
    for (const part of root.names(`/sys/block/${disk}`).filter((one) => one.startsWith(disk)))
      if (part === name || root.text(`/sys/block/${disk}/${part}/dev`)?.trim() === device) return disk;
    if (name?.startsWith("mapper/") && root.text(`/sys/block/${disk}/dm/name`)?.trim() === name.slice(7)) return disk;
  }
  return undefined;
}

function kindOf(root: Root, disk: string, layers = 0): Pick<StoragePlace, "kind" | "from"> {
  const folder = `/sys/block/${disk}`;
  const below = root
    .names(`${folder}/slaves`)
    .map((slave) => slave.replace(/^(nvme\d+n\d+|mmcblk\d+)p\d+$|^(sd[a-z]+)\d+$/, "$1$2"));
  if (below[0] !== undefined && layers < LAYERS_MAX) return kindOf(root, below[0], layers + 1);
  if (disk.startsWith("nvme")) return { kind: "nvme", from: folder };
  if (disk.startsWith("zram") || disk.startsWith("ram")) return { kind: "memory", from: folder };
  if (disk.startsWith("nbd") || disk.startsWith("rbd")) return { kind: "network", from: folder };
  if (disk.startsWith("mmcblk")) return cardOf(root, folder);
  const from = `${folder}/queue/rotational`;
  const rotates = root.number(from);
  if (rotates === 0) return { kind: "ssd", from };
  // Virtual disks say that they turn whatever is behind them.
  if (rotates === 1 && !/^(vd|xvd|loop)/.test(disk)) return { kind: "hdd", from };
  return { from };
}

/** What is soldered in calls itself MMC, what can be pulled out SD. */
function cardOf(root: Root, folder: string): Pick<StoragePlace, "kind" | "from"> {
  const from = `${folder}/device/type`;
  const type = root.text(from)?.trim();
  if (type === "MMC") return { kind: "emmc", from };
  return type === "SD" ? { kind: "sd", from } : { from };
}

export function noteStorage(findings: Findings, root: Root, place: StoragePlace): void {
  findings.note("storage.kind", place.kind, place.from);
  findings.note("storage.fileSystem", place.fileSystem, "/proc/self/mountinfo");
  if (place.disk === undefined) return;
  const device = `/sys/block/${place.disk}/device`;
  findings.note("storage.disk", place.disk, "/sys/block");
  const name = ["model", "name"].map((file) => root.text(`${device}/${file}`)?.trim()).find(Boolean);
  findings.note("storage.model", name, `${device}/model`);
  // eMMC tells its wear in steps of a tenth: JEDEC 5.0, DEVICE_LIFE_TIME_EST.
  const wear = root.text(`${device}/life_time`)?.trim();
  if (wear) findings.note("storage.lifeUsedTenths", wear, `${device}/life_time`);
}
