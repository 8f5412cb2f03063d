import fc from "fast-check";
import { expect, test } from "vitest";
import { SkeinError } from "../../../shared/errors.ts";
import { compilePipeline, type PipelineFault } from "../../../shared/pipeline/compile.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import type { PipelineDefinition, StageDefinition } from "../../../shared/pipeline/definition.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";
import { sourceKey, sourcesOf } from "../../../shared/pipeline/segment.ts";
import { CUSTOMER_SERVICE, knownParts, READ_ONE } from "../../support/pipeline-parts.ts";

const known = knownParts();
const service = (): PipelineDefinition => readPipeline(CUSTOMER_SERVICE).definition as PipelineDefinition;
const reading = (): PipelineDefinition => ({
  name: "reading",
  version: 3,
  inputs: { page: { type: "bytes" } },
  stages: {
    page: { operator: "image/decode@1", in: { bytes: "page" } },
    small: { operator: "image/resize@1", in: { image: "page.crops" }, map: ["image"], with: { width: 320 } },
    tensor: { operator: "image/normalise@1", in: { image: "small.image" }, map: ["image"] },
    look: {
      model: "recognise:1",
      in: { x: "tensor.tensor" },
      map: ["x"],
      onError: "skip",
      send: { probabilities: "fp16" },
    },
    best: { operator: "tensor/top-k@1", in: { scores: "look.probabilities" }, map: ["scores"] },
    text: { operator: "text/join@1", in: { texts: "best.label" } },
  },
  outputs: { text: "text.text", scores: "best.score" },
});

function faultsOf(definition: unknown, parts = known): PipelineFault[] {
  try {
    compilePipeline(definition, parts);
  } catch (error) {
    const { code, facts } = SkeinError.from(error);
    if (code === "PIPELINE_INVALID") return facts.faults as PipelineFault[];
    throw error;
  }
  return [];
}

const namesIn = ({ stages }: CompiledPipeline): string[] => stages.map(({ name }) => name);

test("a pipeline is compiled as it was written, with what it left out", () => {
  const compiled = compilePipeline(service(), known);
  expect(compiled.reference).toBe("customer-service:1");
  expect(namesIn(compiled)).toEqual(["words", "intent", "best", "expert", "sure", "answer"]);
  expect(compiled.stages[0]).toEqual({
    name: "words",
    runs: { kind: "operator", operator: "text/ngrams@1" },
    in: { text: { stage: -1, port: "ticket" } },
    with: {},
    files: { vocabulary: { model: "intent:1", path: "vocabulary.txt" } },
    map: [],
    onError: "fail",
    keep: "auto",
    send: {},
    gives: { ids: "INT64[1,-1]" },
  });
  expect(compiled.stages[3]).toMatchObject({ when: { value: { stage: 2, port: "score" }, below: 0.8 } });
  expect(compiled.stages[4]?.with).toEqual({ k: 1 });
  expect(compiled.stages[5]?.gives).toEqual({ value: "text" });
  expect(compiled.outputs).toEqual({ intent: { stage: 5, port: "value" } });
});

test("stages over what mapped stages give have the list at the root; one that takes it whole gathers", () => {
  const compiled = compilePipeline(reading(), known);
  const crops = { stage: 0, port: "crops" };
  expect(compiled.stages.map(({ over }) => over)).toEqual([undefined, crops, crops, crops, crops, undefined]);
  expect(compiled.stages[1]?.gives).toEqual({ image: "UINT8[32,320,3]" });
  expect(compiled.stages[3]?.gives).toEqual({ probabilities: "FP32[1,-1,97]" });
});

