import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  askWhere,
  boundOf,
  type Candidate,
  candidate,
  choose,
  greedy,
  isBetter,
  type PlacementRequest,
  placementProgram,
  type Question,
  readPlacement,
  readShares,
  rounded,
  serve,
  sharesProgram,
  standingOf,
  sureOf,
} from "../../../../agent/core/planner/index.ts";
import type { PlacementNode } from "../../../../shared/decision.ts";
import type { Rule } from "../../../../shared/rules.ts";
import { drawFleet, modelOf, nodeNumber, nodeOf, profileOf } from "../../../support/pretend-fleets.ts";
import { realSolver } from "../../../support/real-solver.ts";

const solver = realSolver();
const OCCASION = { term: 1, madeAtMs: 0, because: "a test" };
const rules = (...all: Rule[]) => all.map((rule, i) => ({ ruleId: `rule-${i + 1}`, rule }));

async function solved(question: Question, seed = greedy(question)): Promise<Candidate> {
  const program = placementProgram(question, seed);
  const solution = await solver.solve(program.program, { timeLimitMs: 10_000, gap: 1e-6, start: program.start });
  return readPlacement(question, program, solution)!;
}

/** The exact share of one placement. */
async function exactShare({ models, nodes, rate }: Question, placed: Uint8Array): Promise<number> {
  const works = models.map(({ pipeline, demandPerSecond }, m) => ({
    id: pipeline,
    amount: demandPerSecond,
    rates: nodes.map((_, i) => (placed[m * nodes.length + i] ? rate[m * nodes.length + i]! : 0)),
  }));
  return readShares(works, await solver.solve(sharesProgram(works), { timeLimitMs: 5_000 }))!.share;
}

const nodesOf = (request: PlacementRequest, found?: Candidate): Record<string, string[]> => {
  const question = askWhere(request);
  const decision = choose(question, { greedy: found ?? greedy(question), solveSeconds: 0 }, OCCASION);
  return Object.fromEntries(
    decision.replicas.map(({ pipeline, nodes }) => [
      pipeline,
      nodes.map((nodeId) => request.nodes.find((node) => node.nodeId === nodeId)!.name),
    ]),
  );
};
const shortOf = (request: PlacementRequest): string[] => {
  const question = askWhere(request);
  const answers = { greedy: greedy(question), solveSeconds: 0 };
  return choose(question, answers, OCCASION).short.map(({ pipeline, because }) => `${pipeline}: ${because}`);
};

/** Every model quick everywhere, `bytes` in memory. */
const alike =
  (pipelines: string[], bytes: number, speeds: number[] = []) =>
  (i: number, more = {}) =>
    nodeOf(i, { profiles: pipelines.map((one) => profileOf(one, speeds[i] ?? 10, bytes)), ...more });

describe("what a placement serves", () => {
  test("is what the exact program says, to 3 % and never more; and the bound is never less", async () => {
    for (const seed of [1, 2, 3, 4]) {
      const question = askWhere(drawFleet(seed, 8, 15));
      const { placed } = greedy(question);
      const exact = await exactShare(question, placed);
      const { share, bound, time } = serve(question, placed);
      expect(share / exact).toBeGreaterThan(0.97);
      expect(share / exact).toBeLessThan(1 + 1e-6);
      expect(bound / exact).toBeGreaterThan(1 - 1e-6);
      const spent = question.nodes.map((_, i) => question.models.reduce((sum, _m, m) => sum + time[m * 15 + i]!, 0));
      for (const one of spent) expect(one).toBeLessThanOrEqual(1 + 1e-9);
    }
  });
});

