import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  barredBecause,
  conflictOf,
  replicaRules,
  reservedBytes,
  restsBecause,
} from "../../../agent/core/planner/index.ts";
import type { KeptRule, Rule } from "../../../shared/rules.ts";
import { nodeOf, profileOf } from "../../support/pretend-fleets.ts";

const kept = (...rules: Rule[]): KeptRule[] => rules.map((rule, i) => ({ ruleId: `rule-${i + 1}`, rule }));
const nas = nodeOf(0, { name: "nas", labels: { zone: "garage" } });
const pi = nodeOf(1, { name: "pi" });
const at = (time: string): number => Date.parse(`2026-03-05T${time}:00Z`);

describe("quiet hours", () => {
  const night = kept({ kind: "quiet", on: "nas", from: "22:00", to: "07:00" });
  test.each([
    ["21:59", false],
    ["22:00", true],
    ["23:59", true],
    ["00:00", true],
    ["06:59", true],
    ["07:00", false],
    ["12:00", false],
  ])("over midnight: at %s it rests: %s", (time, rests) => {
    expect(restsBecause(night, nas, {}, at(time)) !== undefined).toBe(rests);
  });

  test("within a day, and all day when both ends are one", () => {
    const noon = kept({ kind: "quiet", on: "*", from: "12:00", to: "13:30" });
    expect(restsBecause(noon, pi, {}, at("13:29"))).toBe("it is 13:29 there (rule-1: quiet * 12:00-13:30)");
    expect(restsBecause(noon, pi, {}, at("13:30"))).toBeUndefined();
    expect(
      restsBecause(kept({ kind: "quiet", on: "*", from: "08:00", to: "08:00" }), pi, {}, at("03:00")),
    ).toBeDefined();
  });

  test("are by the box's own clock, east and west of Greenwich", () => {
    expect(restsBecause(night, nas, { utcOffsetMinutes: 330 }, at("17:00"))).toContain("it is 22:30 there");
    expect(restsBecause(night, nas, { utcOffsetMinutes: -480 }, at("02:00"))).toBeUndefined();
    expect(restsBecause(night, nas, { utcOffsetMinutes: -480 }, at("06:00"))).toContain("it is 22:00 there");
  });

  test("another box has none, and any window is quiet for just its length of a day", () => {
    expect(restsBecause(night, pi, {}, at("23:00"))).toBeUndefined();
    const time = fc
      .tuple(fc.nat(23), fc.nat(59))
      .map(([h, m]) => `${String(h).padStart(2, "0")}:${String(m).padStart(2, "0")}`);
    const minutes = (text: string): number => 60 * Number(text.slice(0, 2)) + Number(text.slice(3));
    fc.assert(
      fc.property(time, time, fc.integer({ min: -720, max: 840 }), (from, to, utcOffsetMinutes) => {
        const rule = kept({ kind: "quiet", on: "*", from, to });
        const quiet = Array.from({ length: 1_440 }, (_, minute) =>
          restsBecause(rule, pi, { utcOffsetMinutes }, at("00:00") + 60_000 * minute),
        ).filter((reason) => reason !== undefined);
        expect(quiet).toHaveLength((minutes(to) - minutes(from) + 1_440) % 1_440 || 1_440);
      }),
      { numRuns: 15 },
    );
  });
});

test("battery rests a box that runs on it below the mark, and nothing that is plugged in or says nothing", () => {
  const rules = kept({ kind: "battery", on: "pi", percent: 40 });
  expect(restsBecause(rules, pi, { power: "battery", batteryPercent: 39.4 }, 0)).toBe(
    "it runs on battery at 39 % (rule-1: battery pi 40%)",
  );
  expect(restsBecause(rules, pi, { power: "battery", batteryPercent: 40 }, 0)).toBeUndefined();
  expect(restsBecause(rules, pi, { power: "mains", batteryPercent: 10 }, 0)).toBeUndefined();
  expect(restsBecause(rules, pi, { power: "battery" }, 0)).toBeUndefined();
});

