import { expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { fleetSettings, settingFault, settingOf, settingsOf } from "../../shared/settings.ts";

test("the fleet's own settings have their defaults until someone sets them", () => {
  expect(fleetSettings(new Map())).toEqual({
    votersMax: LIMITS.votersMax,
    copies: LIMITS.copiesDefault,
    deliveryMBps: 0,
    keepJobsDays: 30,
    keepJobsMax: 10_000,
    voterGoneAfterSeconds: 600,
  });
  expect(fleetSettings(new Map([["votersMax", "3"]]))).toMatchObject({ votersMax: 3, voterGoneAfterSeconds: 600 });
});

test("what is shown are the values set and the defaults, by name", () => {
  const set = new Map([
    ["site", "cellar"],
    ["votersMax", "3"],
  ]);
  expect(settingsOf(set)).toEqual([
    { name: "copies", value: "2", isDefault: true },
    { name: "deliveryMBps", value: "0", isDefault: true },
    { name: "keepJobsDays", value: "30", isDefault: true },
    { name: "keepJobsMax", value: "10000", isDefault: true },
    { name: "site", value: "cellar" },
    { name: "voterGoneAfterSeconds", value: "600", isDefault: true },
    { name: "votersMax", value: "3" },
  ]);
  expect(settingOf(set, "nothing")).toEqual({ name: "nothing", value: "" });
});

test.each([
  ["a", ""],
  ["a.b-C9", "ä".repeat(LIMITS.settingBytesMax / 2)],
  ["x".repeat(64), "two\nlines"],
  ["votersMax", "1"],
  ["votersMax", ""],
  ["voterGoneAfterSeconds", "604800"],
])("%s may be set", (name, value) => expect(settingFault(name, value)).toBeUndefined());

test.each([
  ["a/b", "1"],
  [`x${"y".repeat(64)}`, "1"],
  ["__proto__", "1"],
  ["a", `ä${"x".repeat(LIMITS.settingBytesMax - 1)}`],
  ["a", "\ud800"],
  ["votersMax", "0"],
  ["votersMax", "1e0"],
  ["votersMax", "-1"],
  ["voterGoneAfterSeconds", "604801"],
])("%s may not be set to that", (name, value) => expect(settingFault(name, value)).toEqual(expect.any(String)));
