/** Models of one pipeline stand together where memory is ample. */
import { describe, expect, test } from "vitest";
import {
  askWhere,
  choose,
  explainModel,
  greedy,
  type PlacementRequest,
  standingOf,
} from "../../../../agent/core/planner/index.ts";
import type { PlacementDecision } from "../../../../shared/decision.ts";
import { readPlacementDecision } from "../../../../shared/decision-check.ts";
import type { Rule } from "../../../../shared/rules.ts";
import { modelOf, nodeNumber, nodeOf, profileOf } from "../../../support/pretend-fleets.ts";

const NAMES = ["intent:1", "ocr-detection:1", "ocr-recognition:1"];
const READING = { pipeline: "document-reading:1", models: ["ocr-detection:1", "ocr-recognition:1"] };
const TICKET = { pipeline: "ticket:1", models: NAMES };
const on = (...boxes: number[]) => boxes.map(nodeNumber);

/** Three boxes; the first two have both others, and may have no more than the third needs. */
function asked(more: Partial<PlacementRequest> = {}, gigabytes = 17, bytes = 50e6): PlacementRequest {
  const profiles = NAMES.map((pipeline) => profileOf(pipeline, 10, bytes));
  return {
    nodes: [0, 1, 2].map((i) => nodeOf(i, { profiles, memoryForModelsBytes: gigabytes * 1e9 })),
    models: NAMES.map((pipeline) => modelOf(pipeline, { replicasMin: 2 })),
    rules: [],
    before: [
      { pipeline: "intent:1", nodes: on(0, 1) },
      { pipeline: "ocr-detection:1", nodes: on(0, 1, 2) },
      { pipeline: "ocr-recognition:1", nodes: on(0, 1, 2) },
    ],
    ...more,
  };
}

function decide(request: PlacementRequest): PlacementDecision {
  const question = askWhere(request);
  const standing = standingOf(question);
  const answers = { greedy: greedy(question), ...(standing && { standing }), solveSeconds: 0 };
  return choose(question, answers, { term: 1, madeAtMs: 0, because: "a test" });
}
const placesOf = ({ replicas }: PlacementDecision, model: string) =>
  replicas.find(({ pipeline }) => pipeline === model)!.nodes;
const rules = (...all: Rule[]) => all.map((rule, i) => ({ ruleId: `rule-${i + 1}`, rule }));

describe("where other models of a pipeline stand, a model", () => {
  test("is added, be what is served the same", () => {
    expect(placesOf(decide(asked()), "intent:1")).toEqual(on(0, 1));
    expect(placesOf(decide(asked({ together: [READING] })), "intent:1")).toEqual(on(0, 1));
    expect(placesOf(decide(asked({ together: [TICKET] })), "intent:1")).toEqual(on(0, 1, 2));
  });

  test("is not added where half of the memory for models would not stay free", () => {
    // It takes 80 MB while it loads, and the two that stand there 50 MB each.
    expect(placesOf(decide(asked({ together: [TICKET] }, 0.37)), "intent:1")).toEqual(on(0, 1, 2));
    expect(placesOf(decide(asked({ together: [TICKET] }, 0.35)), "intent:1")).toEqual(on(0, 1));
  });

  test("is not added where a rule keeps it away, nor more often than one allows", () => {
    const forbidden = rules({ kind: "forbid", model: "intent", on: "n2" });
    expect(placesOf(decide(asked({ together: [TICKET], rules: forbidden })), "intent:1")).toEqual(on(0, 1));
    const models = asked().models.map((model) => ({ ...model, replicasMax: model.pipeline === "intent:1" ? 2 : 3 }));
    expect(placesOf(decide(asked({ together: [TICKET], models })), "intent:1")).toEqual(on(0, 1));
  });

  test("stays when that is decided again, though it serves nothing more", () => {
    let request = asked({ together: [TICKET] });
    const first = decide(request);
    for (let again = 0; again < 3; again++) {
      request = { ...request, before: decide(request).replicas };
      expect(decide(request)).toMatchObject({ replicas: first.replicas, by: "kept" });
    }
    // Half of the memory is not free any more: that is no reason to move it away.
    const less = asked({ together: [TICKET], before: first.replicas }, 0.2);
    expect(decide(less)).toMatchObject({ replicas: first.replicas, by: "kept" });
  });

  test("makes room for a model that stands nowhere", () => {
    const before = decide(asked({ together: [TICKET] })).replicas;
    const profiles = [...asked().nodes[0]!.profiles, profileOf("large:1", 10, 60e6)];
    const request = asked({ together: [TICKET], before }, 0.2);
    const found = decide({
      ...request,
      nodes: request.nodes.map((node) => ({ ...node, profiles })),
      models: [...request.models, modelOf("large:1", { replicasMin: 2 })],
    });
    expect(found.short).toEqual([]);
    expect(placesOf(found, "large:1").length).toBeGreaterThanOrEqual(2);
  });

  test("goes to the same boxes however all is listed", () => {
    const request = asked({ together: [READING, TICKET] });
    const turned = {
      ...request,
      nodes: [...request.nodes].reverse(),
      models: [...request.models].reverse(),
      together: [TICKET, READING].map((one) => ({ ...one, models: [...one.models].reverse() })),
    };
    expect(decide(turned).replicas).toEqual(decide(request).replicas);
  });

  test("is explained by that, from the decision as it is kept", () => {
    const kept = (request: PlacementRequest) => readPlacementDecision(JSON.stringify(decide(request)));
    const explained = explainModel(kept(asked({ together: [TICKET] })), "intent:1");
    for (const { because } of explained.nodes)
      expect(because).toContain("stands with ocr-detection:1, ocr-recognition:1 of the pipeline ticket:1");
    const crowded = explainModel(kept(asked({ together: [TICKET] }, 0.35)), "intent:1", { whyNot: "n2" });
    expect(crowded.whyNot!.says[0]).toMatch(
      /no model would be served more for it; with .* if half of the box's memory/,
    );
  });
});
