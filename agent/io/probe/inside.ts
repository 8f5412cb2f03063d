import type { Findings } from "./findings.ts";
import { plainLine, type Root } from "./root.ts";

interface Sign {
  word: string;
  from: string;
}

/** What the box is inside of, e.g. `container docker`, `vm kvm`, `container docker in vm kvm`; undefined on the bare machine. */
export function insideOf(root: Root): string | undefined {
  const [container, vm] = [containerOf(root), vmOf(root)];
  const words = [container && `container ${container.word}`, vm && `vm ${vm.word}`].filter(Boolean);
  return words.join(" in ") || undefined;
}

export function noteInside(findings: Findings, root: Root): void {
  const [container, vm] = [containerOf(root), vmOf(root)];
  const places = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container", "/proc/self/cgroup"];
  if (container) findings.note("inside.container", container.word, container.from);
  else findings.missed("inside.container", places);
  if (vm) findings.note("inside.vm", vm.word, vm.from);
  else findings.missed("inside.vm", ["/sys/hypervisor/type", "/proc/cpuinfo", "/sys/class/dmi/id"]);
}

/** By the marks that container engines leave (systemd's `src/basic/virt.c` looks at the same ones). */
function containerOf(root: Root): Sign | undefined {
  const said = plainLine(root.text("/run/systemd/container"));
  if (root.names("/var/run/secrets/kubernetes.io").length > 0)
    return { word: "kubernetes", from: "/var/run/secrets/kubernetes.io" };
  if (root.text("/run/.containerenv") !== undefined) return { word: "podman", from: "/run/.containerenv" };
  if (root.text("/.dockerenv") !== undefined) return { word: "docker", from: "/.dockerenv" };
  if (said) return { word: said.slice(0, 20), from: "/run/systemd/container" };
  const groups = root.text("/proc/self/cgroup") ?? "";
  const known: [RegExp, string][] = [
    [/kubepods/, "kubernetes"],
    [/libpod/, "podman"],
    [/\/docker[/-]/, "docker"],
    [/\/lxc(\.payload)?[/.]/, "lxc"],
    [/containerd/, "containerd"],
  ];
  const word = known.find(([mark]) => mark.test(groups))?.[1];
  return word === undefined ? undefined : { word, from: "/proc/self/cgroup" };
}

const DMI_NAMES: [RegExp, string][] = [
  [/vmware/i, "vmware"],
  [/virtualbox|innotek/i, "virtualbox"],
  [/\bkvm\b|qemu|openstack|digitalocean|hetzner/i, "kvm"],
  [/google compute engine/i, "google"],
  [/amazon ec2/i, "amazon"],
  [/microsoft corporation virtual machine/i, "hyper-v"],
  [/parallels/i, "parallels"],
  [/\bxen\b/i, "xen"],
];

function vmOf(root: Root): Sign | undefined {
  const type = plainLine(root.text("/sys/hypervisor/type"));
  if (type) return { word: type.slice(0, 20), from: "/sys/hypervisor/type" };
  if (/microsoft/i.test(root.text("/proc/version") ?? "")) return { word: "wsl", from: "/proc/version" };
  for (const folder of ["/proc/device-tree", "/sys/firmware/devicetree/base"]) {
    const compatible = plainLine(root.text(`${folder}/hypervisor/compatible`));
    if (compatible) return { word: /xen/.test(compatible) ? "xen" : "kvm", from: `${folder}/hypervisor/compatible` };
  }
  const dmi = ["sys_vendor", "product_name", "board_vendor"]
    .map((field) => plainLine(root.text(`/sys/class/dmi/id/${field}`)) ?? "")
    .join(" ");
  const named = /\bmetal\b/i.test(dmi) ? undefined : DMI_NAMES.find(([mark]) => mark.test(dmi))?.[1];
  if (named) return { word: named, from: "/sys/class/dmi/id" };
  if (/^flags\s*:.*\bhypervisor\b/m.test(root.text("/proc/cpuinfo") ?? ""))
    return { word: "unnamed", from: "/proc/cpuinfo" };
  return undefined;
}
