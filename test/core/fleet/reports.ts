import type { CapacityReport } from "../../../shared/capacity.ts";
import type { NodeId } from "../../../shared/ids.ts";

/** A well-formed peer id that ends in `letter`. */
export const nodeIdOf = (letter: string): NodeId => `12D3KooW${"x".repeat(43)}${letter}` as NodeId;

export const capacityReport = (nodeId: NodeId, facts: Partial<CapacityReport> = {}): CapacityReport => ({
  nodeId,
  name: "pi",
  agentVersion: "0.1.0",
  startedAtMs: 1_000,
  sequence: 0,
  hardware: {
    profile: "raspberry-pi-5",
    model: "Raspberry Pi 5 Model B Rev 1.0",
    cpuModel: "Cortex-A76",
    cores: 4,
    arch: "arm64",
    memoryTotalBytes: 8e9,
    memoryUsableBytes: 6e9,
  },
  vitals: { memoryFreeBytes: 5e9, diskFreeBytes: 2e10, cpuLoad: 0.25, temperatureC: 51.5, throttled: false },
  executors: 3,
  rates: [{ pipeline: "ocr", itemsPerSecond: 0.8, source: "calibration" }],
  itemsQueued: 0,
  apiUrl: "",
  ...facts,
});
