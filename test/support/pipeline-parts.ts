/** What the pipelines of tests stand on: a few operators and models, and a pipeline that is a stage of others. */
import type { ModelManifest, TensorSpec } from "../../shared/model.ts";
import type { KnownParts } from "../../shared/pipeline/compile.ts";
import type { PipelineDefinition } from "../../shared/pipeline/definition.ts";
import type { OperatorSpec } from "../../shared/pipeline/operators.ts";

const says = "something";
const port = (type: string) => ({ type, says });

export const SOME_OPERATORS: OperatorSpec[] = [
  {
    name: "image/resize@1",
    says,
    inputs: { image: port("UINT8[-1,-1,3]") },
    outputs: { image: port("UINT8[-1,-1,3]") },
    parameters: {
      width: { type: "integer", says, min: 1, max: 16_384 },
      height: { type: "integer", says, min: 1, max: 16_384, default: 32 },
      kernel: { type: "text", says, oneOf: ["nearest", "linear"], default: "linear" },
    },
    giving: ({ width, height }) => ({ image: `UINT8[${height},${width},3]` }),
  },
  {
    name: "image/decode@1",
    says,
    inputs: { bytes: port("bytes") },
    outputs: { image: port("UINT8[-1,-1,3]"), crops: port("list<UINT8[-1,-1,3]>") },
    parameters: {},
  },
  {
    name: "image/normalise@1",
    says,
    inputs: { image: port("UINT8[-1,-1,3]") },
    outputs: { tensor: port("FP32[1,3,-1,-1]") },
    parameters: { mean: { type: "numbers", says, min: 0, max: 1, default: [0.5] } },
  },
  {
    name: "text/ngrams@1",
    says,
    inputs: { text: port("text") },
    outputs: { ids: port("INT64[1,-1]") },
    parameters: {},
    files: { vocabulary: { says } },
  },
  {
    name: "tensor/top-k@1",
    says,
    inputs: { scores: port("FP32") },
    outputs: { label: port("text"), score: port("number") },
    parameters: { k: { type: "integer", says, min: 1, max: 100, default: 1 } },
  },
  {
    name: "core/first@1",
    says,
    inputs: { a: { type: "any", says, optional: true }, b: { type: "any", says, optional: true } },
    outputs: { value: port("any") },
    parameters: {},
    giving: (_, { a, b }) => ({ value: a ?? b ?? "any" }),
  },
  {
    name: "text/join@1",
    says,
    inputs: { texts: port("list<text>") },
    outputs: { text: port("text") },
    parameters: { separator: { type: "text", says, default: " " } },
  },
];

function model(name: string, inputs: TensorSpec[], outputs: TensorSpec[], batches = true): ModelManifest {
  const blob = "a".repeat(64) as ModelManifest["files"][number]["blob"];
  const files = (["model.onnx", "vocabulary.txt"] as const).map((path) => ({
    ...{ path, blob, bytes: 10 },
    use: path === "model.onnx" ? ("graph" as const) : ("other" as const),
  }));
  return { name, version: 1, files, inputs, outputs, batches };
}

const fp32 = (name: string, ...shape: number[]): TensorSpec => ({ name, datatype: "FP32", shape });
const ids: TensorSpec = { name: "ids", datatype: "INT64", shape: [-1, -1] };

export const SOME_MODELS: ModelManifest[] = [
  model("intent", [ids], [fp32("probabilities", -1, 77)]),
  model("intent-large", [ids], [fp32("probabilities", -1, 77)]),
  model("recognise", [fp32("x", -1, 3, 32, -1)], [fp32("probabilities", -1, -1, 97)]),
  model("voice", [fp32("sound", 1, 512), fp32("state", 2, 1, 64)], [fp32("speech", 1), fp32("next", 2, 1, 64)], false),
  model("words", [{ name: "text", datatype: "BYTES", shape: [1] }], [fp32("vector", 8)], false),
];

/** One crop to one text: resized, normalised, recognised. */
export const READ_ONE: PipelineDefinition = {
  name: "read-one",
  version: 1,
  inputs: { crop: { type: "UINT8[-1,-1,3]" } },
  stages: {
    small: { operator: "image/resize@1", in: { image: "crop" }, with: { width: 320 } },
    tensor: { operator: "image/normalise@1", in: { image: "small.image" } },
    look: { model: "recognise:1", in: { x: "tensor.tensor" } },
    best: { operator: "tensor/top-k@1", in: { scores: "look.probabilities" } },
  },
  outputs: { text: "best.label", score: "best.score" },
};

export const CUSTOMER_SERVICE = `# What a customer wants, and how sure that is.
name: customer-service
version: 1
says: What a customer wants, and the reply to it.
inputs:
  ticket: { type: text, says: what the customer wrote }
stages:
  words:  { operator: text/ngrams@1, in: { text: ticket }, files: { vocabulary: "intent:1/vocabulary.txt" } }
  intent: { model: "intent:1", in: { ids: words.ids } }
  best:   { operator: tensor/top-k@1, in: { scores: intent.probabilities }, with: { k: 1 } }
  expert:
    model: intent-large:1
    in: { ids: words.ids }
    when: { value: best.score, below: 0.8 }
  sure:
    operator: tensor/top-k@1
    in: { scores: expert.probabilities }
  answer: { operator: core/first@1, in: { a: sure.label, b: best.label } }
outputs:
  intent: answer.value
`;

export const PIPELINES: PipelineDefinition[] = [READ_ONE];

export const knownParts = (pipelines: readonly PipelineDefinition[] = PIPELINES): KnownParts => ({
  operator: (name) => SOME_OPERATORS.find((spec) => spec.name === name),
  model: (reference) => SOME_MODELS.find(({ name, version }) => `${name}:${version}` === reference),
  pipeline: (reference) => pipelines.find(({ name, version }) => `${name}:${version}` === reference),
});
