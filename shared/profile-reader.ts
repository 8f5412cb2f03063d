/** Profiles come from files that people write by hand, so each refusal names the field and what was probably meant. */
import { STORAGE_KINDS } from "./capacity.ts";
import { checkBoolean, checkList, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "./checks.ts";
import {
  COOLINGS,
  type FirmwareProfile,
  OPTIONAL_FIGURES,
  type PowerMode,
  PROFILE_ARCHES,
  PROFILE_FIGURES,
  PROVIDERS,
  type ProfileVariant,
} from "./profile.ts";
import { checkBytes, checkCelsius, checkKnown, checkKnownKeys, checkShare, checkWatts } from "./profile-units.ts";

/**
 * Reads one profile and refuses whatever could not be meant: an unknown key, a figure out of range (a share in percent,
 * a temperature in millidegrees, gigabytes for bytes), a pattern that does not compile, a figure without a source.
 * @throws BAD_REQUEST with the path of the field and, where it can be told, what was meant.
 */
export function readFirmwareProfile(json: unknown): FirmwareProfile {
  const profile = checkRecord(json, "profile");
  checkKnownKeys(profile, "", [
    ...["$schema", "name", "title", "recognise", "priority", "cores", "memoryUsableShare", "variants"],
    ...["executors", "thermal", "power", "storage", "providers", "notes", "sources"],
  ]);
  const name = checkText(profile.name, "name", 64);
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) refuse("name", `must be lower-case words joined by "-", not "${name}"`);
  const executors = readExecutors(checkRecord(profile.executors, "executors"));
  const given = OPTIONAL_FIGURES.filter((figure) => profile[figure] !== undefined);
  return {
    name,
    title: checkText(profile.title, "title", 255),
    recognise: readRecognise(checkRecord(profile.recognise, "recognise")),
    priority: checkWhole(profile.priority, "priority", 0, 1000),
    ...optional("cores", profile.cores, readCores),
    memoryUsableShare: readUsableShare(profile.memoryUsableShare, "memoryUsableShare"),
    ...optional("variants", profile.variants, readVariants),
    executors,
    thermal: readThermal(checkRecord(profile.thermal, "thermal")),
    ...optional("power", profile.power, readPower),
    ...optional("storage", profile.storage, readStorage),
    providers: readProviders(profile.providers, executors.max),
    notes: checkList(profile.notes ?? [], "notes", 8, (one, path) => checkText(one, path, 255)),
    sources: readSources(checkRecord(profile.sources, "sources"), [...PROFILE_FIGURES, ...given]),
  };
}

function optional<K extends string, T>(key: K, value: unknown, read: (value: unknown, path: string) => T) {
  return (value === undefined ? {} : { [key]: read(value, key) }) as { [P in K]?: T };
}

const readCores = (value: unknown, path: string): number => checkWhole(value, path, 1, 256);
const readUsableShare = (value: unknown, path: string): number => checkShare(value, path, 0.1, 0.95);

function readRecognise(recognise: Record<string, unknown>): FirmwareProfile["recognise"] {
  checkKnownKeys(recognise, "recognise", ["deviceTree", "dmi", "cpu", "virtual", "portable", "arch"]);
  const patterns = (key: "deviceTree" | "dmi" | "cpu") =>
    recognise[key] === undefined ? {} : { [key]: checkList(recognise[key], `recognise.${key}`, 32, readPattern) };
  const condition = (key: "virtual" | "portable") =>
    recognise[key] === undefined ? {} : { [key]: checkBoolean(recognise[key], `recognise.${key}`) };
  return {
    ...patterns("deviceTree"),
    ...patterns("dmi"),
    ...patterns("cpu"),
    ...condition("virtual"),
    ...condition("portable"),
    arch: checkKnown(recognise.arch, "recognise.arch", PROFILE_ARCHES),
  };
}

function readPattern(value: unknown, path: string): string {
  const pattern = checkText(value, path, 255);
  try {
    new RegExp(pattern, "i");
  } catch (error) {
    const literal = pattern.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    const meant = `did you mean ${JSON.stringify(literal)}?`;
    refuse(path, `must be a regular expression: ${(error as Error).message}; ${meant}`);
  }
  return pattern;
}

