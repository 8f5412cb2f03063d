import {
  checkBoolean,
  checkList,
  checkNumber,
  checkOneOf,
  checkRecord,
  checkText,
  checkWhole,
  refuse,
} from "./checks.ts";
import { isNodeId, type NodeId } from "./ids.ts";
import { LIMITS } from "./limits.ts";

/** What does not change while the agent runs. */
export interface HardwareFacts {
  /** Name of the firmware profile that matched, e.g. `raspberry-pi-5`. */
  profile: string;
  /** What the board or machine calls itself. */
  model: string;
  cpuModel: string;
  cores: number;
  /** `x64` or `arm64`. */
  arch: string;
  memoryTotalBytes: number;
  /** What inference may use of it, by the profile. */
  memoryUsableBytes: number;
}

/** What changes while the agent runs. */
export interface Vitals {
  memoryFreeBytes: number;
  diskFreeBytes: number;
  /** Load of all cores together, 0 to 1. */
  cpuLoad: number;
  /** Hottest zone; absent where there is no sensor. */
  temperatureC?: number;
  /** True once the hottest zone is at or over the profile's throttling limit. */
  throttled: boolean;
}

/** Measured speed of one pipeline on one node. */
export interface PipelineRate {
  pipeline: string;
  /** All executors together. */
  itemsPerSecond: number;
  /** Where the figure comes from: a run of calibration at start, or the work done since. */
  source: "calibration" | "work";
}

/** What one node says it can do. Gossiped, signed by gossipsub under the node's key; idempotent; facts only. */
export interface CapacityReport {
  nodeId: NodeId;
  name: string;
  agentVersion: string;
  /** Milliseconds since 1970 at which this life of the agent began: a report of a later life always wins. */
  startedAtMs: number;
  /** Counts up within a life; the larger wins. */
  sequence: number;
  hardware: HardwareFacts;
  vitals: Vitals;
  executors: number;
  rates: PipelineRate[];
  /** Items this node has been leased and has not reported. */
  itemsQueued: number;
  /** Where this node's API listens, for people; empty if it is on loopback only. */
  apiUrl: string;
}

/** Larger than any box, smaller than where arithmetic on it would lose bytes. */
const BYTES_MAX = 2 ** 50;
const CORES_MAX = 4096;
const PIPELINES_MAX = 256;
/** Silicon outside this range does not compute; a sensor that says so is broken. */
const TEMPERATURE_C = { min: -60, max: 200 };

/**
 * Believes a report only once every figure is finite, in range and consistent. Fields it does not know are left out, so
 * that a newer agent's report can be read. Whoever calls this checks that the sender signed it as `nodeId`.
 * @throws BAD_REQUEST with the field and the reason.
 */
export function checkCapacityReport(value: unknown): CapacityReport {
  const report = checkRecord(value, "report");
  if (!isNodeId(report.nodeId)) refuse("nodeId", "must be a peer id");
  return {
    nodeId: report.nodeId,
    name: checkText(report.name, "name", LIMITS.nameBytesMax),
    agentVersion: checkText(report.agentVersion, "agentVersion", 64),
    startedAtMs: checkWhole(report.startedAtMs, "startedAtMs", 0),
    sequence: checkWhole(report.sequence, "sequence", 0),
    hardware: checkHardware(checkRecord(report.hardware, "hardware")),
    vitals: checkVitals(checkRecord(report.vitals, "vitals")),
    executors: checkWhole(report.executors, "executors", 0, CORES_MAX),
    rates: checkRates(report.rates),
    itemsQueued: checkWhole(report.itemsQueued, "itemsQueued", 0, LIMITS.jobItemsMax * LIMITS.jobsOpenMax),
    apiUrl: checkText(report.apiUrl, "apiUrl", LIMITS.nameBytesMax, 0),
  };
}

function checkHardware(hardware: Record<string, unknown>): HardwareFacts {
  const memoryTotalBytes = checkWhole(hardware.memoryTotalBytes, "hardware.memoryTotalBytes", 1, BYTES_MAX);
  return {
    profile: checkText(hardware.profile, "hardware.profile", LIMITS.nameBytesMax),
    model: checkText(hardware.model, "hardware.model", LIMITS.nameBytesMax),
    cpuModel: checkText(hardware.cpuModel, "hardware.cpuModel", LIMITS.nameBytesMax),
    cores: checkWhole(hardware.cores, "hardware.cores", 1, CORES_MAX),
    arch: checkOneOf(hardware.arch, "hardware.arch", ["x64", "arm64"]),
    memoryTotalBytes,
    memoryUsableBytes: checkWhole(hardware.memoryUsableBytes, "hardware.memoryUsableBytes", 0, memoryTotalBytes),
  };
}

function checkVitals(vitals: Record<string, unknown>): Vitals {
  const { min, max } = TEMPERATURE_C;
  const temperatureC = vitals.temperatureC ?? undefined;
  return {
    memoryFreeBytes: checkWhole(vitals.memoryFreeBytes, "vitals.memoryFreeBytes", 0, BYTES_MAX),
    diskFreeBytes: checkWhole(vitals.diskFreeBytes, "vitals.diskFreeBytes", 0),
    cpuLoad: checkNumber(vitals.cpuLoad, "vitals.cpuLoad", 0, 1),
    ...(temperatureC !== undefined && { temperatureC: checkNumber(temperatureC, "vitals.temperatureC", min, max) }),
    throttled: checkBoolean(vitals.throttled, "vitals.throttled"),
  };
}

function checkRates(value: unknown): PipelineRate[] {
  const rates = checkList(value, "rates", PIPELINES_MAX, (one, path): PipelineRate => {
    const rate = checkRecord(one, path);
    return {
      pipeline: checkText(rate.pipeline, `${path}.pipeline`, LIMITS.nameBytesMax),
      itemsPerSecond: checkNumber(rate.itemsPerSecond, `${path}.itemsPerSecond`, 0, 1e9),
      source: checkOneOf(rate.source, `${path}.source`, ["calibration", "work"]),
    };
  });
  const names = new Set(rates.map((rate) => rate.pipeline));
  if (names.size !== rates.length) refuse("rates", "must name each pipeline once");
  return rates;
}
