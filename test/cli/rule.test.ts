import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describePlacement, readRule } from "../../agent/cli/rule.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { PlacementView } from "../../shared/placement.ts";
import { type Rule, ruleText } from "../../shared/rules.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { NODE_IDS } from "../support/pretend-face.ts";
import { skein } from "../support/pretend-world.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());
const api = (): string[] => ["--api", pretend.api.url];

test.each<[string, Rule]>([
  ["pin resnet pi5", { kind: "pin", model: "resnet", on: "pi5" }],
  ["only resnet:2 zone=garage", { kind: "only", model: "resnet:2", on: "zone=garage" }],
  ["forbid * laptop", { kind: "forbid", model: "*", on: "laptop" }],
  ["replicas resnet 2-3", { kind: "replicas", model: "resnet", min: 2, max: 3 }],
  ["replicas resnet 2", { kind: "replicas", model: "resnet", min: 2 }],
  ["reserve nuc 2GB", { kind: "reserve", on: "nuc", bytes: 2e9 }],
  ["reserve nuc 500mb", { kind: "reserve", on: "nuc", bytes: 5e8 }],
  ["quiet nas 22:00-07:00", { kind: "quiet", on: "nas", from: "22:00", to: "07:00" }],
  ["battery laptop 40%", { kind: "battery", on: "laptop", percent: 40 }],
  ["heat * 75C", { kind: "heat", on: "*", celsius: 75 }],
])("%s is read as it is meant, and written as it is read", (words, rule) => {
  expect(readRule(words.split(" "))).toEqual(rule);
  expect(readRule(ruleText(rule).split(" "))).toEqual(rule);
});

test.each([
  ["pin resnet", "has three words"],
  ["pin resnet pi5 now", "has three words"],
  ["glue resnet pi5", "begins with pin"],
  ["replicas resnet 3-2", "must be at least rule.min (3), not 2"],
  ["replicas resnet many", "must be a number of boxes"],
  ["reserve nuc 2", "must be a size"],
  ["quiet nas 25:00-07:00", "must be a time of day as 22:30"],
  ["quiet nas night", "two times of day"],
  ["battery laptop 140%", "from 0 to 100"],
  ["heat pi 10C", "from 20 to 120"],
  ["pin Res/net pi5", "must be NAME"],
])("%s is refused before anyone is asked: %s", async (words, reason) => {
  const { code, err } = await skein(["rule", "add", ...words.split(" "), ...api()]);
  expect([code, err]).toEqual([2, expect.stringContaining(reason)]);
  expect(pretend.face.calls).toEqual([]);
});

test("a rule is added, listed with what it means, and taken back", async () => {
  expect(await skein(["rule", "list", ...api()])).toMatchObject({ code: 0, out: "There are no rules.\n" });
  expect(await skein(["rule", "add", "quiet", "cellar", "22:00-07:00", ...api()])).toMatchObject({
    code: 0,
    out: "rule-1: quiet cellar 22:00-07:00. cellar\n",
  });
  expect((await skein(["rule", "list", ...api()])).out).toBe(
    "RULE    ASKS                      MEANS NOW\nrule-1  quiet cellar 22:00-07:00  cellar\n",
  );
  expect(JSON.parse((await skein(["rule", "list", "--json", ...api()])).out)).toMatchObject([{ ruleId: "rule-1" }]);
  expect((await skein(["rule", "remove", "rule-1", ...api()])).out).toBe(
    "rule-1 (quiet cellar 22:00-07:00) is taken back.\n",
  );
  expect(await skein(["rule", "remove", "rule-1", ...api()])).toMatchObject({
    code: 3,
    err: "skein: There is no rule rule-1. `skein rule list` lists them.\n",
  });
});

test("a contradiction is told with every rule of it and the reason, and ends with 2", async () => {
  const facts = {
    rules: ["rule-1 (only m n2)", "the new one (pin m n0)"],
    reason: "m:1 is wanted on n0 and may not be there",
  };
  pretend.face.failures.addRule = [new SkeinError("RULES_CONFLICT", facts)];
  expect(await skein(["rule", "add", "pin", "m", "n0", ...api()])).toMatchObject({
    code: 2,
    err: "skein: These rules cannot hold together: rule-1 (only m n2), the new one (pin m n0). The reason: m:1 is wanted on n0 and may not be there. Take one of them back first.\n",
  });
});

test("the API adds, lists and removes rules, and refuses a body that is none", async () => {
  const post = async (body: unknown) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${pretend.api.url}/v1/rules`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return [response.status, ((await response.json()) as { code?: string }).code];
  };
  expect(await post({ rule: { kind: "pin", model: "m", on: "cellar" } })).toEqual([201, undefined]);
  expect(await post({ rule: { kind: "pin", model: "m", on: "cellar", now: true } })).toEqual([400, "BAD_REQUEST"]);
  expect(await post({ kind: "pin", model: "m", on: "cellar" })).toEqual([400, "BAD_REQUEST"]);
  expect(await pretend.client.rules()).toHaveLength(1);
  expect(await pretend.client.ruleRemove("rule-1")).toMatchObject({ text: "pin m cellar" });
  expect(await pretend.client.placement()).toEqual({ models: [] });
});

describe("placement", () => {
  const view: PlacementView = {
    decision: {
      kind: "placement",
      term: 3,
      madeAtMs: 1_000_000,
      because: "a model was added",
      short: [
        {
          pipeline: "llm:1",
          because: "it stands nowhere: it needs 9 GB while it loads and the largest box has 4 GB for models",
        },
      ],
      by: "solver",
      served: 4.25,
      bound: 4.3,
      solveSeconds: 0.42,
    },
    models: [
      {
        pipeline: "resnet:1",
        bytes: 98e6,
        demandPerSecond: 0.01,
        nodes: [
          { nodeId: NODE_IDS[0]!, name: "attic", state: "ready", fetched: 1 },
          { nodeId: NODE_IDS[1]!, name: "bench", state: "fetching", fetched: 0.42 },
        ],
      },
      { pipeline: "llm:1", bytes: 4.5e9, nodes: [] },
    ],
  };

  test("is a table of models and boxes, with what is served, who decided it, and what could not be", () => {
    expect(describePlacement(view, 1_012_000)).toBe(
      [
        "MODEL       SIZE   ASKED  ATTIC  BENCH",
        "resnet:1   98 MB  0.01/s  ready  fetching 42 %",
        "llm:1     4.5 GB       -  -      -",
        "",
        "Every model is served 4.3 times what is asked of it, 99 % of what no placement could beat.",
        "Decided 12 s ago by the solver in 0.4 s, because a model was added.",
        "1 wish could not be met:",
        "  llm:1: it stands nowhere: it needs 9 GB while it loads and the largest box has 4 GB for models",
        "",
      ].join("\n"),
    );
  });

  test("of a fleet without models says how to get one, and before the first decision that there is none", async () => {
    expect((await skein(["placement", ...api()])).out).toBe("There are no models. `skein model add` adds one.\n");
    pretend.face.pretendPlacement = { models: view.models };
    expect((await skein(["placement", ...api()])).out).toContain("Nothing was decided yet.\n");
    expect(JSON.parse((await skein(["placement", "--json", ...api()])).out)).toEqual({ models: view.models });
  });
});