test("a pipeline inside is laid flat, and mapped as a whole", () => {
  const { stages, outputs } = reading();
  const nested: PipelineDefinition = {
    ...reading(),
    stages: {
      page: stages.page!,
      read: { pipeline: "read-one:1", in: { crop: "page.crops" }, map: ["crop"], onError: "skip", deadlineMs: 900 },
      text: { operator: "text/join@1", in: { texts: "read.text" } },
    },
    outputs: { ...outputs, scores: "read.score" },
  };
  const compiled = compilePipeline(nested, known);
  expect(namesIn(compiled)).toEqual(["page", "read/small", "read/tensor", "read/look", "read/best", "text"]);
  const flat = compilePipeline(reading(), known);
  const shape = ({ stages: all }: CompiledPipeline) =>
    all.map(({ in: taken, map, over, runs }) => ({ taken, map, over, runs }));
  expect(shape(compiled)).toEqual(shape(flat));
  expect(compiled.outputs).toEqual(flat.outputs);
  for (const place of [1, 2, 3, 4]) expect(compiled.stages[place]).toMatchObject({ onError: "skip", deadlineMs: 900 });
});

test("a pipeline inside takes of the outer one, once, under a condition", () => {
  const outer: PipelineDefinition = {
    name: "outer",
    inputs: { page: { type: "bytes" }, sure: { type: "number" } },
    stages: {
      page: { operator: "image/decode@1", in: { bytes: "page" } },
      read: { pipeline: "read-one:1", in: { crop: "page.image" }, when: { value: "sure", above: 0.5 } },
    },
    outputs: { text: "read.text" },
  };
  const compiled = compilePipeline(outer, known);
  for (const { when } of compiled.stages.slice(1))
    expect(when).toEqual({ value: { stage: -1, port: "sure" }, above: 0.5 });
  expect(compiled.stages.map(({ map, over }) => ({ map, over }))).toEqual(Array(5).fill({ map: [], over: undefined }));
  expect(compiled.outputs).toEqual({ text: { stage: 4, port: "label" } });
});

test("a loop carries a state; what it does not carry becomes a list", () => {
  const voice: PipelineDefinition = {
    name: "voice-activity",
    inputs: { frames: { type: "list<FP32[1,512]>" } },
    stages: {
      speech: {
        model: "voice:1",
        in: { sound: "frames" },
        loop: { over: "sound", carry: { state: "next" }, first: { state: "FP32[2,1,64]" } },
      },
    },
    outputs: { speech: "speech.speech", state: "speech.next" },
  };
  expect(compilePipeline(voice, known).stages[0]?.gives).toEqual({ speech: "list<FP32[1]>", next: "FP32[2,1,64]" });
});

type Change = (definition: PipelineDefinition) => void;
const stageOf =
  (name: string, change: Record<string, unknown>): Change =>
  ({ stages }) =>
    void Object.assign(stages[name]!, change);

