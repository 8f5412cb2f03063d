import { describe, expect, it } from "vitest";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import type { Json } from "../../../shared/pipeline/definition.ts";
import { readItem, writeItem, writeOutput } from "../../../shared/pipeline/item.ts";
import { encodeValues, NONE, type Value } from "../../../shared/pipeline/values.ts";
import { encodeRequest } from "../../../shared/tensors.ts";

const taking = (inputs: Record<string, string>): CompiledPipeline => ({
  reference: "trial:1",
  says: "",
  inputs: Object.entries(inputs).map(([name, type]) => ({ name, type })),
  stages: [],
  outputs: {},
});
const json = (value: Json): Value => ({ kind: "json", json: value });
const bytes = (text: string): Value => ({ kind: "bytes", bytes: utf8(text) });
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (blob: Uint8Array): string => new TextDecoder().decode(blob);
const list = (...elements: Value[]): Value => ({ kind: "list", elements });
const floats = (...numbers: number[]): Value => ({
  kind: "tensor",
  datatype: "FP32",
  shape: [1, numbers.length],
  bytes: new Uint8Array(new Float32Array(numbers).buffer),
});

describe("an item of a pipeline with one input", () => {
  it.each([
    ["bytes", bytes("%PDF"), "%PDF"],
    ["text", json("Where is my card?"), "Where is my card?"],
    ["json", json({ a: [1, null] }), '{"a":[1,null]}'],
    ["number", json(-1.5), "-1.5"],
    ["boolean", json(true), "true"],
    ["list<text>", list(json("a"), json("b")), '["a","b"]'],
  ])("is its %s as people have it", (type, value, written) => {
    const pipeline = taking({ it: type });
    const item = writeItem(pipeline.inputs, new Map([["it", value]]));
    expect(text(item)).toBe(written);
    expect(readItem(pipeline, item, "one")).toEqual(new Map([["-1.it", value]]));
  });

  it("is a request of the Open Inference Protocol where it is a tensor", () => {
    const pipeline = taking({ it: "FP32[1,-1]" });
    const request = { name: "x", datatype: "FP32" as const, shape: [1, 2], data: Float32Array.of(1, 2) };
    for (const binary of [true, false])
      expect(readItem(pipeline, encodeRequest({ inputs: [request], binary }), "one").get("-1.it")).toEqual(
        floats(1, 2),
      );
    const item = writeItem(pipeline.inputs, new Map([["it", floats(3, 4)]]));
    expect(readItem(pipeline, item, "one").get("-1.it")).toEqual(floats(3, 4));
  });

  it("may be a file of values all the same, and bytes that look like one arrive as they were", () => {
    const values = encodeValues(new Map([["-1.it", bytes("inside")]]));
    const pipeline = taking({ it: "bytes" });
    expect(readItem(pipeline, values, "one").get("-1.it")).toEqual(bytes("inside"));
    const tricky = new Map<string, Value>([["it", { kind: "bytes", bytes: values }]]);
    expect(readItem(pipeline, writeItem(pipeline.inputs, tricky), "one").get("-1.it")).toEqual(tricky.get("it"));
  });
});

describe("an item of a pipeline with several inputs, or a list of files", () => {
  it.each([
    [
      { page: "bytes", note: "text" },
      { page: bytes("%"), note: json("hello") },
    ],
    [{ pages: "list<bytes>" }, { pages: list(bytes("a"), bytes("b")) }],
  ])("is a file of values: %o", (inputs, given) => {
    const pipeline = taking(inputs as unknown as Record<string, string>);
    const values = new Map(Object.entries(given as unknown as Record<string, Value>));
    const read = readItem(pipeline, writeItem(pipeline.inputs, values), "one");
    expect(read).toEqual(new Map([...values].map(([name, value]) => [`-1.${name}`, value])));
  });
});

describe("what is no item", () => {
  const values = (record: Record<string, Value>) => encodeValues(new Map(Object.entries(record)));
  const request = (datatype: "FP32" | "INT64", shape: number[]) =>
    encodeRequest({
      inputs: [{ name: "x", datatype, shape, data: datatype === "FP32" ? new Float32Array(2) : new BigInt64Array(2) }],
      binary: true,
    });
  it.each<[string, Record<string, string>, Uint8Array, RegExp]>([
    ["text that is no UTF-8", { it: "text" }, Uint8Array.of(0xff), /UTF-8/],
    ["JSON that is none", { it: "json" }, utf8("{"), /must be JSON/],
    ["a number that is a text", { it: "number" }, utf8('"7"'), /must be number/],
    ["a list that is none", { it: "list<text>" }, utf8('"7"'), /must be a list/],
    ["a list of others", { it: "list<text>" }, utf8('["a",7]'), /it\[1\] must be text, not 7/],
    [
      "a tensor of another type",
      { it: "FP32[1,-1]" },
      request("INT64", [1, 2]),
      /must be FP32\[1,-1\], not INT64\[1,2\]/,
    ],
    ["a tensor of another shape", { it: "FP32[1,-1]" }, request("FP32", [2, 1]), /not FP32\[2,1\]/],
    ["no values where there are two inputs", { a: "text", b: "text" }, utf8("hello"), /begin with the length/],
    ["one input short", { a: "text", b: "text" }, values({ "-1.a": json("x") }), /b must be given/],
    ["one too many", { a: "text", b: "text" }, values({ "-1.c": json("x") }), /is no input/],
    ["none of one", { a: "text", b: "any" }, values({ "-1.a": json("x"), "-1.b": NONE }), /b must be any, not nothing/],
  ])("fails by its place: %s", (_, inputs, item, reason) => {
    expect(() => readItem(taking(inputs), item, "one")).toThrow(
      expect.objectContaining({ code: "INPUT_INVALID", message: expect.stringMatching(reason) }),
    );
  });

  it("fails as empty where it is", () => {
    expect(() => readItem(taking({ it: "bytes" }), utf8(""), "one")).toThrow(
      expect.objectContaining({ code: "INPUT_EMPTY", facts: { name: "one" } }),
    );
  });

  it.each<[string, Record<string, Value>, RegExp]>([
    ["that is missing", {}, /it must be given/],
    ["that nobody asked for", { it: json("a"), other: json("b") }, /other is no input/],
    ["of another type", { it: json(7) }, /it must be text, not 7/],
  ])("is not written with an input %s", (_, given, reason) => {
    expect(() => writeItem([{ name: "it", type: "text" }], new Map(Object.entries(given)))).toThrow(reason);
  });
});

describe("what comes of an item", () => {
  it("is raw where it is bytes and nothing else", () => {
    expect(text(writeOutput(new Map([["file", bytes("raw")]]), []))).toBe("raw");
  });

  it("is JSON by the names of the outputs, with what was skipped", () => {
    const values = new Map<string, Value>([
      ["says", json({ a: 1 })],
      ["scores", floats(0.5, Number.NaN)],
      ["file", bytes("raw")],
      ["all", list(json("x"), NONE)],
      ["none", NONE],
    ]);
    const skipped = [{ stage: "read", element: 3, error: { code: "INTERNAL" as const, message: "no" } }];
    expect(JSON.parse(text(writeOutput(values, skipped)))).toEqual({
      says: { a: 1 },
      scores: { datatype: "FP32", shape: [1, 2], data: [0.5, "NaN"] },
      file: "cmF3",
      all: ["x", null],
      none: null,
      skipped,
    });
    expect(JSON.parse(text(writeOutput(new Map([["a", json(1)]]), [])))).toEqual({ a: 1 });
  });
});