describe("against every placement there is", () => {
  /** Of fleets so small that all can be looked at. */
  async function bestOfAll(question: Question): Promise<{ share: number; nowhere: number; missing: number }> {
    const open = [...question.rate.keys()].filter((pair) => question.rate[pair]! > 0);
    const N = question.nodes.length;
    let best: Candidate | undefined;
    const all: Candidate[] = [];
    for (let bits = 0; bits < 2 ** open.length; bits++) {
      const placed = new Uint8Array(question.rate.length);
      for (const [k, pair] of open.entries()) placed[pair] = (bits >> k) & 1;
      const used = new Float64Array(N);
      for (const pair of open) if (placed[pair]) used[pair % N]! += question.takes[pair]!;
      if (used.some((bytes, i) => bytes > question.memory[i]!)) continue;
      const one = candidate(question, placed);
      if (question.models.some((_, m) => countOf(question, placed, m) > question.max[m]!)) continue;
      all.push(one);
      if (!best || isBetter(one, best)) best = one;
    }
    // The quick share is a little low, so that the exact one is taken of all that come near.
    const { nowhere, missing, served } = best!;
    const near = all.filter(
      (one) => one.nowhere === nowhere && one.missing === missing && one.served.share > 0.95 * served.share,
    );
    let share = 0;
    for (const one of near.slice(0, 40)) share = Math.max(share, await exactShare(question, one.placed));
    return { share, nowhere, missing };
  }

  test.each([11, 12, 13, 14, 15, 16])(
    "the solver's is the best on a fleet of 3 models and 3 boxes (seed %i)",
    async (seed) => {
      const question = askWhere(drawFleet(seed, 3, 3, 0.5));
      const found = await solved(question);
      const best = await bestOfAll(question);
      expect({ nowhere: found.nowhere, missing: found.missing }).toEqual({
        nowhere: best.nowhere,
        missing: best.missing,
      });
      // Moves are weighed too, a hundredth for each minute.
      expect(await exactShare(question, found.placed)).toBeGreaterThan(
        best.share * (0.995 - 0.01 * (found.moveSeconds / 60)),
      );
    },
  );

  test("no bound of the relaxed program is below what is served, and rounding it keeps to the memory", async () => {
    for (const seed of [21, 22, 23, 24, 25]) {
      const question = askWhere(drawFleet(seed, 6, 12, 0.5));
      const seedling = greedy(question);
      const relaxed = placementProgram(question, seedling, true);
      const solution = await solver.solve(relaxed.program, { timeLimitMs: 5_000 });
      const bound = boundOf(relaxed, solution)!;
      const round = rounded(question, sureOf(question, relaxed, solution));
      const best = await solved(question, isBetter(round, seedling) ? round : seedling);
      for (const one of [seedling, round, best]) {
        expectWithinMemory(question, one.placed);
        if (one.nowhere === 0 && one.missing === 0) expect(one.served.share).toBeLessThanOrEqual(bound * (1 + 1e-6));
      }
      expect(isBetter(seedling, best)).toBe(false);
    }
  });
});

const countOf = ({ nodes }: Question, placed: Uint8Array, m: number): number =>
  placed.subarray(m * nodes.length, (m + 1) * nodes.length).reduce((sum, one) => sum + one, 0);

function expectWithinMemory({ nodes, memory, takes }: Question, placed: Uint8Array): void {
  const used = new Float64Array(nodes.length);
  for (const [pair, one] of placed.entries()) if (one) used[pair % nodes.length]! += takes[pair]!;
  for (const [i, bytes] of used.entries()) expect(bytes).toBeLessThanOrEqual(memory[i]! + 1);
}

const drawn = fc.record({
  seed: fc.integer({ min: 1, max: 1e6 }),
  models: fc.integer({ min: 1, max: 8 }),
  nodes: fc.integer({ min: 1, max: 12 }),
  memory: fc.double({ min: 0.1, max: 2, noNaN: true }),
});

describe("whatever the fleet", () => {
  test("no memory is overrun, no model stands where it may not, and a replica that is missing has its reason", () => {
    fc.assert(
      fc.property(drawn, ({ seed, models, nodes, memory }) => {
        const question = askWhere(drawFleet(seed, models, nodes, memory));
        const found = greedy(question);
        expectWithinMemory(question, found.placed);
        const { short, replicas } = choose(question, { greedy: found, solveSeconds: 0 }, OCCASION);
        for (const [m, model] of question.models.entries()) {
          const count = countOf(question, found.placed, m);
          expect(replicas[m]!.nodes).toHaveLength(count);
          if (count < Math.max(1, question.min[m]!))
            expect(short.map(({ pipeline }) => pipeline)).toContain(model.pipeline);
        }
        for (const [pair, placed] of found.placed.entries()) if (placed) expect(question.rate[pair]).toBeGreaterThan(0);
      }),
      { numRuns: 150 },
    );
  });

  test("in another order it is the same placement, and demands and speeds in other units change nothing", () => {
    fc.assert(
      fc.property(drawn, fc.constantFrom(0.01, 0.5, 2, 64), ({ seed, models, nodes, memory }, times) => {
        const request = drawFleet(seed, models, nodes, memory);
        const turned = { ...request, nodes: [...request.nodes].reverse(), models: [...request.models].reverse() };
        const question = askWhere(request);
        const found = greedy(question);
        expect(greedy(askWhere(turned)).placed).toEqual(found.placed);
        const busier = request.models.map((one) => ({ ...one, demandPerSecond: one.demandPerSecond * times }));
        const scaled = greedy(askWhere({ ...request, models: busier }));
        expect(scaled.placed).toEqual(found.placed);
        if (Number.isFinite(found.served.share)) expect(scaled.served.share).toBeCloseTo(found.served.share / times, 6);
      }),
      { numRuns: 60 },
    );
  });
});