test.each<[string, () => PipelineDefinition, Change, Record<string, RegExp>]>([
  ["an unknown key", service, stageOf("best", { wth: {} }), { "stages.best.wth": /not known; did you mean with\?/ }],
  ["a key of nothing", service, (p) => Object.assign(p, { zebra: 1 }), { zebra: /not known; known are/ }],
  ["no name", service, (p) => Object.assign(p, { name: undefined }), { name: /is missing/ }],
  ["a wrong name", service, (p) => Object.assign(p, { name: "Customer Service" }), { name: /must be small letters/ }],
  [
    "no stages",
    service,
    (p) => Object.assign(p, { stages: {} }),
    {
      stages: /must name at least one/,
      "outputs.intent": /no such stage/,
    },
  ],
  [
    "a stage's name with a dot",
    service,
    ({ stages }) => void Object.assign(stages, { "a.b": stages.words }),
    {
      'stages."a.b"': /must be named by a letter/,
    },
  ],
  [
    "a missing stage",
    service,
    stageOf("best", { in: { scores: "intend.probabilities" } }),
    {
      "stages.best.in.scores": /takes from intend, and there is no such stage; did you mean intent\?/,
    },
  ],
  [
    "a missing port",
    service,
    stageOf("best", { in: { scores: "intent.probability" } }),
    {
      "stages.best.in.scores": /takes probability of intent, which does not give that; did you mean probabilities\?/,
    },
  ],
  [
    "a missing input",
    service,
    stageOf("words", { in: { text: "tickets" } }),
    {
      "stages.words.in.text": /takes tickets, which is no input of the pipeline; did you mean ticket\?/,
    },
  ],
  [
    "a stage for its output",
    service,
    stageOf("best", { in: { scores: "intent" } }),
    {
      "stages.best.in.scores": /names a stage and not what it gives, as intent.probabilities/,
    },
  ],
  [
    "a missing output",
    service,
    (p) => Object.assign(p.outputs, { who: "nobody.name" }),
    { "outputs.who": /no such stage/ },
  ],
  [
    "an unknown port taken",
    service,
    stageOf("best", { in: { scores: "intent.probabilities", score: "ticket" } }),
    {
      "stages.best.in.score": /nothing that it takes; did you mean scores\?/,
    },
  ],
  [
    "nothing taken",
    service,
    stageOf("best", { in: {} }),
    {
      "stages.best.in": /must say where scores comes from, which takes FP32/,
    },
  ],
  [
    "a circle of one",
    service,
    stageOf("answer", { in: { a: "answer.value" } }),
    {
      "stages.answer": /takes from itself in the end: answer takes from answer;/,
    },
  ],
  [
    "a circle of three",
    service,
    stageOf("words", { in: { text: "best.label" } }),
    {
      "stages.words": /words takes from best takes from intent takes from words;/,
    },
  ],
  [
    "another kind",
    service,
    stageOf("words", { in: { text: "best.score" } }),
    {
      "stages.words": /words takes from best/,
    },
  ],
  [
    "types that do not fit",
    service,
    stageOf("sure", { in: { scores: "best.label" } }),
    {
      "stages.sure.in.scores": /takes FP32, and best.label is text/,
    },
  ],
  [
    "shapes that do not fit",
    reading,
    ({ stages }) => void Object.assign(stages.look!.in!, { x: "page.image" }),
    {
      "stages.look.map[0]": /maps over x, and page.image is no list/,
    },
  ],
  [
    "datatypes that do not fit",
    reading,
    stageOf("look", { in: { x: "small.image" } }),
    {
      "stages.look.in.x": /takes FP32\[1,3,32,-1\], and each element of small.image is UINT8\[32,320,3\]/,
    },
  ],
  [
    "a list for one",
    reading,
    stageOf("best", { map: undefined }),
    {
      "stages.best.in.scores":
        /takes FP32, and look.probabilities is list<FP32\[1,-1,97\]>; map: \[scores\] takes one element/,
      "stages.text.in.texts": /takes list<text>, and best.label is text/,
    },
  ],
  [
    "a map over no list",
    service,
    stageOf("best", { map: ["scores"] }),
    {
      "stages.best.map[0]": /maps over scores, and intent.probabilities is no list but FP32\[-1,77\]/,
      "stages.expert.when.value": /is the list best.score, and the stage runs once/,
    },
  ],
  [
    "a map over nothing",
    reading,
    stageOf("best", { map: ["scores", "k"] }),
    {
      "stages.best.map[1]": /names k, which is not under in/,
    },
  ],
  [
    "a model nobody has",
    service,
    stageOf("intent", { model: "intents:1" }),
    {
      "stages.intent.model": /names intents:1, which the fleet does not have/,
    },
  ],
  [
    "a model without a version",
    service,
    stageOf("intent", { model: "intent" }),
    {
      "stages.intent.model": /must be NAME:VERSION/,
    },
  ],
  [
    "an operator nobody has",
    service,
    stageOf("best", { operator: "tensor/top@9" }),
    {
      "stages.best.operator": /names tensor\/top@9, which no box knows/,
    },
  ],
  [
    "nothing that runs",
    service,
    stageOf("best", { operator: undefined }),
    { "stages.best": /one of model, operator and pipeline, not none/ },
  ],
  ["two that run", service, stageOf("best", { model: "intent:1" }), { "stages.best": /not model and operator/ }],
  [
    "a resize to a million pixels a side",
    reading,
    stageOf("small", { with: { width: 1_000_000 } }),
    {
      "stages.small.with.width": /must be a whole number from 1 to 16384, not 1000000/,
    },
  ],
  [
    "a parameter of no operator",
    reading,
    stageOf("small", { with: { width: 1, heigth: 3 } }),
    {
      "stages.small.with.heigth": /is no parameter of image\/resize@1; did you mean height\?/,
    },
  ],
  [
    "a parameter that is missing",
    reading,
    stageOf("small", { with: {} }),
    {
      "stages.small.with": /must give width of image\/resize@1/,
    },
  ],
  [
    "a word that is none of the words",
    reading,
    stageOf("small", { with: { width: 3, kernel: "cubic" } }),
    {
      "stages.small.with.kernel": /must be one of nearest, linear/,
    },
  ],
  [
    "a number among numbers out of range",
    reading,
    stageOf("tensor", { with: { mean: [0.5, 7] } }),
    {
      "stages.tensor.with.mean": /must be a number from 0 to 1, not 7/,
    },
  ],
  [
    "parameters of a model",
    service,
    stageOf("intent", { with: { k: 1 } }),
    { "stages.intent.with": /is for operators/ },
  ],
  [
    "a file that is not there",
    service,
    stageOf("words", { files: { vocabulary: "intent:1/vocabulary.txd" } }),
    {
      "stages.words.files.vocabulary": /which intent:1 does not have; did you mean vocabulary.txt\?/,
    },
  ],
  [
    "a file of no model",
    service,
    stageOf("words", { files: { vocabulary: "intent/vocabulary.txt" } }),
    {
      "stages.words.files.vocabulary": /must be MODEL:VERSION\/PATH/,
    },
  ],
  [
    "a file that must be given",
    service,
    stageOf("words", { files: {} }),
    { "stages.words.files": /must give vocabulary/ },
  ],
  [
    "two comparisons",
    service,
    stageOf("expert", { when: { value: "best.score", below: 1, above: 0 } }),
    {
      "stages.expert.when": /must have one comparison, below, above, is or isNot, not below and above/,
    },
  ],
  [
    "no comparison",
    service,
    stageOf("expert", { when: { value: "best.score" } }),
    { "stages.expert.when": /not none/ },
  ],
  [
    "a comparison of a text with a number",
    service,
    stageOf("expert", { when: { value: "best.label", below: 1 } }),
    {
      "stages.expert.when.value": /is compared with a number, and best.label is text/,
    },
  ],
  [
    "a comparison of a tensor",
    service,
    stageOf("expert", { when: { value: "intent.probabilities", is: "x" } }),
    {
      "stages.expert.when.value": /is compared with a text, and intent.probabilities is FP32\[-1,77\]/,
    },
  ],
  [
    "a deadline of no time",
    service,
    stageOf("best", { deadlineMs: 0 }),
    {
      "stages.best.deadlineMs": /must be a whole number from 1 to 3600000, not 0/,
    },
  ],
  [
    "a rule that is none",
    service,
    stageOf("best", { onError: "ignore" as "skip" }),
    {
      "stages.best.onError": /must be fail, skip or { default: ... }, not ignore/,
    },
  ],
  [
    "a default of another kind",
    service,
    stageOf("best", { onError: { default: { score: "high", labe: "x" } } }),
    {
      "stages.best.onError.default.score": /must be a number/,
      "stages.best.onError.default.labe": /nothing that it gives; did you mean label\?/,
    },
  ],
  [
    "a default for a tensor",
    service,
    stageOf("intent", { onError: { default: { probabilities: [1] } } }),
    {
      "stages.intent.onError.default.probabilities": /is no JSON/,
    },
  ],
  ["labels that are none", service, stageOf("best", { on: { "Zone!": "x" } }), { "stages.best.on": /is not a label/ }],
  [
    "a text that shall lose precision",
    service,
    stageOf("best", { send: { label: "fp16" } }),
    {
      "stages.best.send.label": /only if it is an FP32 or FP64 tensor, and it is text/,
    },
  ],
  [
    "a keep that is none",
    service,
    stageOf("best", { keep: "always" as "auto" }),
    { "stages.best.keep": /must be one of/ },
  ],
  [
    "a type that is none",
    service,
    (p) => Object.assign(p.inputs.ticket!, { type: "list<FP31>" }),
    {
      "inputs.ticket.type": /must be a type, as text, json/,
    },
  ],
  [
    "texts as tensors",
    service,
    stageOf("intent", { model: "words:1" }),
    {
      "stages.intent.model": /has texts \(BYTES\) as text/,
      "stages.intent.in.ids": /nothing that it takes/,
      "stages.best.in.scores": /takes probabilities of intent, which does not give that/,
    },
  ],
])("refused: %s", (_what, base, change, wanted) => {
  const definition = base();
  change(definition);
  const found = Object.fromEntries(faultsOf(definition).map(({ path, reason }) => [path, reason]));
  expect(Object.keys(found).sort()).toEqual(Object.keys(wanted).sort());
  for (const [path, reason] of Object.entries(wanted)) expect(found[path]).toMatch(reason);
});

