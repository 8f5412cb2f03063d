/** Every profile reads through its type and the published schema, names its sources, and what could not be meant is refused by its path. */
import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import {
  COOLINGS,
  type FirmwareProfile,
  OPTIONAL_FIGURES,
  PROFILE_ARCHES,
  PROFILE_FIGURES,
  PROVIDERS,
  profileForMemory,
} from "../shared/profile.ts";
import { readFirmwareProfile } from "../shared/profile-reader.ts";

const folder = new URL("../firmware-profiles/", import.meta.url);
const json = (file: string) => JSON.parse(readFileSync(new URL(file, folder), "utf8"));
const files = readdirSync(folder).filter((file) => file.endsWith(".json") && file !== "schema.json");
const read = (file: string): FirmwareProfile => readFirmwareProfile(json(file));

const schema = json("schema.json");
const fitsSchema = new Ajv({ strict: false, formats: { regex: isRegex } }).compile(schema);

function isRegex(text: string): boolean {
  try {
    return Boolean(new RegExp(text, "i"));
  } catch {
    return false;
  }
}

test("the promised devices have a profile", () => {
  expect(files.map((file) => file.replace(".json", ""))).toEqual([
    ...["amd-mini-pc", "beaglebone-black", "cloud-vm", "coral-dev-board"],
    ...["generic-arm", "generic-arm64", "generic-x64", "intel-n100", "intel-nuc"],
    ...["jetson-nano", "jetson-orin-nano", "jetson-orin-nx", "jetson-xavier-nx", "laptop"],
    ...["raspberry-pi-3b", "raspberry-pi-4b", "raspberry-pi-5", "raspberry-pi-zero-2-w", "rk3588"],
  ]);
});

describe.each(files)("%s", (file) => {
  const profile = read(file);

  test("has the name of its file", () => {
    expect(`${profile.name}.json`).toBe(file);
  });

  test("fits the published schema", () => {
    fitsSchema(json(file));
    expect(fitsSchema.errors ?? []).toEqual([]);
  });

  test("gives for every figure a document that says it, or says that it is our choice and why", () => {
    const given = OPTIONAL_FIGURES.filter((figure) => profile[figure] !== undefined);
    expect(Object.keys(profile.sources).sort()).toEqual([...PROFILE_FIGURES, ...given].sort());
    for (const source of Object.values(profile.sources))
      expect(source).toMatch(/https:\/\/|our choice: .{15}|(data sheet|product brief|manual|documentation)/);
  });

  test("is generic if it matches on the architecture alone, and then has the lowest priority", () => {
    const { arch: _, ...special } = profile.recognise;
    expect(profile.priority === 0).toBe(Object.keys(special).length === 0);
  });

  test("gives what runs elsewhere nothing to run on 32 bits", () => {
    if (profile.recognise.arch === "arm") expect(profile).toMatchObject({ executors: { max: 0 }, providers: [] });
    else expect(profile.providers).toContain("cpu");
  });
});

test("the README explains every field of a profile", () => {
  const readme = readFileSync(new URL("README.md", folder), "utf8");
  const fields = (properties: Record<string, { properties?: object; items?: { properties?: object } }>, at = "") =>
    Object.entries(properties).flatMap(([key, one]): string[] => {
      const inner = key === "sources" ? undefined : (one.properties ?? one.items?.properties);
      return inner ? fields(inner as typeof properties, `${at}${key}.`) : [`${at}${key}`];
    });
  const missing = fields(schema.properties).filter((field) => !readme.includes(`\`${field}\``));
  expect(missing).toEqual(["$schema"]);
});

test("the schema names the same choices as the reader", () => {
  const { recognise, thermal, providers, sources } = schema.properties;
  expect(recognise.properties.arch.enum).toEqual(PROFILE_ARCHES);
  expect(thermal.properties.cooling.enum).toEqual(COOLINGS);
  expect(providers.items.enum).toEqual(PROVIDERS);
  expect(Object.keys(sources.properties)).toEqual([...PROFILE_FIGURES, ...OPTIONAL_FIGURES]);
});

describe("a variant is found by the memory the system sees, which is less than what was sold", () => {
  const seen = (file: string, memoryBytes: number) => profileForMemory(read(file), memoryBytes);

  test.each([
    ["raspberry-pi-4b.json", 1.79 * 2 ** 30, 0.5],
    ["raspberry-pi-4b.json", 3884528 * 1024, 0.6],
    ["raspberry-pi-4b.json", 7.6 * 2 ** 30, 0.7],
    ["raspberry-pi-zero-2-w.json", 427 * 2 ** 20, 0.3],
    ["jetson-orin-nano.json", 6.3 * 2 ** 30, 0.6],
  ])("%s with %f bytes", (file, memoryBytes, share) => {
    expect(seen(file, memoryBytes).memoryUsableShare).toBe(share);
  });

  test("and has cores of its own", () => {
    expect(seen("jetson-orin-nx.json", 7.4 * 2 ** 30).cores).toBe(6);
    expect(seen("jetson-orin-nx.json", 15.3 * 2 ** 30).cores).toBe(8);
  });

  test("and is none for a size that was never sold: the profile holds as it is", () => {
    expect(seen("raspberry-pi-5.json", 64 * 2 ** 30)).toEqual(read("raspberry-pi-5.json"));
  });
});