/** @throws BAD_REQUEST unless the sizes go up: the first that fits is taken. */
function readVariants(value: unknown, path: string): ProfileVariant[] {
  const variants = checkList(value, path, 16, (one, at): ProfileVariant => {
    const variant = checkRecord(one, at);
    checkKnownKeys(variant, at, ["memoryBytes", "memoryUsableShare", "cores"]);
    return {
      memoryBytes: checkBytes(variant.memoryBytes, `${at}.memoryBytes`),
      ...optional("memoryUsableShare", variant.memoryUsableShare, (share) =>
        readUsableShare(share, `${at}.memoryUsableShare`),
      ),
      ...optional("cores", variant.cores, (cores) => readCores(cores, `${at}.cores`)),
    };
  });
  const wrong = variants.findIndex((one, i) => i > 0 && one.memoryBytes <= variants[i - 1]!.memoryBytes);
  if (wrong > 0) refuse(`${path}[${wrong}].memoryBytes`, "must be larger than the one before");
  return variants;
}

function readExecutors(executors: Record<string, unknown>): FirmwareProfile["executors"] {
  checkKnownKeys(executors, "executors", ["coresReserved", "max"]);
  return {
    coresReserved: checkWhole(executors.coresReserved, "executors.coresReserved", 0, 64),
    max: checkWhole(executors.max, "executors.max", 0, 256),
  };
}

function readThermal(thermal: Record<string, unknown>): FirmwareProfile["thermal"] {
  checkKnownKeys(thermal, "thermal", ["warnC", "throttleC", "cooling"]);
  const warnC = checkCelsius(thermal.warnC, "thermal.warnC");
  const throttleC = checkCelsius(thermal.throttleC, "thermal.throttleC");
  if (warnC >= throttleC) refuse("thermal.warnC", `must be below thermal.throttleC (${throttleC}), not ${warnC}`);
  return { warnC, throttleC, cooling: checkKnown(thermal.cooling, "thermal.cooling", COOLINGS) };
}

function readPower(value: unknown, path: string): NonNullable<FirmwareProfile["power"]> {
  const power = checkRecord(value, path);
  checkKnownKeys(power, path, ["supply", "fullLoadWatts", "modes", "assumes"]);
  const modes = power.modes === undefined ? undefined : checkList(power.modes, `${path}.modes`, 16, readPowerMode);
  if (modes?.length === 0) refuse(`${path}.modes`, "must have at least one mode, or be left out");
  if (!modes && power.assumes !== undefined) refuse(`${path}.assumes`, `needs ${path}.modes to name one of`);
  const names = modes?.map((mode) => mode.name) ?? [];
  return {
    ...optional("supply", power.supply, (text) => checkText(text, `${path}.supply`, 255)),
    ...optional("fullLoadWatts", power.fullLoadWatts, (watts) => checkWatts(watts, `${path}.fullLoadWatts`)),
    ...(modes && { modes, assumes: checkOneOf(power.assumes, `${path}.assumes`, names) }),
  };
}

function readPowerMode(value: unknown, path: string): PowerMode {
  const mode = checkRecord(value, path);
  checkKnownKeys(mode, path, ["name", "watts", "switch"]);
  return {
    name: checkText(mode.name, `${path}.name`, 64),
    watts: checkWatts(mode.watts, `${path}.watts`),
    ...optional("switch", mode.switch, (text) => checkText(text, `${path}.switch`, 255)),
  };
}

function readStorage(value: unknown, path: string): NonNullable<FirmwareProfile["storage"]> {
  const storage = checkRecord(value, path);
  checkKnownKeys(storage, path, ["usual", "writeBytesPerDayMax"]);
  return {
    usual: checkKnown(storage.usual, `${path}.usual`, STORAGE_KINDS),
    writeBytesPerDayMax: checkBytes(storage.writeBytesPerDayMax, `${path}.writeBytesPerDayMax`),
  };
}

function readProviders(value: unknown, executorsMax: number): string[] {
  const providers = checkList(value, "providers", PROVIDERS.length, (one, path) => checkKnown(one, path, PROVIDERS));
  if (executorsMax > 0 && !providers.includes("cpu")) refuse("providers", 'must include "cpu", which always works');
  return providers;
}

/** @throws BAD_REQUEST for a figure without a source, and for a source without a figure. */
function readSources(sources: Record<string, unknown>, figures: readonly string[]): Record<string, string> {
  checkKnownKeys(sources, "sources", figures);
  return Object.fromEntries(figures.map((figure) => [figure, checkText(sources[figure], `sources.${figure}`, 1000)]));
}