test("heat rests a box from the ceiling on", () => {
  const rules = kept({ kind: "heat", on: "*", celsius: 75 });
  expect(restsBecause(rules, pi, { temperatureC: 75 }, 0)).toBe("it is at 75 °C (rule-1: heat * 75C)");
  expect(restsBecause(rules, pi, { temperatureC: 74.9 }, 0)).toBeUndefined();
  expect(restsBecause(rules, pi, {}, 0)).toBeUndefined();
});

test("forbid and only bar pipelines from boxes by name, label, version or all of them", () => {
  const rules = kept(
    { kind: "forbid", model: "resnet:2", on: "pi" },
    { kind: "only", model: "ocr", on: "zone=garage" },
  );
  expect(barredBecause(rules, pi, "resnet:2")).toBe("rule-1: forbid resnet:2 pi");
  expect(barredBecause(rules, pi, "resnet:1")).toBeUndefined();
  expect(barredBecause(rules, pi, "ocr")).toBe("rule-2: only ocr zone=garage");
  expect(barredBecause(rules, nas, "ocr")).toBeUndefined();
  expect(barredBecause(kept({ kind: "forbid", model: "*", on: "*" }), nas, "canary")).toBeDefined();
});

test("of several rules the strictest holds", () => {
  const rules = kept(
    { kind: "reserve", on: "*", bytes: 1e9 },
    { kind: "reserve", on: "nas", bytes: 3e9 },
    { kind: "replicas", model: "*", min: 1, max: 5 },
    { kind: "replicas", model: "resnet", min: 2, max: 3 },
  );
  expect([reservedBytes(rules, nas), reservedBytes(rules, pi)]).toEqual([3e9, 1e9]);
  const { min, max } = replicaRules(rules, "resnet:1");
  expect([min?.count, min?.by.ruleId, max?.count, max?.by.ruleId]).toEqual([2, "rule-4", 3, "rule-4"]);
  expect(replicaRules(rules, "det:1")).toMatchObject({ min: { count: 1 }, max: { count: 5 } });
});