describe("rules", () => {
  const node = alike(["a:1", "b:1"], 200e6);
  const request = (more: Partial<PlacementRequest> = {}): PlacementRequest => ({
    nodes: [node(0), node(1, { labels: { zone: "garage" } }), node(2)],
    models: [modelOf("a:1", { replicasMax: 3 }), modelOf("b:1", { replicasMax: 3 })],
    rules: [],
    before: [],
    ...more,
  });

  test("a model that is pinned stands there, one that is forbidden does not, and one that is only somewhere is nowhere else", () => {
    expect(nodesOf(request({ rules: rules({ kind: "pin", model: "a", on: "n2" }) }))["a:1"]).toContain("n2");
    expect(nodesOf(request({ rules: rules({ kind: "forbid", model: "*", on: "n0" }) }))["a:1"]).not.toContain("n0");
    expect(nodesOf(request({ rules: rules({ kind: "only", model: "b:1", on: "zone=garage" }) }))["b:1"]).toEqual([
      "n1",
    ]);
  });

  test("no more replicas than a rule allows, and with too few boxes for a rule the reason", () => {
    const most = request({ models: [modelOf("a:1", { replicasMin: 1, replicasMax: 1 })] });
    expect(nodesOf(most)["a:1"]).toHaveLength(1);
    const many = rules({ kind: "replicas", model: "a", min: 4 }, { kind: "forbid", model: "a", on: "n0" });
    expect(shortOf(request({ rules: many, models: [modelOf("a:1", { replicasMin: 4 })] }))).toEqual([
      "a:1: rule-1 wants it on 4 boxes and 2 can hold it",
    ]);
  });

  test("pins that the memory cannot hold are met as far as they go, with the reason", () => {
    const tight = (i: number): PlacementNode => node(i, { memoryForModelsBytes: 400e6 });
    const pins = rules({ kind: "pin", model: "a", on: "n0" }, { kind: "pin", model: "b", on: "n0" });
    const asked = request({ nodes: [tight(0), tight(1)], rules: pins });
    expect(nodesOf(asked)["a:1"]).toContain("n0");
    expect(shortOf(asked)).toEqual([
      "b:1: it is not on n0, where rule-2 wants it: 80 MB is left of its memory beside what else is pinned there",
    ]);
  });
});

