import { readFileSync } from "node:fs";
import type { BoxView } from "../../shared/box.ts";
import type { NodeId } from "../../shared/ids.ts";
import { readFirmwareProfile } from "../../shared/profile-reader.ts";

const profileFile = new URL("../../firmware-profiles/raspberry-pi-5.json", import.meta.url);

/** What a Raspberry Pi 5 might say of itself, whose supply is too weak and which has one link. */
export const pretendBox = (peer: NodeId): BoxView => ({
  facts: {
    profile: "raspberry-pi-5",
    model: "Raspberry Pi 5 Model B Rev 1.0",
    cpuModel: "Cortex-A76",
    cores: 4,
    arch: "arm64",
    memoryTotalBytes: 8e9,
    memoryUsableBytes: 5e9,
    providers: ["cpu"],
    storage: "sd",
    fsyncMs: 7.5,
    writeBytesPerSecond: 31e6,
    vector: "asimd asimdhp asimddp",
  },
  vitals: {
    memoryFreeBytes: 6e9,
    diskFreeBytes: 2e10,
    cpuLoad: 0.1,
    temperatureC: 52,
    throttled: false,
    slowedBy: ["under-voltage"],
  },
  profile: readFirmwareProfile(JSON.parse(readFileSync(profileFile, "utf8"))),
  reason: "the device tree says so",
  others: [{ name: "generic-arm64", priority: 0, reason: "it stands in for any arm64 machine" }],
  profilesRefused: [],
  executors: 3,
  found: [{ what: "cpu.model", value: "Cortex-A76", from: "/proc/cpuinfo" }],
  missing: [{ what: "power.source", lookedAt: ["/sys/class/power_supply/*/online"] }],
  providers: [
    { name: "cpu", works: true, reason: "made a session and ran it in 30 ms" },
    { name: "cuda", works: false, reason: "there is no such library" },
  ],
  links: [{ nodeId: peer, name: "bench", state: "up", rttMs: 0.4, bytesPerSecond: 1.1e8, from: "probe" }],
});
