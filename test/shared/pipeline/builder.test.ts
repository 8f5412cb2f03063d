import { expect, test } from "vitest";
import { inner, map, model, operator, type Port, pipeline } from "../../../shared/client.ts";
import { compilePipeline } from "../../../shared/pipeline/compile.ts";
import { readPipeline } from "../../../shared/pipeline/read.ts";
import { CUSTOMER_SERVICE, knownParts } from "../../support/pipeline-parts.ts";

const known = knownParts();

test("a program makes what the YAML says", () => {
  const ngrams = operator("text/ngrams@1", { files: { vocabulary: "intent:1/vocabulary.txt" }, gives: ["ids"] });
  const intent = model("intent:1", { takes: ["ids"], gives: ["probabilities"] });
  const large = model("intent-large:1", { takes: ["ids"], gives: ["probabilities"] });
  const top = operator("tensor/top-k@1", { gives: ["label", "score"] });
  const first = operator("core/first@1", { gives: ["value"] });

  const p = pipeline("customer-service", { version: 1, says: "What a customer wants, and the reply to it." });
  const ticket = p.input("ticket", "text", "what the customer wrote");
  const words = ngrams({ text: ticket }, { name: "words" });
  const best = top({ scores: intent({ ids: words.ids }).probabilities }, { name: "best", with: { k: 1 } });
  const expert = large({ ids: words.ids }, { name: "expert", when: { value: best.score, below: 0.8 } });
  const sure = top({ scores: expert.probabilities }, { name: "sure" });
  const answer = first({ a: sure.label, b: best.label }, { name: "answer" });
  const definition = p.outputs({ intent: answer.value });

  expect(definition).toEqual(readPipeline(CUSTOMER_SERVICE).definition);
  expect(compilePipeline(definition, known).stages).toHaveLength(6);
});

test("a map over a list, and what gathers it, as the example in the builder's page", () => {
  const decode = operator("image/decode@1", { gives: ["image", "crops"] });
  const resize = operator("image/resize@1", { with: { width: 320 }, gives: ["image"] });
  const rec = inner("read-one:1", { gives: ["text", "score"] });
  const merge = operator("text/join@1", { gives: ["text"] });

  const p = pipeline("reading", { says: "The words of a page." });
  const page = p.input("page", "bytes");
  const found = decode({ bytes: page });
  const words = map(found.crops, (crop) => rec({ crop: resize({ image: crop }).image }, { onError: "skip" }));
  const definition = p.outputs({ text: merge({ texts: words.text }).text, scores: words.score });

  expect(definition).toEqual({
    name: "reading",
    says: "The words of a page.",
    inputs: { page: { type: "bytes" } },
    stages: {
      decode: { operator: "image/decode@1", in: { bytes: "page" } },
      resize: { operator: "image/resize@1", with: { width: 320 }, in: { image: "decode.crops" }, map: ["image"] },
      "read-one": { pipeline: "read-one:1", in: { crop: "resize.image" }, map: ["crop"], onError: "skip" },
      join: { operator: "text/join@1", in: { texts: "read-one.text" } },
    },
    outputs: { text: "join.text", scores: "read-one.score" },
  });
  expect(compilePipeline(definition, known).outputs).toHaveProperty("scores");
});

test("names are made of what runs, and are each there once", () => {
  const p = pipeline("many");
  const image = p.input("image", "UINT8[-1,-1,3]");
  const resize = operator("image/resize@1", { gives: ["image"] });
  const twice = resize({ image: resize({ image }).image });
  const odd = model("9.odd_name:1")({ x: twice.image });
  const { stages } = p.outputs({ y: odd.y! });
  expect(Object.keys(stages)).toEqual(["resize", "resize-2", "s9-odd_name"]);
  expect(stages["resize-2"]?.in).toEqual({ image: "resize.image" });
});

test("lists of one length are run over together; what is not of the list is the same for each", () => {
  const p = pipeline("pairs");
  const [one, other, all] = [p.input("one", "list<text>"), p.input("other", "list<text>"), p.input("all", "json")];
  const merge = operator("json/merge@1", { gives: ["json"] });
  const pairs = map([one, other], (a, b) => merge({ a, b, c: all }).json);
  expect(p.outputs({ pairs }).stages.merge).toEqual({
    operator: "json/merge@1",
    in: { a: "one", b: "other", c: "all" },
    map: ["a", "b"],
  });
});

test("ports that are not listed are any; one that takes nothing says where it belongs", () => {
  const constant = operator("json/constant@1", { with: { value: [1, 2] } });
  const p = pipeline("any");
  const x = p.input("x", "json");
  expect(p.outputs({ x, y: constant({}, { of: p }).value! }).stages).toEqual({
    constant: { operator: "json/constant@1", with: { value: [1, 2] } },
  });
  expect(() => constant({})).toThrow(/constant takes no port/);
});

test("what cannot be meant is refused where it is written", () => {
  const [p, q] = [pipeline("p"), pipeline("q")];
  const [list, other] = [p.input("list", "list<list<text>>"), q.input("x", "text")];
  const pass = operator("core/pass@1", { gives: ["value"] });
  expect(() => p.outputs({ x: other })).toThrow(/x is a port of another pipeline/);
  expect(() => operator("json/merge@1")({ a: list, b: other })).toThrow(/takes ports of two pipelines/);
  expect(() => map(list, (one) => map(one, (two) => pass({ value: two }).value))).toThrow(/is inside a map/);
  let escaped: Port | undefined;
  map(list, (one) => {
    escaped = one;
    return pass({ value: one }).value;
  });
  expect(() => pass({ value: escaped! })).toThrow(/takes an element of a map that is over/);
});

test("the compiler refuses a port that is not listed", () => {
  const p = pipeline("typed");
  const x = p.input("x", "text");
  const pass = operator("core/pass@1", { takes: ["value"], gives: ["value"] });
  // @ts-expect-error: it gives no such port.
  expect(pass({ value: x }).valeu).toBeUndefined();
  // @ts-expect-error: it takes no such port.
  pass({ vaule: x });
  expect(Object.keys(p.outputs({ x }).stages)).toEqual(["pass", "pass-2"]);
});
