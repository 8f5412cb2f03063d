import { describe, expect, test } from "vitest";
import {
  askWhere,
  type Candidate,
  candidate,
  choose,
  explainModel,
  greedy,
  type PlacementRequest,
  standingOf,
} from "../../../../agent/core/planner/index.ts";
import type { PlacementDecision } from "../../../../shared/decision.ts";
import type { Rule } from "../../../../shared/rules.ts";
import { modelOf, nodeNumber, nodeOf, profileOf } from "../../../support/pretend-fleets.ts";

const BYTES = 100e6;
/** Three boxes, each good at one of the models, so that the models alone would stand apart. */
const request = (more: Partial<PlacementRequest> = {}): PlacementRequest => ({
  nodes: ["eyes", "ears", "hands"].map((good, i) =>
    nodeOf(i, {
      profiles: ["ears", "eyes", "hands"].map((model) => profileOf(model, model === good ? 100 : 1, BYTES)),
    }),
  ),
  models: ["eyes", "ears"].map((model) => modelOf(model)),
  rules: [],
  before: [],
  ...more,
});
const TOGETHER = [{ pipeline: "page:1", models: ["ears", "eyes"] }];

function decided(asked: PlacementRequest, standing?: Candidate): PlacementDecision {
  const question = askWhere(asked);
  const answers = { greedy: greedy(question), ...(standing && { standing }), solveSeconds: 0 };
  return choose(question, answers, { term: 1, madeAtMs: 0, because: "a test" });
}

const placesOf = ({ replicas }: PlacementDecision): Record<string, number[]> =>
  Object.fromEntries(
    replicas.map(({ pipeline, nodes }) => [
      pipeline,
      nodes.map((node) => [0, 1, 2].findIndex((i) => nodeNumber(i) === node)),
    ]),
  );
const rules = (...all: Rule[]) => all.map((rule, i) => ({ ruleId: `rule-${i + 1}`, rule }));

describe("models of one pipeline", () => {
  test("stand apart where nothing says that they belong together", () => {
    expect(placesOf(decided(request()))).toEqual({ eyes: [0], ears: [1] });
  });

  test("stand together on every box that has a part of them; a box that has none gets none", () => {
    expect(placesOf(decided(request({ together: TOGETHER })))).toEqual({ eyes: [0, 1], ears: [0, 1] });
  });

  test("serve as much as they did apart", () => {
    expect(decided(request({ together: TOGETHER })).served).toBe(decided(request()).served);
  });

  test("join what stands already, and stay", () => {
    const asked = request({ together: TOGETHER, before: decided(request()).replicas });
    const joined = decided(asked, standingOf(askWhere(asked)));
    expect(joined.by).toBe("kept");
    expect(placesOf(joined)).toEqual({ eyes: [0, 1], ears: [0, 1] });
    const again = request({ together: TOGETHER, before: joined.replicas });
    expect(placesOf(decided(again, standingOf(askWhere(again))))).toEqual(placesOf(joined));
  });

  test("stay apart where memory, a rule or the way there is against it", () => {
    const { nodes } = request();
    const small = nodes.map((node, i) => (i === 0 ? { ...node, memoryForModelsBytes: 2 * BYTES } : node));
    expect(placesOf(decided(request({ nodes: small, together: TOGETHER })))).toEqual({ eyes: [0, 1], ears: [1] });
    const forbidden = rules({ kind: "forbid", model: "ears", on: "n0" });
    expect(placesOf(decided(request({ rules: forbidden, together: TOGETHER })))).toEqual({ eyes: [0, 1], ears: [1] });
    const few = request().models.map((model) => ({ ...model, replicasMax: 1 }));
    expect(placesOf(decided(request({ models: few, together: TOGETHER })))).toEqual({ eyes: [0], ears: [1] });
    const far = nodes.map((node, i) => (i === 0 ? { ...node, linkBytesPerSecond: BYTES / 61 } : node));
    const apart = askWhere(request({ nodes: far, together: TOGETHER }));
    const placed = candidate(apart, Uint8Array.from([0, 1, 0, 1, 0, 0]));
    const answers = { greedy: placed, solveSeconds: 0 };
    expect(placesOf(choose(apart, answers, { term: 1, madeAtMs: 0, because: "a test" }))).toEqual({
      eyes: [0, 1],
      ears: [1],
    });
  });

  test("bring with them what other pipelines need beside them", () => {
    const models = ["eyes", "ears", "hands"].map((model) => modelOf(model));
    const together = [{ pipeline: "wave:1", models: ["ears", "hands"] }, ...TOGETHER];
    const all = [0, 1, 2];
    expect(placesOf(decided(request({ models, together })))).toEqual({ eyes: all, ears: all, hands: all });
  });

  test("are said to be there for it", () => {
    const decision = decided(request({ together: TOGETHER }));
    expect(JSON.stringify(explainModel(decision, "ears"))).toContain("so items of page:1 can be run there whole");
  });
});
