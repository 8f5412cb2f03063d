import type { Findings } from "./findings.ts";
import { plainLine, type Root } from "./root.ts";
import { filesIn } from "./sensor.ts";

/** PCI vendor ids of what draws or computes. */
const PCI_VENDORS: Record<string, string> = {
  "0x8086": "Intel",
  "0x10de": "NVIDIA",
  "0x1002": "AMD",
  "0x1af4": "virtio",
};

/** Devices that their drivers show in /dev, and what they are. */
const NODES: [RegExp, string, string][] = [
  [/^nvidia\d+$/, "accelerator.nvidia", "NVIDIA GPU"],
  [/^(nvhost-gpu|nvgpu)$/, "accelerator.tegra", "NVIDIA GPU of a Jetson"],
  [/^nvhost-nvdla\d+$/, "accelerator.dla", "NVIDIA deep learning accelerator of a Jetson"],
  [/^mali\d+$/, "accelerator.mali", "Arm Mali GPU"],
  [/^rknpu$/, "accelerator.rknpu", "Rockchip NPU"],
  [/^apex_\d+$/, "accelerator.coral", "Coral Edge TPU"],
  [/^hailo\d+$/, "accelerator.hailo", "Hailo NPU"],
  [/^kfd$/, "accelerator.rocm", "AMD GPU with ROCm's driver"],
];

/** On USB: vendor:product. The Coral shows the first pair until its firmware is loaded. */
const USB_DEVICES: Record<string, string> = {
  "1a6e:089a": "Coral Edge TPU (USB)",
  "18d1:9302": "Coral Edge TPU (USB)",
  "03e7:2485": "Movidius Myriad X (USB)",
};

/** GPUs and NPUs that the kernel shows. That one is there does not say that a provider of onnxruntime can use it. */
export function noteAccelerators(findings: Findings, root: Root): void {
  const before = findings.found.length;
  for (const card of filesIn(root, "/sys/class/drm", /^card\d+$/)) noteDevice(findings, root, "accelerator.gpu", card);
  for (const npu of filesIn(root, "/sys/class/accel", /^accel\d+$/)) noteDevice(findings, root, "accelerator.npu", npu);
  for (const gpu of filesIn(root, "/proc/driver/nvidia/gpus", /./)) {
    const model = plainLine(root.text(`${gpu}/information`)?.match(/^Model:(.*)$/m)?.[1]);
    if (model) findings.note("accelerator.nvidiaModel", model, `${gpu}/information`);
  }
  const driver = plainLine(root.text("/proc/driver/nvidia/version")?.split("\n")[0]);
  if (driver) findings.note("accelerator.nvidiaDriver", driver, "/proc/driver/nvidia/version");
  noteNodes(findings, root);
  noteNpuOfDevfreq(findings, root);
  noteUsb(findings, root);
  if (findings.found.length === before)
    findings.missed("accelerator", [
      ...["/sys/class/drm/card*", "/sys/class/accel", "/proc/driver/nvidia", "/sys/class/devfreq/*npu*"],
      ...[
        "/sys/bus/usb/devices",
        ...NODES.map(([name]) => `/dev/${name.source.replace(/[\^$()]/g, "").replaceAll("\\d+", "*")}`),
      ],
    ]);
}

/** `DRIVER=` and, on boards, the compatible name are in the device's uevent; on PCI the vendor is a file. */
function noteDevice(findings: Findings, root: Root, what: string, folder: string): void {
  const uevent = root.text(`${folder}/device/uevent`) ?? "";
  const driver = uevent.match(/^DRIVER=(.+)$/m)?.[1];
  const compatible = uevent.match(/^OF_COMPATIBLE_0=(.+)$/m)?.[1];
  const id = root.text(`${folder}/device/vendor`)?.trim() ?? "";
  const words = [PCI_VENDORS[id] ?? id, compatible, driver && `driver ${driver}`].filter(Boolean);
  if (words.length > 0) findings.note(what, words.join(", ").slice(0, 120), `${folder}/device/uevent`);
}

function noteNodes(findings: Findings, root: Root): void {
  for (const name of root.names("/dev"))
    for (const [pattern, what, words] of NODES) if (pattern.test(name)) findings.note(what, words, `/dev/${name}`);
}

/** Rockchip's NPU driver shows no node in /dev on the newer kernels, but always a frequency. */
function noteNpuOfDevfreq(findings: Findings, root: Root): void {
  for (const device of filesIn(root, "/sys/class/devfreq", /npu$/))
    findings.note("accelerator.npu", `NPU ${device.split("/").at(-1)}`, device);
}

function noteUsb(findings: Findings, root: Root): void {
  for (const device of filesIn(root, "/sys/bus/usb/devices", /^\d+-[\d.]+$/)) {
    const id = `${root.text(`${device}/idVendor`)?.trim()}:${root.text(`${device}/idProduct`)?.trim()}`;
    const known = USB_DEVICES[id];
    if (known) findings.note("accelerator.usb", known, `${device}/idProduct`);
  }
}
