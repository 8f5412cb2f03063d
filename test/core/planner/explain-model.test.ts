import { describe, expect, test } from "vitest";
import {
  askWhere,
  choose,
  explainModel,
  greedy,
  type PlacementRequest,
  placementMatter,
  relaxedProgram,
} from "../../../agent/core/planner/index.ts";
import type { PlacementDecision } from "../../../shared/decision.ts";
import { drawFleet, modelOf, nodeOf, profileOf } from "../../support/pretend-fleets.ts";
import { realSolver } from "../../support/real-solver.ts";

const solver = realSolver();

const decide = (request: PlacementRequest): PlacementDecision =>
  choose(
    askWhere(request),
    { greedy: greedy(askWhere(request)), solveSeconds: 0 },
    { term: 3, madeAtMs: 1_000, because: "a model was added" },
  );

/** Two models; a large box, a small one that is too small for the large model, and one that may not have it. */
const request = (more: Partial<PlacementRequest> = {}): PlacementRequest => {
  const profiles = [profileOf("big:1", 4, 600e6), profileOf("small:1", 8, 100e6)];
  return {
    nodes: [
      nodeOf(0, { name: "nuc", profiles, memoryForModelsBytes: 4e9, class: "intel-nuc N100" }),
      nodeOf(1, { name: "pi5", profiles, memoryForModelsBytes: 0.5e9, class: "raspberry-pi-5 Cortex-A76" }),
      nodeOf(2, { name: "attic", profiles, memoryForModelsBytes: 4e9 }),
    ],
    models: [modelOf("big:1", { demandPerSecond: 2 }), modelOf("small:1", { demandPerSecond: 2 })],
    rules: [{ ruleId: "rule-1", rule: { kind: "forbid", model: "big", on: "attic" } }],
    before: [],
    ...more,
  };
};

describe("where a model stands", () => {
  const told = explainModel(decide(request()), "big:1");

  test("and why, and of every other box what stood in its way", () => {
    expect(told.says[0]).toBe(
      "big:1 stands on nuc. That was decided because a model was added; the greedy rule found it.",
    );
    const because = Object.fromEntries(told.nodes.map((node) => [node.name, node.because]));
    expect(because.nuc).toMatch(
      /^it does 4\.0 items\/s there, and gets \d+ % of the box's time; takes 960 MB of the 4 GB for models$/,
    );
    expect(because.pi5).toBe("it needs 960 MB while it loads and pi5 has 500 MB for models");
    expect(because.attic).toMatch(/rule-1/);
    expect(told.nodes.map(({ isUsed }) => isUsed)).toEqual([true, false, false]);
    expect(told.nodes[0]!.figures).toMatchObject({ memoryNeededBytes: 960e6, memoryForModelsBytes: 4e9 });
  });

  test("how far that is from what no placement could beat", () => {
    expect(told.bound!.gap).toBeGreaterThanOrEqual(0);
    expect(told.bound!.says).toMatch(/can be served \d\.\d\d times what is asked of it, at least; no placement could/);
  });

  test("why not on a box, and on one that has it: why", () => {
    const why = (node: string) => explainModel(decide(request()), "big:1", { whyNot: node }).whyNot!.says[0];
    expect(why("pi5")).toBe("It does not stand there: it needs 960 MB while it loads and pi5 has 500 MB for models.");
    expect(why("nuc")).toMatch(/^It stands there: it does 4\.0 items\/s there/);
    expect(() => why("nobody")).toThrow("nobody was no node of this fleet when that was decided");
  });

  test("a model of which nothing was decided then is refused", () => {
    expect(() => explainModel(decide(request()), "other:1")).toThrow("How other:1 was decided is not known");
  });
});

describe("what if", () => {
  const whatIf = (...changes: string[]) => explainModel(decide(request()), "big:1", { whatIf: changes }).whatIf!;

  test("a box had more memory: the model comes there, and more is served", () => {
    const told = whatIf("memory pi5 8GB");
    expect(told.after).toBeGreaterThan(1.2 * told.before);
    expect(told.nodes).toEqual([
      { name: "nuc", before: 1, after: 1 },
      { name: "pi5", before: 0, after: 1 },
    ]);
    expect(told.says.join(" ")).toMatch(
      /could be served \d+ % more.*big:1 would come to pi5.*8 GB for models instead of 500 MB/,
    );
  });

  test("the only box that can hold it went", () => {
    const told = whatIf("remove nuc");
    expect(told.nodes).toEqual([{ name: "nuc", before: 1, after: 0 }]);
    expect(told.says.join(" ")).toContain("big:1 would leave nuc");
  });

  test("a box of a known class is added", () => {
    const told = whatIf("add nuc");
    expect(told.nodes).toContainEqual({ name: "another nuc", before: 0, after: 1 });
    expect(() => whatIf("add jetson")).toThrow("was not known when this was decided");
  });
});

describe("the price of memory", () => {
  const solve = (decision: PlacementDecision) => {
    const { program, unit } = relaxedProgram(placementMatter(decision, decision.models[0]!.pipeline));
    return solver.solve(program, { timeLimitMs: 2_000 }).then((solution) => ({ solution, unit }));
  };

  test.each([
    [6, 0.2],
    [1, 0.05],
    [4, 0.05],
  ])("is what a little more of it makes of the relaxed program (fleet %i)", async (seed, memoryShare) => {
    const decision = decide(drawFleet(seed, 6, 8, memoryShare));
    const { solution, unit } = await solve(decision);
    const { binding } = explainModel(decision, decision.models[0]!.pipeline, {}, solution);
    const nodes = decision.nodes.map((node) =>
      node.name === binding!.of ? { ...node, memoryForModelsBytes: node.memoryForModelsBytes + 1e6 } : node,
    );
    const more = await solve({ ...decision, nodes });
    const gained = (more.solution.objective * more.unit - solution.objective * unit) / 1e-3;
    expect(gained).toBeGreaterThan(0);
    expect(gained).toBeCloseTo(binding!.gain, 2);
    expect(binding!.says).toContain(`Memory is worth most on ${binding!.of}: a GB more`);
  });

  test("of copies that cannot be divided is what one more would serve", async () => {
    const decision = decide(request());
    const { binding } = explainModel(decision, "big:1", {}, (await solve(decision)).solution);
    expect(binding!.of).toBe("pi5");
    expect(binding!.says).toMatch(
      /^620 MB more memory for models on pi5 would make room for big:1 there, and every model could be served \d\.\d\d times its demand more \(\d+ % more\)\.$/,
    );
  });

  test("where there is enough it is nothing, and said so", async () => {
    const roomy = request({
      rules: [],
      nodes: request().nodes.map((node) => ({ ...node, memoryForModelsBytes: 8e9 })),
    });
    const decision = decide(roomy);
    const { program } = relaxedProgram(placementMatter(decision, "big:1"));
    const { binding } = explainModel(decision, "big:1", {}, await solver.solve(program, { timeLimitMs: 2_000 }));
    expect(binding).toEqual({
      of: "memory",
      unit: "GB",
      gain: 0,
      says: "Memory holds nothing back: more of it would serve no more.",
    });
  });
});