test.each<[string, StageDefinition["loop"] & object, string, RegExp]>([
  ["no count", { carry: { state: "next" } }, "loop", /must say how often/],
  ["both counts", { times: 2, over: "sound", carry: { state: "next" } }, "loop", /must say how often/],
  ["too many rounds", { times: 1e9, carry: { state: "next" } }, "loop.times", /from 1 to 10000/],
  ["a port it has not", { times: 2, carry: { stat: "next" } }, "loop.carry.stat", /did you mean state\?/],
  [
    "an output it has not",
    { times: 2, carry: { state: "nxt" } },
    "loop.carry.state",
    /carries nxt.*did you mean next\?/,
  ],
  [
    "another shape",
    { times: 2, carry: { state: "speech" } },
    "loop.carry.state",
    /takes FP32\[2,1,64\], and speech is FP32\[1\]/,
  ],
  [
    "zeros of an open shape",
    { times: 2, carry: { state: "next" }, first: { state: "FP32[2,-1,64]" } },
    "loop.first.state",
    /every dimension given/,
  ],
  [
    "zeros of another shape",
    { times: 2, carry: { state: "next" }, first: { state: "FP32[2,1,32]" } },
    "loop.first.state",
    /begins with FP32\[2,1,32\]/,
  ],
  [
    "zeros of what is not carried",
    { times: 2, carry: { state: "next" }, first: { state: "FP32[2,1,64]", sound: "FP32[1,512]" } },
    "loop.first.sound",
    /is not carried/,
  ],
])("refused in a loop: %s", (_what, loop, path, reason) => {
  const begins = loop.first && "state" in loop.first;
  const voice: PipelineDefinition = {
    name: "voice-activity",
    inputs: { frame: { type: "FP32[1,512]" }, state: { type: "FP32[2,1,64]" } },
    stages: {
      speech: { model: "voice:1", in: { sound: "frame", ...(!begins && { state: "state" }) }, loop },
    },
    outputs: { speech: "speech.speech" },
  };
  const faults = faultsOf(voice);
  expect(faults.find((fault) => fault.path === `stages.speech.${path}`)?.reason).toMatch(reason);
});

