/** Where a box is not what its firmware profile says of its class. */
import type { BoxView, Finding, ProviderTrial } from "./box.ts";
import { variantFor } from "./profile.ts";

/** Facts for whoever reads them: none of them stops an agent. */
export interface Disagreement {
  /** What it is about, e.g. `cores`. */
  about: string;
  /** What the profile says. */
  expected: string;
  /** What was measured. */
  found: string;
  /** Why, as far as it can be told, or what it means. */
  because: string;
}

/** All of one box, gravest for its work first. */
export function disagreementsOf(box: BoxView): Disagreement[] {
  return [cores, memory, heat, fan, powerMode, ...(box.providers ?? []).map(provider), storage, wear]
    .map((look) => look(box))
    .filter((one) => one !== undefined);
}

type Look = (box: BoxView) => Disagreement | undefined;

const finding = ({ found }: BoxView, what: string): Finding["value"] | undefined =>
  found.find((one) => one.what === what)?.value;

const numberOf = (box: BoxView, what: string): number | undefined => {
  const value = finding(box, what);
  return typeof value === "number" ? value : undefined;
};

const gibibytes = (bytes: number): string => `${Number((bytes / 2 ** 30).toPrecision(2))} GiB`;
const gigabytesADay = (bytes: number): string => `${Number((bytes / 1e9).toPrecision(2))} GB a day`;
const celsius = (degrees: number): string => `${Math.round(degrees)} C`;

const cores: Look = (box) => {
  const [expected, usable] = [box.profile.cores, box.facts.cores];
  if (expected === undefined || expected === usable) return undefined;
  return { about: "cores", expected: `${expected}`, found: `${usable}`, because: whyFewerCores(box, expected) };
};

function whyFewerCores(box: BoxView, expected: number): string {
  const { cores: usable } = box.facts;
  if (usable > expected) return "more than the class has: perhaps another box by a similar name";
  const [quota, allowed, offline] = ["Quota", "Allowed", "Offline"].map((why) => numberOf(box, `cpu.cores${why}`));
  if (quota === usable) return "a cgroup's CPU quota allows no more";
  if (allowed === usable) return "the affinity of this process allows no more";
  if (offline !== undefined) return `${offline} are switched off, as a power mode does`;
  return "the system shows no more of them";
}

const memory: Look = (box) => {
  const { variants = [] } = box.profile;
  const machineBytes = numberOf(box, "memory.machineBytes") ?? box.facts.memoryTotalBytes;
  const variant = variantFor(box.profile, machineBytes);
  const found = gibibytes(box.facts.memoryTotalBytes);
  if (variants.length > 0 && !variant) {
    const expected = variants.map((one) => gibibytes(one.memoryBytes)).join(", ");
    const because = "a size the class is not sold with; graphics or a boot option may hold part of it";
    return { about: "memory", expected, found: gibibytes(machineBytes), because };
  }
  if (box.facts.memoryTotalBytes >= machineBytes) return undefined;
  const expected = gibibytes(variant?.memoryBytes ?? machineBytes);
  return { about: "memory", expected, found, because: "a cgroup's memory limit allows no more" };
};

const heat: Look = ({ profile, vitals }) => {
  const { temperatureC, throttled, slowedBy = [] } = vitals;
  const { throttleC } = profile.thermal;
  const expected = `slows itself from ${celsius(throttleC)} on`;
  if (temperatureC !== undefined && temperatureC >= throttleC) {
    const isSlowed = slowedBy.length > 0;
    const because = isSlowed ? `slowed by ${slowedBy.join(", ")}` : "it does not say that it is slowed";
    return { about: "heat", expected, found: celsius(temperatureC), because };
  }
  if (!throttled && slowedBy.length === 0) return undefined;
  const found = `slowed at ${temperatureC === undefined ? "an unknown temperature" : celsius(temperatureC)}`;
  return { about: "heat", expected, found, because: `the box says: ${slowedBy.join(", ") || "throttled"}` };
};

const fan: Look = ({ profile, vitals }) => {
  const { temperatureC, fanRpm } = vitals;
  if (profile.thermal.cooling !== "fan" || fanRpm !== 0) return undefined;
  if (temperatureC === undefined || temperatureC < profile.thermal.warnC) return undefined;
  const found = `still, at ${celsius(temperatureC)}`;
  return { about: "fan", expected: "turns when it is hot", found, because: "it may be stuck, or not plugged in" };
};

const powerMode: Look = (box) => {
  const { modes = [], assumes } = box.profile.power ?? {};
  const mode = finding(box, "power.mode");
  if (assumes === undefined || mode === undefined || mode === assumes) return undefined;
  const how = modes.find((one) => one.name === assumes)?.switch;
  const because = how ? `the profile's figures are for ${assumes}: ${how}` : `the profile's figures are for ${assumes}`;
  return { about: "power mode", expected: assumes, found: `${mode}`, because };
};

const provider =
  ({ name, works, reason }: ProviderTrial): Look =>
  ({ profile }) => {
    if (works || !profile.providers.includes(name)) return undefined;
    return { about: `provider ${name}`, expected: "to be tried", found: "does not load", because: reason };
  };

const storage: Look = ({ profile, facts }) => {
  const usual = profile.storage?.usual;
  if (usual === undefined || facts.storage === undefined || facts.storage === usual) return undefined;
  const because = "what it bears a day may differ from the profile's figure";
  return { about: "storage", expected: usual, found: facts.storage, because };
};

const wear: Look = (box) => {
  const { storage: limits } = box.profile;
  const written = numberOf(box, "storage.writtenPerDayBytes");
  // Of another medium than the profile speaks of, the limit says nothing.
  if (!limits || written === undefined || written <= limits.writeBytesPerDayMax) return undefined;
  if (box.facts.storage !== undefined && box.facts.storage !== limits.usual) return undefined;
  const expected = `at most ${gigabytesADay(limits.writeBytesPerDayMax)}`;
  const because = "written since the box was started, by everything on it; it wears out early so";
  return { about: "wear", expected, found: gigabytesADay(written), because };
};