/** A profile on its way to being spoilt. */
type Section = "recognise" | "executors" | "thermal" | "power" | "storage" | "sources";
type Draft = Record<Section, Record<string, unknown>> &
  Record<"variants", Record<string, unknown>[]> &
  Record<string, unknown>;
type Spoil = (profile: Draft) => unknown;

const spoilt = (change: Spoil): Draft => {
  const profile: Draft = json("jetson-nano.json");
  change(profile);
  return profile;
};

const complaintOf = (profile: Draft): string => {
  try {
    readFirmwareProfile(profile);
  } catch (error) {
    return (error as Error).message;
  }
  return "read";
};

describe("a profile is refused, by the reader and by the schema,", () => {
  test.each<[string, Spoil, string]>([
    ["with an unknown key", (p) => (p.color = "red"), "color is not known"],
    ["with a key of another unit", (p) => (p.thermal.throttleF = 176), "thermal.throttleF is not known"],
    ["with a misspelt key", (p) => (p.thermal.throtleC = 80), "did you mean throttleC?"],
    ["without a figure", (p) => delete p.executors.max, "executors.max must be a whole number"],
    ["with a share in percent", (p) => (p.memoryUsableShare = 60), "not percent; did you mean 0.6?"],
    ["with a share and its sign", (p) => (p.memoryUsableShare = "60%"), "not percent; did you mean 0.6?"],
    [
      "with a share of nothing",
      (p) => (p.memoryUsableShare = 0),
      "memoryUsableShare must be a number from 0.1 to 0.95",
    ],
    ["with millidegrees", (p) => (p.thermal.throttleC = 80_000), "not millidegrees; did you mean 80?"],
    ["with Fahrenheit", (p) => (p.thermal.throttleC = 176), "not degrees Fahrenheit; did you mean 80?"],
    ["with kelvin", (p) => (p.thermal.throttleC = 353), "not kelvin; did you mean 80?"],
    ["with gigabytes", (p) => (p.variants[0]!.memoryBytes = 2), "in bytes; did you mean 2147483648 (2 GiB)?"],
    ["with megabytes", (p) => (p.variants[0]!.memoryBytes = 2048), "did you mean 2147483648 (2048 MiB)?"],
    ["with a unit in words", (p) => (p.variants[0]!.memoryBytes = "2 GB"), "did you mean 2147483648 (2 GiB)?"],
    [
      "with gigabytes a day",
      (p) => (p.storage.writeBytesPerDayMax = 10),
      "storage.writeBytesPerDayMax must be a whole",
    ],
    ["with milliwatts", (p) => ((p.power.modes as { watts: number }[])[0]!.watts = 10_000), "did you mean 10?"],
    ["with half a core", (p) => (p.executors.coresReserved = 0.5), "executors.coresReserved must be a whole number"],
    ["for an unknown architecture", (p) => (p.recognise.arch = "riscv64"), "recognise.arch must be one of"],
    ["for one by another name", (p) => (p.recognise.arch = "ARM64"), "did you mean arm64?"],
    ["with a broken pattern", (p) => (p.recognise.deviceTree = ["pi ("]), 'did you mean "pi \\\\("?'],
    ["with a pattern that is no list", (p) => (p.recognise.dmi = "nuc"), "recognise.dmi must be a list"],
    ["with an unknown provider", (p) => (p.providers = ["gpu"]), "providers[0] must be one of"],
    ["with a provider's long name", (p) => (p.providers = ["CUDAExecutionProvider", "cpu"]), "did you mean cuda?"],
    ["without the provider that always works", (p) => (p.providers = ["cuda"]), 'providers must include "cpu"'],
    ["with no mode of power", (p) => (p.power.modes = []), "power.modes must have at least one"],
    [
      "with modes and no word of which is meant",
      (p) => delete p.power.assumes,
      "power.assumes must be one of MAXN, 5W",
    ],
    ["with a figure without a source", (p) => delete p.sources["executors.max"], "sources.executors.max must be text"],
    ["with one that may be left out, too", (p) => delete p.sources.storage, "sources.storage must be text"],
    ["with a source of nothing", (p) => (p.sources.weight = "a scale"), "sources.weight is not known"],
    ["with the source of what it lacks", (p) => Reflect.deleteProperty(p, "storage"), "sources.storage is not known"],
    ["under a name that is no file name", (p) => (p.name = "../pi"), "name must be lower-case words"],
  ])("%s", (_, change, complaint) => {
    const draft = spoilt(change);
    expect(complaintOf(draft)).toContain(complaint);
    expect(fitsSchema(draft)).toBe(false);
  });
});

describe("a profile is refused by the reader, for what no schema can say,", () => {
  test.each<[string, Spoil, string]>([
    ["that warns after the limit", (p) => (p.thermal.warnC = 99), "thermal.warnC must be below thermal.throttleC (98)"],
    ["that assumes a mode it does not name", (p) => (p.power.assumes = "15W"), "power.assumes must be one of MAXN, 5W"],
    ["with sizes in disorder", (p) => p.variants.reverse(), "variants[1].memoryBytes must be larger"],
  ])("%s", (_, change, complaint) => {
    expect(complaintOf(spoilt(change))).toContain(complaint);
  });
});
