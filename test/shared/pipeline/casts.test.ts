import { describe, expect, it } from "vitest";
import { CAST_BYTES_MIN, pack, unpack } from "../../../shared/pipeline/casts.ts";
import { decodeValues, encodeValues, sliceValues, type Value } from "../../../shared/pipeline/values.ts";

const count = CAST_BYTES_MIN / 4;
const floats = (numbers: ArrayLike<number>): Value => ({
  kind: "tensor",
  datatype: "FP32",
  shape: [numbers.length],
  bytes: new Uint8Array(Float32Array.from(numbers).buffer),
});
const numbersOf = (value: Value): Float32Array => {
  if (value.kind !== "tensor" || value.packing) throw new Error("it is no tensor as its type says");
  return new Float32Array(value.bytes.slice().buffer);
};
const wave = Array.from({ length: count }, (_, n) => Math.sin(n) * 3);
const sent = (value: Value): Value => {
  const list: Value = { kind: "list", elements: [value, value] };
  const file = sliceValues(encodeValues(new Map([["0.a", list]])), "0.a", 1, 2);
  const back = decodeValues(file).get("0.a");
  if (back?.kind !== "list") throw new Error("it was a list");
  return back.elements[0]!;
};

describe("a tensor that is cast to be sent", () => {
  it.each([
    ["fp16", 2, 3 * 2 ** -11],
    ["int8", 1, 6 / 255 / 2 + 1e-6],
  ] as const)("as %s has %d bytes a number and comes back within its bound", (as, bytes, bound) => {
    const packed = pack(floats(wave), as);
    expect(packed.kind === "tensor" && packed.bytes.length).toBe(count * bytes);
    const back = numbersOf(unpack(sent(packed)));
    for (const [n, one] of wave.entries()) expect(Math.abs(back[n]! - one)).toBeLessThanOrEqual(bound);
  });

  it("of pixels over their whole range, as floats, comes back as it was", () => {
    const pixels = Float32Array.from({ length: count }, (_, n) => (n % 256) / 256);
    expect(numbersOf(unpack(sent(pack(floats(pixels), "int8"))))).toEqual(pixels);
  });

  it("of one number everywhere comes back as it was", () => {
    const flat = new Float32Array(count).fill(0.1);
    expect(numbersOf(unpack(sent(pack(floats(flat), "int8"))))).toEqual(flat);
  });

  it("is sent as it is where that would not pay or not come back", () => {
    const small = floats(wave.slice(1));
    expect(pack(small, "fp16")).toBe(small);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e6]) {
      const tensor = floats([bad, ...wave]);
      expect(pack(tensor, "fp16")).toBe(tensor);
      if (bad !== 1e6) expect(pack(tensor, "int8")).toBe(tensor);
    }
    const text: Value = { kind: "json", json: "x" };
    expect(pack(text, "int8")).toBe(text);
  });

  it.each([
    ["of whole numbers", '[["0.a",{"t":"INT32","s":[0],"c":"fp16"}]]', /must not be cast/],
    ["in a way nobody knows", '[["0.a",{"t":"FP32","s":[0],"c":"fp8"}]]', /must be a list/],
    ["without its step", '[["0.a",{"t":"FP32","s":[0],"c":[1]}]]', /must be fp16/],
    ["to be larger than memory", '[["0.a",{"t":"FP64","s":[2000000000],"c":"fp16"}]]', /must have at most/],
  ])("%s is refused in a file", (_, json, reason) => {
    expect(() => decodeValues(new TextEncoder().encode(`${json.length}\n${json}`))).toThrow(reason);
  });
});
