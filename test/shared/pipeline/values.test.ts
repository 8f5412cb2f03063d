import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import {
  decodeValues,
  encodeValues,
  FROM_KEY,
  firstElements,
  NONE,
  readValues,
  sliceOf,
  sliceValues,
  type Value,
} from "../../../shared/pipeline/values.ts";

const floats = (...numbers: number[]): Value => ({
  kind: "tensor",
  datatype: "FP32",
  shape: [numbers.length],
  bytes: new Uint8Array(new Float32Array(numbers).buffer),
});
const pixels = (...numbers: number[]): Value => ({
  kind: "tensor",
  datatype: "UINT8",
  shape: [numbers.length],
  bytes: Uint8Array.from(numbers),
});
const list = (...elements: Value[]): Value => ({ kind: "list", elements });
const json = (value: string | number | null): Value => ({ kind: "json", json: value });

const everyKind = new Map<string, Value>([
  ["-1.page", { kind: "bytes", bytes: Uint8Array.of(1, 2, 3) }],
  ["0.image", pixels(9, 8, 7, 6, 5)],
  ["1.scores", floats(0.5, -1, Number.NaN)],
  ["2.says", { kind: "json", json: { Grüße: [null, true, 1.5] } }],
  ["3.crops", list(pixels(1), NONE, pixels(2, 3), list(floats(1), json(null)))],
  ["4.skipped", NONE],
]);

const file = (text: string): Uint8Array => new TextEncoder().encode(text);
const framed = (json: string, behind = ""): Uint8Array => file(`${json.length}\n${json}${behind}`);