describe("reasons", () => {
  test("a model that is too large for every box says what it needs and what the largest has", () => {
    const request = {
      nodes: [nodeOf(0, { memoryForModelsBytes: 500e6 }), nodeOf(1, { memoryForModelsBytes: 900e6 })],
      models: [modelOf("resnet:1", { bytes: 552e6 })],
      rules: [],
      before: [],
    };
    expect(shortOf(request)).toEqual([
      "resnet:1: it stands nowhere: it needs 1.2 GB while it loads and the largest box has 900 MB for models",
    ]);
  });

  test("a model that was crowded out says beside what is left", () => {
    const node = alike(["a:1", "b:1"], 500e6);
    const request = {
      nodes: [node(0, { memoryForModelsBytes: 900e6 })],
      models: [modelOf("a:1"), modelOf("b:1")],
      rules: [],
      before: [],
    };
    expect(shortOf(request)).toEqual([
      "b:1: it stands nowhere: it needs 800 MB while it loads, and beside what else stands there the nearest to it, n0, has 100 MB left",
    ]);
  });

  test("a model that failed to load on a box is not given to it, but where all failed it stays and says so", () => {
    const failed = [{ pipeline: "a:1", because: "no such operator" }];
    const node = alike(["a:1"], 100e6);
    const request = (nodes: PlacementNode[]) => ({ nodes, models: [modelOf("a:1")], rules: [], before: [] });
    expect(nodesOf(request([node(0, { failed }), node(1)]))["a:1"]).toEqual(["n1"]);
    expect(nodesOf(request([node(0, { failed })]))["a:1"]).toEqual(["n0"]);
    expect(shortOf(request([node(0, { failed })]))).toEqual([
      "a:1: it failed on every box that could have it, and is tried again there: no such operator",
    ]);
  });

  test("what was not measured on a box is taken from one of its class, else guessed, and that is said", () => {
    const measured = nodeOf(0, { class: "pi", profiles: [profileOf("a:1", 8, 100e6)] });
    const nodes = [measured, nodeOf(1, { class: "pi", executors: 2 }), nodeOf(2, { class: "nuc" })];
    const question = askWhere({ nodes, models: [modelOf("a:1", { bytes: 50e6 })], rules: [], before: [] });
    expect([...question.rate]).toEqual([8, 16, 8].map((rate) => expect.closeTo(rate)));
    expect([...question.takes]).toEqual([160e6, 320e6, 196e6]);
    expect(question.notes).toEqual([
      "not measured there nor on a box of its class, so taken from the model's size and the slowest speed that is known: a:1 on n2",
    ]);
  });
});

describe("what stands", () => {
  const node = alike(["a:1"], 200e6, [10, 10, 10.2]);
  const request = (more: Partial<PlacementRequest> = {}): PlacementRequest => ({
    nodes: [node(0), node(1), node(2)],
    models: [modelOf("a:1", { replicasMin: 1, replicasMax: 1 })],
    rules: [],
    before: [{ pipeline: "a:1", nodes: [nodeNumber(0)] }],
    ...more,
  });
  const decide = (asked: PlacementRequest) => {
    const question = askWhere(asked);
    const standing = standingOf(question);
    return choose(question, { greedy: greedy(question), ...(standing && { standing }), solveSeconds: 0 }, OCCASION);
  };

  test("stays for a gain of a few percent, and is moved for more", () => {
    expect(decide(request())).toMatchObject({ by: "kept", replicas: [{ nodes: [nodeNumber(0)] }] });
    const quick = alike(["a:1"], 200e6, [10, 10, 20]);
    const moved = decide(request({ nodes: [quick(0), quick(1), quick(2)] }));
    expect(moved).toMatchObject({
      by: "greedy",
      replicas: [{ nodes: [nodeNumber(2)] }],
      served: expect.closeTo(20, 0),
    });
  });

  test("is moved at once when its box may not have it any more", () => {
    const forbidden = rules({ kind: "forbid", model: "a", on: "n0" });
    expect(decide(request({ rules: forbidden })).replicas[0]!.nodes).toEqual([nodeNumber(2)]);
    const gone = [node(0, { eligible: false, whyNot: "it is gone" }), node(1), node(2)];
    expect(decide(request({ nodes: gone })).replicas[0]!.nodes).toEqual([nodeNumber(2)]);
  });

  test("stays on a box that rests, and stands elsewhere as well until it is back", () => {
    const rests = { eligible: false, whyNot: "it is 23:00 there", rests: true as const };
    const { replicas } = decide(request({ nodes: [node(0, rests), node(1), node(2)] }));
    expect(replicas[0]!.nodes).toEqual([nodeNumber(0), nodeNumber(2)]);
  });

  test("counts for what it takes once it is settled, so that it stays where its peak would not fit again", () => {
    const tight = [node(0, { memoryForModelsBytes: 210e6 }), node(1, { memoryForModelsBytes: 300e6 })];
    expect(decide(request({ nodes: tight }))).toMatchObject({ by: "kept" });
    expect(shortOf(request({ nodes: tight, before: [] }))).toHaveLength(1);
  });

  test("what nobody may beat is never below what is served", () => {
    for (const seed of [1, 2, 3]) {
      const question = askWhere(drawFleet(seed, 5, 9, 0.5));
      const { served, bound } = choose(question, { greedy: greedy(question), solveSeconds: 0 }, OCCASION);
      expect(bound).toBeGreaterThanOrEqual(served);
    }
  });
});
