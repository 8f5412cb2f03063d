import fc from "fast-check";
import { expect, test } from "vitest";
import { elementOf, fits, listOf, type PortType, parseType, typeText } from "../../../shared/pipeline/types.ts";

const aTensor = fc.record({
  kind: fc.constant("tensor" as const),
  datatype: fc.constantFrom("FP32", "UINT8", "INT64", "BOOL", "FP16"),
  shape: fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 4 }),
});
const aPlain = fc.constantFrom("any", "json", "text", "number", "boolean", "bytes").map((kind) => ({ kind }));
const aType = fc
  .tuple(fc.oneof(aPlain, aTensor, fc.constant({ kind: "tensor", datatype: "FP32" })), fc.nat(3))
  .map(([type, depth]) => Array.from({ length: depth }).reduce<PortType>(listOf, type as PortType));

test("a type is written and read back", () => {
  fc.assert(
    fc.property(aType, (type) => {
      expect(parseType(typeText(type))).toEqual(type);
    }),
  );
});

test("every type fits itself, and any; what a list carries fits as it does", () => {
  fc.assert(
    fc.property(aType, aType, (one, other) => {
      expect(fits(one, one)).toBe(true);
      expect(fits(one, { kind: "any" })).toBe(true);
      expect(fits(listOf(one), listOf(other))).toBe(fits(one, other));
      expect(elementOf(listOf(one))).toEqual(one);
    }),
  );
});

test.each<[given: string, wanted: string, fits: boolean]>([
  ["FP32[1,3,640]", "FP32[1,3,-1]", true],
  ["FP32[1,-1,640]", "FP32[1,3,640]", true],
  ["FP32[1,3,640]", "FP32[1,3,320]", false],
  ["FP32[3,640]", "FP32[1,3,640]", false],
  ["FP32[]", "FP32[-1]", false],
  ["FP32", "FP32[1,3]", true],
  ["FP32[1,3]", "FP16[1,3]", false],
  ["text", "json", true],
  ["number", "json", true],
  ["json", "text", false],
  ["text", "number", false],
  ["bytes", "json", false],
  ["list<text>", "json", false],
  ["list<text>", "list<json>", true],
  ["list<json>", "list<text>", false],
  ["text", "list<text>", false],
  ["any", "text", false],
])("%s where %s is wanted: %s", (given, wanted, isFit) => {
  expect(fits(parseType(given), parseType(wanted))).toBe(isFit);
});

test.each([
  ...["", "Text", "FP32 ", "FP32[", "FP32[1", "FP32[a]", "FP32[-2]", "FP32[1,]", "FP32[9999999999]", "FP33[1]"],
  ...["BYTES", "list", "list<>", "list<text", "list<FP31>", `${"list<".repeat(5)}text${">".repeat(5)}`],
  ...[`FP32[${Array(17).fill(1).join(",")}]`, "x".repeat(10_000), 7, null, undefined, {}],
])("%j is no type", (text) => {
  expect(() => parseType(text, "inputs.x.type")).toThrow(
    expect.objectContaining({ code: "BAD_REQUEST", message: expect.stringContaining("inputs.x.type must be a type") }),
  );
});