test("every fault is told at once, with its line", () => {
  const text = CUSTOMER_SERVICE.replace("intent.probabilities }", "intend.probabilities }")
    .replace("below: 0.8", "bellow: 0.8")
    .replace("sure.label, b", "sure.lable, b");
  const { definition, placeOf } = readPipeline(text);
  let faults: PipelineFault[] = [];
  let message = "";
  try {
    compilePipeline(definition, known, placeOf);
  } catch (error) {
    faults = SkeinError.from(error).facts.faults as PipelineFault[];
    message = SkeinError.from(error).message;
  }
  expect(faults.map(({ path, line, column }) => ({ path, line, column }))).toEqual([
    { path: "stages.best.in.scores", line: 10, column: 45 },
    { path: "stages.expert.when", line: 14, column: 5 },
    { path: "stages.expert.when.bellow", line: 14, column: 32 },
    { path: "stages.answer.in.a", line: 18, column: 43 },
  ]);
  expect(message).toMatch(
    /^The pipeline customer-service is not accepted: line 10, stages.best.in.scores: takes from intend, .*; and 3 more faults\.$/,
  );
});

test("what is written in any order is compiled into one that can be run", () => {
  const names = Object.keys(reading().stages);
  const order = fc.shuffledSubarray(names, { minLength: names.length });
  fc.assert(
    fc.property(order, (shuffled) => {
      const definition = reading();
      const stages = Object.fromEntries(shuffled.map((name) => [name, definition.stages[name]!]));
      const compiled = compilePipeline({ ...definition, stages }, known);
      expect(namesIn(compiled).sort()).toEqual([...names].sort());
      for (const [place, stage] of compiled.stages.entries())
        for (const source of sourcesOf(stage)) expect(source.stage).toBeLessThan(place);
      // The same graph by names, whatever its places.
      const named = (source: { stage: number; port: string }) =>
        `${compiled.stages[source.stage]?.name}.${source.port}`;
      const look = compiled.stages.find(({ name }) => name === "look")!;
      expect(Object.values(look.in).map(named)).toEqual(["tensor.tensor"]);
      expect(named(look.over!)).toBe("page.crops");
    }),
  );
});

