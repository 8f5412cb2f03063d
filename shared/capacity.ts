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
import { checkModelProfile, type ModelProfile } from "./model-profile.ts";
import { checkStageTimes, type StageTime } from "./stage-time.ts";

/** What does not change while the agent runs. */
export interface HardwareFacts {
  /** Name of the firmware profile that matched, e.g. `raspberry-pi-5`. */
  profile: string;
  /** What the board or machine calls itself. */
  model: string;
  cpuModel: string;
  cores: number;
  /** `x64`, `arm64`, or `arm`: 32 bits, which no onnxruntime is made for. */
  arch: string;
  memoryTotalBytes: number;
  /** What inference may use of it, by the profile. */
  memoryUsableBytes: number;
  /** By the profile: work is shed from the first, the device slows itself from the second. */
  warnC?: number;
  throttleC?: number;
  /** onnxruntime execution providers that made a session here, by its names. */
  providers?: string[];
  /** Where the agent's folder lies. */
  storage?: StorageKind;
  /** Median of a small write made durable, and of a long one. */
  fsyncMs?: number;
  writeBytesPerSecond?: number;
  /** Vector extensions that inference gains by, e.g. `avx2 avx512_vnni` or `asimd asimddp`. */
  vector?: string;
  /** `container docker`, `vm kvm`; absent on the bare machine. */
  inside?: string;
}

export const STORAGE_KINDS = ["nvme", "ssd", "emmc", "sd", "hdd", "memory", "network"] as const;
export type StorageKind = (typeof STORAGE_KINDS)[number];

/** What changes while the agent runs. */
export interface Vitals {
  memoryFreeBytes: number;
  /** Of what is not free, private to the agent and its executors: they could have it again. */
  memoryOwnBytes?: number;
  diskFreeBytes: number;
  /** Load of all cores together, 0 to 1. */
  cpuLoad: number;
  /** Hottest zone; absent where there is no sensor. */
  temperatureC?: number;
  /** True once the hottest zone is at or over the profile's throttling limit, or the box says that it slows itself. */
  throttled: boolean;
  /** Over the last minute. */
  temperatureTrendCPerMinute?: number;
  /** What the box says slows it, e.g. `under-voltage`, `frequency capped`. */
  slowedBy?: string[];
  power?: "mains" | "battery";
  batteryPercent?: number;
  /** Of the fastest core, now. */
  frequencyMHz?: number;
  fanRpm?: number;
  /** Of the box's own clock, for quiet hours. */
  utcOffsetMinutes?: number;
}

/** What this node measured of its link to another. */
export interface LinkSpeed {
  nodeId: NodeId;
  bytesPerSecond: number;
}

/** How far a model that was placed on this node is. */
export interface ModelState {
  pipeline: string;
  state: "fetching" | "loading" | "ready" | "failed";
  /** Of `failed`. */
  reason?: string;
  /** Of its files, on this disk. */
  bytesHere: number;
}

/** Measured speed of one pipeline on one node. */
export interface PipelineRate {
  pipeline: string;
  /** All executors together. */
  itemsPerSecond: number;
  /** Where the figure comes from: a run of calibration at start, the work done since, or until then the model's profile, from here or a box of this class. */
  source: "calibration" | "work" | "profile";
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
  /** Figures of the models here. */
  profiles?: ModelProfile[];
  links?: LinkSpeed[];
  models?: ModelState[];
  /** Of the stages of pipelines that ran here lately. */
  stageTimes?: StageTime[];
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
    ...someOf("profiles", checkList(report.profiles ?? [], "profiles", LIMITS.modelsMax, checkModelProfile)),
    ...someOf("links", checkList(report.links ?? [], "links", LIMITS.nodesMax, checkLinkSpeed)),
    ...someOf("models", checkList(report.models ?? [], "models", LIMITS.modelsMax, checkModelState)),
    ...someOf("stageTimes", checkStageTimes(report.stageTimes)),
  };
}

function checkHardware(hardware: Record<string, unknown>): HardwareFacts {
  const memoryTotalBytes = checkWhole(hardware.memoryTotalBytes, "hardware.memoryTotalBytes", 1, BYTES_MAX);
  return {
    profile: checkText(hardware.profile, "hardware.profile", LIMITS.nameBytesMax),
    model: checkText(hardware.model, "hardware.model", LIMITS.nameBytesMax),
    cpuModel: checkText(hardware.cpuModel, "hardware.cpuModel", LIMITS.nameBytesMax),
    cores: checkWhole(hardware.cores, "hardware.cores", 1, CORES_MAX),
    arch: checkOneOf(hardware.arch, "hardware.arch", ["x64", "arm64", "arm"]),
    memoryTotalBytes,
    memoryUsableBytes: checkWhole(hardware.memoryUsableBytes, "hardware.memoryUsableBytes", 0, memoryTotalBytes),
    ...optional("warnC", hardware.warnC, (value, path) => checkNumber(value, path, 0, TEMPERATURE_C.max)),
    ...optional("throttleC", hardware.throttleC, (value, path) => checkNumber(value, path, 0, TEMPERATURE_C.max)),
    ...someOf(
      "providers",
      checkList(hardware.providers ?? [], "providers", 16, (one, path) => checkText(one, path, 32)),
    ),
    ...optional("storage", hardware.storage, (value, path) => checkOneOf(value, path, STORAGE_KINDS)),
    ...optional("fsyncMs", hardware.fsyncMs, (value, path) => checkNumber(value, path, 0, 1e6)),
    ...optional("writeBytesPerSecond", hardware.writeBytesPerSecond, (value, path) =>
      checkNumber(value, path, 0, 1e12),
    ),
    ...optional("vector", hardware.vector, (value, path) => checkText(value, path, LIMITS.nameBytesMax)),
    ...optional("inside", hardware.inside, (value, path) => checkText(value, path, 64)),
  };
}

