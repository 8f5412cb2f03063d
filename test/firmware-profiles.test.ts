/** Every profile reads through its type, names its sources, and what could not be meant is refused by its path. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type FirmwareProfile, PROFILE_FIGURES, readFirmwareProfile } from "../shared/profile.ts";

const folder = new URL("../firmware-profiles/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
const read = (file: string): FirmwareProfile =>
  readFirmwareProfile(JSON.parse(readFileSync(new URL(file, folder), "utf8")));

test("the promised devices have a profile", () => {
  expect(files.map((file) => file.replace(".json", ""))).toEqual(
    expect.arrayContaining([
      ...["raspberry-pi-4b", "raspberry-pi-5", "jetson-orin-nano", "intel-nuc", "rk3588"],
      ...["generic-arm64", "generic-x64"],
    ]),
  );
});

describe.each(files)("%s", (file) => {
  const profile = read(file);

  test("has the name of its file", () => {
    expect(`${profile.name}.json`).toBe(file);
  });

  test("gives for every figure a place where it can be looked up, or says that it is our choice and why", () => {
    for (const figure of PROFILE_FIGURES) expect(profile.sources[figure]).toMatch(/https:\/\/|our choice: .{15}/);
  });

  test("is generic if it matches on the architecture alone, and then has the lowest priority", () => {
    const { deviceTree, dmi, cpu } = profile.recognise;
    expect(profile.priority === 0).toBe(!deviceTree && !dmi && !cpu);
  });
});

test("the README explains every field of a profile", () => {
  const readme = readFileSync(new URL("README.md", folder), "utf8");
  const named = [...PROFILE_FIGURES, "name", "title", "recognise.arch", "recognise.deviceTree", "priority", "sources"];
  for (const field of named) expect(readme).toContain(`\`${field}\``);
});

/** A profile on its way to being spoilt. */
type Section = "recognise" | "executors" | "thermal" | "sources";
type Draft = Record<Section, Record<string, unknown>> & Record<string, unknown>;

describe("a profile is refused", () => {
  const refused = (change: (profile: Draft) => void): string => {
    const profile: Draft = JSON.parse(readFileSync(new URL("raspberry-pi-5.json", folder), "utf8"));
    change(profile);
    try {
      readFirmwareProfile(profile);
    } catch (error) {
      return (error as Error).message;
    }
    return "read";
  };

  test.each<[string, (profile: Draft) => void, string]>([
    ["with an unknown key", (p) => (p.color = "red"), "color is not known"],
    ["with a misspelt key inside", (p) => (p.thermal.throttleF = 176), "thermal.throttleF is not known"],
    ["without a figure", (p) => delete p.executors.max, "executors.max must be a whole number"],
    [
      "with a share in percent",
      (p) => (p.memoryUsableShare = 60),
      "memoryUsableShare must be a number from 0.1 to 0.95",
    ],
    ["with millidegrees", (p) => (p.thermal.throttleC = 80_000), "thermal.throttleC must be a number from 30 to 125"],
    ["that warns after the limit", (p) => (p.thermal.warnC = 85), "thermal.warnC must be below thermal.throttleC (80)"],
    ["with half a core", (p) => (p.executors.coresReserved = 0.5), "executors.coresReserved must be a whole number"],
    ["for an unknown architecture", (p) => (p.recognise.arch = "riscv64"), "recognise.arch must be one of"],
    ["with a broken pattern", (p) => (p.recognise.deviceTree = ["pi ("]), "recognise.deviceTree[0] must be a regular"],
    ["with a pattern that is no list", (p) => (p.recognise.dmi = "nuc"), "recognise.dmi must be a list"],
    ["with an unknown provider", (p) => (p.providers = ["gpu"]), "providers[0] must be one of"],
    ["without the provider that always works", (p) => (p.providers = ["cuda"]), 'providers must include "cpu"'],
    ["with a figure without a source", (p) => delete p.sources["executors.max"], "sources.executors.max must be text"],
    ["with a source of nothing", (p) => (p.sources.weight = "a scale"), "sources.weight is not known"],
    ["under a name that is no file name", (p) => (p.name = "../pi"), "name must be lower-case words"],
  ])("%s", (_, change, complaint) => {
    expect(refused(change)).toContain(complaint);
  });
});