describe("values between stages", () => {
  it("come back from their file as they were", () => {
    expect(decodeValues(encodeValues(everyKind))).toEqual(everyKind);
    expect(decodeValues(encodeValues(new Map()))).toEqual(new Map());
  });

  it("are the same bytes whenever they are the same values", () => {
    expect(encodeValues(decodeValues(encodeValues(everyKind)))).toEqual(encodeValues(everyKind));
  });

  it("lie in their file so that a tensor is used without a copy", () => {
    for (let bytes = 0; bytes < 120; bytes++) {
      const odd: Value = { kind: "bytes", bytes: new Uint8Array(bytes) };
      const written = encodeValues(
        new Map([
          ["-1.a".padEnd(4 + bytes, "x"), odd],
          ["0.b", floats(1, 2)],
        ]),
      );
      const tensor = decodeValues(written).get("0.b");
      if (tensor?.kind !== "tensor") throw new Error("it was a tensor");
      expect(tensor.bytes.buffer).toBe(written.buffer);
      expect(tensor.bytes.byteOffset % 4).toBe(0);
    }
  });

  it("of ten thousand elements are written, read and sliced in well under a second", () => {
    const many = Array.from({ length: 10_000 }, (_, n) => floats(n, n + 1, n + 2));
    const startedMs = performance.now();
    const written = encodeValues(new Map([["0.rows", list(...many)]]));
    const cut = decodeValues(sliceValues(written, "0.rows", 9_990, 10_000)).get("0.rows");
    expect(cut).toEqual(list(...many.slice(9_990)));
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});

describe("a slice of a list", () => {
  const written = encodeValues(
    new Map<string, Value>([
      ["3.crops", list(pixels(1), pixels(2), pixels(3))],
      ["4.texts", list(json("a"), NONE, json("c"))],
      ["3.boxes", list(json(1), json(2))],
      ["2.page", pixels(7)],
    ]),
    new Map([["4.texts", "3.crops"]]),
  );

  it("has those elements, of lists in step too, and all else whole", () => {
    const cut = readValues(sliceValues(written, "3.crops", 1, 3));
    expect(cut.values).toEqual(
      new Map<string, Value>([
        ["3.crops", list(pixels(2), pixels(3))],
        ["4.texts", list(NONE, json("c"))],
        ["3.boxes", list(json(1), json(2))],
        ["2.page", pixels(7)],
        [FROM_KEY, { kind: "json", json: { "3.crops": 1 } }],
      ]),
    );
    expect(cut.inStep).toEqual(new Map([["4.texts", "3.crops"]]));
  });

  it("of a slice still knows which elements it has", () => {
    const cut = sliceValues(sliceValues(written, "3.crops", 1, 3), "3.crops", 1, 2);
    expect(firstElements(decodeValues(cut))).toEqual(new Map([["3.crops", 2]]));
  });

  it("may be of nothing, and of a list that is only in step with one that is not here", () => {
    expect(decodeValues(sliceValues(written, "3.boxes", 2, 2)).get("3.boxes")).toEqual(list());
    const alone = encodeValues(new Map([["4.texts", list(json("a"), json("b"))]]), new Map([["4.texts", "3.crops"]]));
    expect(decodeValues(sliceValues(alone, "3.crops", 1, 2)).get("4.texts")).toEqual(list(json("b")));
  });

  it.each([
    ["past its end", "3.crops", 1, 4],
    ["before its begin", "3.crops", -1, 2],
    ["backwards", "3.crops", 2, 1],
    ["of half an element", "3.crops", 0.5, 2],
    ["of what is no list", "2.page", 0, 1],
    ["of what is not there", "9.nothing", 0, 0],
  ])("%s is refused", (_, key, from, to) => {
    expect(() => sliceValues(written, key, from, to)).toThrow(/must be/);
  });
});

describe("what is no file of values", () => {
  const tooMany = `[["0.a",{"l":[${"0,".repeat(LIMITS.fanOutMax)}0]}]]`;
  it.each([
    ["nothing", file(""), /begin with the length/],
    ["no length", file("[]"), /begin with the length/],
    ["a length beyond its end", file("99\n[]"), /must hold the 99 bytes/],
    ["no JSON", framed("[[["), /no JSON/],
    ["no UTF-8", Uint8Array.of(0x31, 0x0a, 0xff), /no JSON/],
    ["a record", framed("{}"), /must be a list/],
    ["an entry that is no pair", framed('[["0.a"]]'), /pairs/],
    ["a key that is no text", framed("[[1,0]]"), /must be text/],
    ["a key twice", framed('[["0.a",0],["0.a",0]]'), /once/],
    ["a value of no kind", framed('[["0.a",{"x":1}]]'), /must be a tensor/],
    ["a value that is a number", framed('[["0.a",7]]'), /must be an object/],
    ["a tensor of text", framed('[["0.a",{"t":"BYTES","s":[1]}]]'), /must be one of/],
    ["a tensor of a negative length", framed('[["0.a",{"t":"FP32","s":[-1]}]]'), /whole number/],
    ["a tensor larger than its file", framed('[["0.a",{"t":"FP32","s":[2147483647,2147483647]}]]'), /be followed by/],
    ["a tensor cut off", framed('[["0.a",{"t":"FP32","s":[2]}]]', "1234567"), /be followed by its 8 bytes/],
    ["bytes of a negative number", framed('[["0.a",{"b":-4}]]'), /whole number/],
    ["bytes left over", framed('[["0.a",{"b":1}]]', "12"), /too many at their end/],
    ["lists too deep", framed('[["0.a",{"l":[{"l":[{"l":[{"l":[{"l":[]}]}]}]}]}]]'), /must not be lists in more/],
    ["a list too long", framed(tooMany), /must have at most/],
  ])("is told with its place: %s", (_, bytes, reason) => {
    expect(() => decodeValues(bytes)).toThrow(
      expect.objectContaining({ code: "BAD_REQUEST", message: expect.stringMatching(reason) }),
    );
  });
});

it("what was read once is sliced again and again, each time as from its file", () => {
  const elements = Array.from({ length: 9 }, (_, json): Value => ({ kind: "json", json }));
  const inStep = new Map([["1.b", "0.a"]]);
  const file = encodeValues(
    new Map([
      ["0.a", { kind: "list", elements }],
      ["1.b", { kind: "list", elements: elements.toReversed() }],
    ]),
    inStep,
  );
  const read = readValues(file);
  for (const [from, to] of [
    [0, 3],
    [3, 6],
    [0, 9],
    [6, 9],
  ] as const) {
    const cut = sliceOf(read, "0.a", from, to);
    expect(encodeValues(cut.values, cut.inStep)).toEqual(sliceValues(file, "0.a", from, to));
  }
  expect(readValues(file)).toEqual(read);
});