describe("contradictions", () => {
  const figures = ["resnet:1", "det:1", "small:1"];
  const fleet = {
    nodes: [nas, pi, nodeOf(2, { name: "nuc" })].map((node) => ({
      ...node,
      profiles: figures.map((one) => profileOf(one, 5, one === "small:1" ? 50e6 : 400e6)),
    })),
    models: figures.map((pipeline) => ({ pipeline, bytes: 100e6 })),
  };
  const told = (added: Rule, ...existing: Rule[]) => {
    const conflict = conflictOf(kept(...existing), { ruleId: "new", rule: added }, fleet);
    return conflict && [conflict.rules.map(({ ruleId }) => ruleId), conflict.reason];
  };
  const pin = (model: string, on: string): Rule => ({ kind: "pin", model, on });
  const forbid = (model: string, on: string): Rule => ({ kind: "forbid", model, on });
  const only = (model: string, on: string): Rule => ({ kind: "only", model, on });
  const replicas = (model: string, min: number, max?: number): Rule => ({
    kind: "replicas",
    model,
    min,
    ...(max !== undefined && { max }),
  });
  const unrelated: Rule[] = [forbid("det", "pi"), replicas("small", 1, 2), { kind: "heat", on: "*", celsius: 80 }];

  test.each<[string, Rule, Rule[], string]>([
    [
      "a pin and a forbid",
      pin("resnet", "nas"),
      [forbid("resnet:1", "zone=garage")],
      "resnet:1 is wanted on nas and may not be there",
    ],
    ["a pin and an only", pin("resnet", "pi"), [only("*", "nas")], "resnet:1 is wanted on pi and may not be there"],
    ["two only", only("resnet", "pi"), [only("resnet", "nas")], "no box is left on which resnet:1 may be"],
    ["an only and a forbid", only("resnet", "pi"), [forbid("*", "pi")], "no box is left on which resnet:1 may be"],
    [
      "pins and the most replicas",
      pin("resnet", "*"),
      [replicas("resnet", 0, 2)],
      "resnet:1 is wanted on 3 boxes and may be on 2",
    ],
    [
      "the least and the most",
      replicas("resnet", 3),
      [replicas("*", 0, 2)],
      "resnet:1 is wanted on 3 boxes and may be on 2",
    ],
    [
      "the least and a forbid",
      replicas("resnet", 3),
      [forbid("resnet", "pi")],
      "resnet:1 is wanted on 3 boxes and may be on 2",
    ],
  ])("%s are named with the reason, and no other rule with them", (_, added, existing, reason) => {
    expect(told(added, ...unrelated, ...existing)).toEqual([[`rule-${unrelated.length + 1}`, "new"], reason]);
  });

  test("pins that no memory holds together are named, and those that would have fitted are not", () => {
    expect(told(pin("det", "pi"), pin("small", "nuc"), pin("resnet", "pi"), replicas("small", 1))).toEqual([
      ["rule-2", "new"],
      "resnet:1 and det:1 need 1.04 GB on pi, which has 1 GB for models",
    ]);
    expect(told(pin("small", "pi"), pin("resnet", "pi"))).toBeUndefined();
  });

  test("a reserve that leaves a pinned model no room is a contradiction with that pin alone", () => {
    expect(told({ kind: "reserve", on: "pi", bytes: 500e6 }, pin("small", "pi"), pin("resnet", "pi"))).toEqual([
      ["rule-2", "new"],
      "resnet:1 needs 640 MB on pi, which has 500 MB for models beside the 500 MB that are reserved",
    ]);
  });

  test("three that only together cannot hold are all named", () => {
    expect(
      told(pin("resnet", "nuc"), pin("resnet", "pi"), ...unrelated, pin("resnet", "nas"), replicas("resnet", 0, 2)),
    ).toEqual([["rule-1", "rule-5", "rule-6", "new"], "resnet:1 is wanted on 3 boxes and may be on 2"]);
  });

  test("rules that the fleet has outgrown make no contradiction of an unrelated one, nor does a label that is not there yet", () => {
    expect(told(forbid("small", "pi"), replicas("resnet", 2), only("resnet", "nas"))).toBeUndefined();
    expect(told(only("resnet", "zone=attic"), forbid("resnet", "pi"))).toBeUndefined();
    expect(told(replicas("resnet", 9), forbid("resnet", "pi"))).toBeUndefined();
  });

  test("whatever the rules, those that are named contradict one another and without any one of them they do not", () => {
    const on = fc.constantFrom("nas", "pi", "nuc", "*", "zone=garage");
    const model = fc.constantFrom("resnet", "det:1", "*");
    const rule: fc.Arbitrary<Rule> = fc.oneof(
      fc.record({ kind: fc.constantFrom("pin" as const, "only" as const, "forbid" as const), model, on }),
      fc.record({ kind: fc.constant("replicas" as const), model, min: fc.nat(3), max: fc.integer({ min: 3, max: 3 }) }),
      fc.record({
        kind: fc.constant("replicas" as const),
        model,
        min: fc.constant(0),
        max: fc.integer({ min: 1, max: 2 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 8 }), rule, (existing, added) => {
        const own = { ruleId: "new", rule: added };
        const conflict = conflictOf(kept(...existing), own, fleet);
        if (!conflict) return;
        expect(conflict.rules.at(-1)).toBe(own);
        const others = conflict.rules.slice(0, -1);
        expect(conflictOf(others, own, fleet)?.rules).toHaveLength(conflict.rules.length);
        for (const left of others)
          expect(
            conflictOf(
              others.filter((one) => one !== left),
              own,
              fleet,
            ),
          ).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});
