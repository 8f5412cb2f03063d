import { checkKeys, checkList, checkNumber, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "./checks.ts";

/** A firmware profile: what cannot be measured about a class of device, and how to recognise it. One JSON file each in firmware-profiles/. */
export interface FirmwareProfile {
  name: string;
  title: string;
  /** Any one that matches is enough; a pattern is a case-insensitive regular expression. Generic profiles match on arch alone. */
  recognise: {
    deviceTree?: string[];
    dmi?: string[];
    cpu?: string[];
    arch: "x64" | "arm64" | "any";
  };
  /** Larger wins when several match. */
  priority: number;
  /** Share of total memory that inference may use, 0 to 1. */
  memoryUsableShare: number;
  executors: {
    /** Cores left for the agent and the system. */
    coresReserved: number;
    max: number;
  };
  thermal: {
    /** Shed work from here. */
    warnC: number;
    /** The device slows itself from here. */
    throttleC: number;
  };
  /** onnxruntime execution providers to try, in order. */
  providers: string[];
  /** JSON path of a figure above → where it comes from. */
  sources: Record<string, string>;
}

/** Every figure that a source must be named for. */
export const PROFILE_FIGURES = [
  "memoryUsableShare",
  "executors.coresReserved",
  "executors.max",
  "thermal.warnC",
  "thermal.throttleC",
  "providers",
] as const;

/** Execution providers by the names onnxruntime gives them. */
const PROVIDERS = ["cpu", "cuda", "tensorrt", "dml", "webgpu", "coreml", "qnn", "xnnpack"];

/**
 * Reads one profile and refuses whatever could not be meant: an unknown key, a figure out of range (a share in percent,
 * a temperature in millidegrees), a pattern that does not compile, a figure without a source.
 * @throws BAD_REQUEST with the path of the field.
 */
export function readFirmwareProfile(json: unknown): FirmwareProfile {
  const profile = checkRecord(json, "profile");
  checkKeys(profile, "", [
    ...["name", "title", "recognise", "priority", "memoryUsableShare"],
    ...["executors", "thermal", "providers", "sources"],
  ]);
  const name = checkText(profile.name, "name", 64);
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) refuse("name", `must be lower-case words joined by "-", not "${name}"`);
  const executors = checkRecord(profile.executors, "executors");
  checkKeys(executors, "executors", ["coresReserved", "max"]);
  return {
    name,
    title: checkText(profile.title, "title", 255),
    recognise: readRecognise(checkRecord(profile.recognise, "recognise")),
    priority: checkWhole(profile.priority, "priority", 0, 1000),
    memoryUsableShare: checkNumber(profile.memoryUsableShare, "memoryUsableShare", 0.1, 0.95),
    executors: {
      coresReserved: checkWhole(executors.coresReserved, "executors.coresReserved", 0, 64),
      max: checkWhole(executors.max, "executors.max", 1, 256),
    },
    thermal: readThermal(checkRecord(profile.thermal, "thermal")),
    providers: readProviders(profile.providers),
    sources: readSources(checkRecord(profile.sources, "sources")),
  };
}

function readRecognise(recognise: Record<string, unknown>): FirmwareProfile["recognise"] {
  checkKeys(recognise, "recognise", ["deviceTree", "dmi", "cpu", "arch"]);
  const patterns = (key: "deviceTree" | "dmi" | "cpu") =>
    recognise[key] === undefined ? {} : { [key]: checkList(recognise[key], `recognise.${key}`, 32, readPattern) };
  return {
    ...patterns("deviceTree"),
    ...patterns("dmi"),
    ...patterns("cpu"),
    arch: checkOneOf(recognise.arch, "recognise.arch", ["x64", "arm64", "any"]),
  };
}

function readPattern(value: unknown, path: string): string {
  const pattern = checkText(value, path, 255);
  try {
    new RegExp(pattern, "i");
  } catch (error) {
    refuse(path, `must be a regular expression: ${(error as Error).message}`);
  }
  return pattern;
}

function readThermal(thermal: Record<string, unknown>): FirmwareProfile["thermal"] {
  checkKeys(thermal, "thermal", ["warnC", "throttleC"]);
  const warnC = checkNumber(thermal.warnC, "thermal.warnC", 30, 125);
  const throttleC = checkNumber(thermal.throttleC, "thermal.throttleC", 30, 125);
  if (warnC >= throttleC) refuse("thermal.warnC", `must be below thermal.throttleC (${throttleC}), not ${warnC}`);
  return { warnC, throttleC };
}

function readProviders(value: unknown): string[] {
  const providers = checkList(value, "providers", PROVIDERS.length, (one, path) => checkOneOf(one, path, PROVIDERS));
  if (!providers.includes("cpu")) refuse("providers", 'must include "cpu", which always works');
  return providers;
}

function readSources(sources: Record<string, unknown>): Record<string, string> {
  checkKeys(sources, "sources", PROFILE_FIGURES);
  return Object.fromEntries(
    PROFILE_FIGURES.map((figure) => [figure, checkText(sources[figure], `sources.${figure}`, 1000)]),
  );
}