test("a pipeline that holds itself is refused, however far down", () => {
  const hold = (name: string, inner: string): PipelineDefinition => ({
    name,
    version: 1,
    inputs: { crop: { type: "UINT8[-1,-1,3]" } },
    stages: { inside: { pipeline: inner, in: { crop: "crop" } } },
    outputs: { text: "inside.text" },
  });
  const parts = knownParts([hold("one", "two:1"), hold("two", "one:1"), READ_ONE]);
  expect(faultsOf(hold("one", "two:1"), parts)).toEqual([
    { path: "stages.inside.pipeline", reason: expect.stringContaining("holds itself: one:1 holds two:1 holds one:1") },
  ]);
  expect(faultsOf(hold("three", "read-one:1"), parts)).toEqual([]);
  expect(faultsOf(hold("three", "nobody:1"), parts)[0]?.reason).toMatch(
    /names nobody:1, which the fleet does not have/,
  );
});

test("a map over a pipeline that maps itself is refused", () => {
  const inner: PipelineDefinition = { ...reading(), name: "inner", version: 1 };
  const outer: PipelineDefinition = {
    name: "outer",
    inputs: { pages: { type: "list<bytes>" } },
    stages: { read: { pipeline: "inner:1", in: { page: "pages" }, map: ["page"] } },
    outputs: { texts: "read.text" },
  };
  expect(faultsOf(outer, knownParts([inner]))[0]).toMatchObject({ path: "stages.read.map" });
  expect(faultsOf(outer, knownParts([inner]))[0]?.reason).toMatch(/inner:1, whose stage small maps itself/);
});

test("pipelines inside one another count by all their stages", () => {
  const stages = Object.fromEntries(
    Array.from({ length: 17 }, (_, i): [string, StageDefinition] => [
      `s${i}`,
      { pipeline: "read-one:1", in: { crop: "crop" } },
    ]),
  );
  const definition = { name: "many", inputs: READ_ONE.inputs, stages, outputs: { text: "s0.text" } };
  expect(faultsOf(definition)).toEqual([
    { path: "stages", reason: "are 68 with those of pipelines inside; the most is 64" },
  ]);
});

test("anything may be handed in, and is refused with a reason", () => {
  for (const nonsense of [null, undefined, 3, "x", [], {}, { stages: [] }, { stages: { a: 1 }, outputs: 3 }])
    expect(faultsOf(nonsense).length).toBeGreaterThan(0);
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(faultsOf(value).length).toBeGreaterThan(0);
    }),
  );
  const odd = JSON.parse(
    '{"name":"odd","inputs":{"__proto__":{"type":"text"}},"stages":{"constructor":{"model":"toString"}},"outputs":{"x":"constructor.x"}}',
  );
  expect(faultsOf(odd).map(({ path }) => path)).toEqual(["inputs.__proto__", "stages.constructor.model"]);
  expect(faultsOf({ ...service(), says: "x".repeat(70_000) })[0]?.reason).toMatch(/the most is 65536/);
});

test("the list that two stages run over is one by name", () => {
  const { stages } = compilePipeline(reading(), known);
  expect(new Set(stages.flatMap(({ over }) => (over ? [sourceKey(over)] : [])))).toEqual(new Set(["0.crops"]));
});
