/** The published schema says what the check of a definition's form says; neither may drift from the other. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import type { PipelineDefinition } from "../../../shared/pipeline/definition.ts";
import { checkDefinition, DEFINITION_KEYS, STAGE_KEYS } from "../../../shared/pipeline/definition-check.ts";
import { Faults } from "../../../shared/pipeline/faults.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";
import { CUSTOMER_SERVICE, READ_ONE } from "../../support/pipeline-parts.ts";

const root = join(import.meta.dirname, "../../..");
const schema = JSON.parse(readFileSync(join(root, "shared/pipeline/pipeline.schema.json"), "utf8"));
const isOfSchema = new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false }).compile(schema);

const faultsOf = (value: unknown): string[] => {
  const faults = new Faults();
  checkDefinition(value, faults);
  return faults.told().map(({ path, reason }) => `${path} ${reason}`);
};

/** Everything that may be said, once. */
const WHOLE: PipelineDefinition = {
  name: "whole",
  version: 2,
  says: "All of it.",
  inputs: { page: { type: "list<UINT8[-1,-1,3]>", says: "pictures" }, state: { type: "FP32[2,1,64]" } },
  stages: {
    one: {
      operator: "image/resize@1",
      in: { image: "page" },
      with: { width: 3, anything: [1, { deep: null }] },
      files: { labels: "model:1/labels.txt" },
      map: ["image"],
      when: { value: "two.score", below: 0.5 },
      batch: 8,
      on: { zone: "garage" },
      deadlineMs: 100,
      onError: { default: { text: "none" } },
      keep: "recompute",
      send: { tensor: "fp16" },
    },
    two: {
      model: "voice:1",
      in: { sound: "one.image" },
      loop: { over: "sound", carry: { state: "next" }, first: { state: "FP32[2,1,64]" } },
      onError: "skip",
    },
    three: {
      pipeline: "inner:2",
      in: { page: "page" },
      when: { value: "two.label", isNot: "x" },
      loop: { times: 2, carry: {} },
    },
  },
  outputs: { text: "three.text" },
};
const whole = (): PipelineDefinition => JSON.parse(JSON.stringify(WHOLE)) as PipelineDefinition;

const applications = join(root, "agent/applications");
const written = readdirSync(applications)
  .map((name) => join(applications, name, "pipeline.yaml"))
  .filter((file) => existsSync(file))
  .map((file): [string, unknown] => [file.slice(root.length + 1), readPipeline(readFileSync(file, "utf8")).definition]);

test.each<[string, unknown]>([
  ["all that may be said", WHOLE],
  ["an example", readPipeline(CUSTOMER_SERVICE).definition],
  ["another", READ_ONE],
  ...written,
])("both take %s", (_, definition) => {
  expect(faultsOf(definition)).toEqual([]);
  expect(isOfSchema(definition), JSON.stringify(isOfSchema.errors)).toBe(true);
});

test("both know the same keys", () => {
  expect(Object.keys(schema.properties)).toEqual([...DEFINITION_KEYS]);
  expect(Object.keys(schema.definitions.stage.properties).sort()).toEqual([...STAGE_KEYS].sort());
});

test("both have the same bounds", () => {
  const { stage, loop } = schema.definitions;
  expect(schema.properties.stages.maxProperties).toBe(LIMITS.pipelineStagesMax);
  expect(schema.properties.inputs.maxProperties).toBe(LIMITS.pipelinePortsMax);
  expect(stage.properties.batch.maximum).toBe(LIMITS.stageBatchMax);
  expect(stage.properties.deadlineMs.maximum).toBe(LIMITS.stageDeadlineMsMax);
  expect(stage.properties.on.maxProperties).toBe(LIMITS.labelsPerNodeMax);
  expect(loop.properties.times.maximum).toBe(LIMITS.stageRoundsMax);
});

/** Each place in a value: the object or list that it is in, and its key. */
function placesIn(value: unknown): [parent: Record<string, unknown>, key: string][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => [
    [value as Record<string, unknown>, key] as [Record<string, unknown>, string],
    ...placesIn(one),
  ]);
}

const anything = fc.constantFrom<unknown>(
  ...[null, true, 0, 1, -1, 1.5, 2, 20_000, 4e6, "", "x", "text", "Two Words", "ocr", "fail", "skip", "fp16", "auto"],
  ...[
    "FP32[1,-1]",
    "FP31",
    "list<text>",
    "list<",
    "list<text",
    "FP32[,1]",
    "FP32[]",
    "list<list<bytes>>",
    "BYTES",
    "FP32[1,-2]",
    "a\nb",
    "zone",
    "x".repeat(600),
  ],
  ...[[], ["x"], [1], {}, { x: 1 }, { x: "x" }, { default: {} }, { type: "text" }, { model: "x:1" }, { value: "x" }],
);

test("what one refuses the other refuses, whatever is changed in a sound definition", () => {
  const count = { refused: 0, taken: 0 };
  const change = fc.record({
    at: fc.nat(),
    how: fc.constantFrom("put", "put", "drop", "add"),
    value: anything,
    key: fc.constantFrom("x", "when", "loop", "times", "over", "model", "below", "is", "9", "a.b", "says", "map"),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
      const definition = whole();
      for (const { at, how, value, key } of changes) {
        const places = placesIn(definition);
        const [parent, place] = places[at % places.length]!;
        const into = parent[place];
        if (how === "put") parent[place] = structuredClone(value);
        else if (how === "drop" && !Array.isArray(parent)) delete parent[place];
        else if (typeof into === "object" && into !== null && !Array.isArray(into))
          (into as Record<string, unknown>)[key] = structuredClone(value);
      }
      const faults = faultsOf(definition);
      const isTaken = isOfSchema(definition);
      count[isTaken ? "taken" : "refused"]++;
      expect({ taken: faults.length === 0, faults, errors: isOfSchema.errors }).toMatchObject({ taken: isTaken });
    }),
    { numRuns: 2_000 },
  );
  // Else the comparison would say little.
  expect(Math.min(count.refused, count.taken)).toBeGreaterThan(200);
});