/** Absent, or as protobuf tells it: empty. */
const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === "";

function optional<K extends string, T>(
  key: K,
  value: unknown,
  check: (value: unknown, path: string) => T,
): { [P in K]?: T } {
  return isAbsent(value) ? {} : ({ [key]: check(value, key) } as { [P in K]?: T });
}

const someOf = <K extends string, T>(key: K, list: T[]): { [P in K]?: T[] } =>
  list.length === 0 ? {} : ({ [key]: list } as { [P in K]?: T[] });

function checkLinkSpeed(value: unknown, path: string): LinkSpeed {
  const link = checkRecord(value, path);
  if (!isNodeId(link.nodeId)) refuse(`${path}.nodeId`, "must be a peer id");
  return { nodeId: link.nodeId, bytesPerSecond: checkNumber(link.bytesPerSecond, `${path}.bytesPerSecond`, 0, 1e12) };
}

function checkModelState(value: unknown, path: string): ModelState {
  const model = checkRecord(value, path);
  return {
    pipeline: checkText(model.pipeline, `${path}.pipeline`, LIMITS.nameBytesMax),
    state: checkOneOf(model.state, `${path}.state`, ["fetching", "loading", "ready", "failed"]),
    ...optional("reason", model.reason, (reason, at) => checkText(reason, at, LIMITS.becauseBytesMax)),
    bytesHere: checkWhole(model.bytesHere, `${path}.bytesHere`, 0, BYTES_MAX),
  };
}

function checkVitals(vitals: Record<string, unknown>): Vitals {
  const { min, max } = TEMPERATURE_C;
  const temperatureC = vitals.temperatureC ?? undefined;
  return {
    memoryFreeBytes: checkWhole(vitals.memoryFreeBytes, "vitals.memoryFreeBytes", 0, BYTES_MAX),
    ...optional("memoryOwnBytes", vitals.memoryOwnBytes, (value, path) => checkWhole(value, path, 0, BYTES_MAX)),
    diskFreeBytes: checkWhole(vitals.diskFreeBytes, "vitals.diskFreeBytes", 0),
    cpuLoad: checkNumber(vitals.cpuLoad, "vitals.cpuLoad", 0, 1),
    ...(temperatureC !== undefined && { temperatureC: checkNumber(temperatureC, "vitals.temperatureC", min, max) }),
    throttled: checkBoolean(vitals.throttled, "vitals.throttled"),
    ...optional("temperatureTrendCPerMinute", vitals.temperatureTrendCPerMinute, (value, path) =>
      checkNumber(value, path, -1_000, 1_000),
    ),
    ...someOf(
      "slowedBy",
      checkList(vitals.slowedBy ?? [], "slowedBy", 8, (one, path) => checkText(one, path, 64)),
    ),
    ...optional("power", vitals.power, (value, path) => checkOneOf(value, path, ["mains", "battery"] as const)),
    ...optional("batteryPercent", vitals.batteryPercent, (value, path) => checkNumber(value, path, 0, 100)),
    ...optional("frequencyMHz", vitals.frequencyMHz, (value, path) => checkNumber(value, path, 0, 100_000)),
    ...optional("fanRpm", vitals.fanRpm, (value, path) => checkNumber(value, path, 0, 1e6)),
    ...optional("utcOffsetMinutes", vitals.utcOffsetMinutes, (value, path) => checkNumber(value, path, -1_440, 1_440)),
  };
}

function checkRates(value: unknown): PipelineRate[] {
  const rates = checkList(value, "rates", PIPELINES_MAX, (one, path): PipelineRate => {
    const rate = checkRecord(one, path);
    return {
      pipeline: checkText(rate.pipeline, `${path}.pipeline`, LIMITS.nameBytesMax),
      itemsPerSecond: checkNumber(rate.itemsPerSecond, `${path}.itemsPerSecond`, 0, 1e9),
      source: checkOneOf(rate.source, `${path}.source`, ["calibration", "work", "profile"]),
    };
  });
  const names = new Set(rates.map((rate) => rate.pipeline));
  if (names.size !== rates.length) refuse("rates", "must name each pipeline once");
  return rates;
}
