import fc from "fast-check";
import { expect, test } from "vitest";
import { SkeinError } from "../../shared/errors.ts";
import { DATATYPES, type Datatype } from "../../shared/model.ts";
import { filesOf } from "../../shared/pipelines.ts";
import { outputDifference } from "../../shared/same-output.ts";
import { arrayOf, dataFromBytes, dataToBytes, isOfType, type TensorData } from "../../shared/tensor-data.ts";
import {
  checkAgainst,
  decodeRequest,
  decodeResponse,
  elementsOf,
  encodeRequest,
  encodeResponse,
  type Tensor,
} from "../../shared/tensors.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value));
const reasonOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    const known = SkeinError.from(error);
    expect(known.code).toBe("BAD_REQUEST");
    return String(known.facts.reason);
  }
  return expect.fail("should have been refused");
};

/** Any bits, so numbers that are none and both zeros too. */
const dataArbitrary = (datatype: Datatype, count: number): fc.Arbitrary<TensorData> => {
  if (datatype === "BYTES")
    return fc.array(
      fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\0", "0")),
      { minLength: count, maxLength: count },
    );
  if (datatype === "BOOL")
    return fc.array(fc.constantFrom(0, 1), { minLength: count, maxLength: count }).map((bits) => Uint8Array.from(bits));
  const bytes = { UINT8: 1, INT8: 1, UINT16: 2, INT16: 2, FP16: 2, UINT32: 4, INT32: 4, FP32: 4 };
  const size = count * (bytes[datatype as "FP32"] ?? 8);
  return fc.uint8Array({ minLength: size, maxLength: size }).map((raw) => dataFromBytes(datatype, raw, count, ""));
};
const tensorArbitrary = (name: string): fc.Arbitrary<Tensor> =>
  fc
    .record({
      datatype: fc.constantFrom(...DATATYPES),
      shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    })
    .chain(({ datatype, shape }) =>
      dataArbitrary(datatype, elementsOf(shape)).map((data) => ({ name, datatype, shape, data })),
    );
const tensorsArbitrary = fc.tuple(tensorArbitrary("a"), tensorArbitrary("b"));

/** The elements, told apart as numbers: all that are none are one. */
const plain = ({ datatype, data, ...rest }: Tensor) => {
  const isNone = (n: number): boolean =>
    datatype === "FP16"
      ? ((data as Uint16Array)[n]! & 0x7c00) === 0x7c00 && ((data as Uint16Array)[n]! & 0x3ff) !== 0
      : Number.isNaN(data[n]);
  return { ...rest, datatype, data: Array.from(data as ArrayLike<unknown>, (one, n) => (isNone(n) ? "none" : one)) };
};

test("a request comes back as it was written, in either form and of every type, to the last bit", () => {
  fc.assert(
    fc.property(tensorsArbitrary, fc.boolean(), (inputs, binary) => {
      const read = decodeRequest(encodeRequest({ inputs, binary }));
      expect(read.binary).toBe(binary);
      expect(read.inputs.map(plain)).toEqual(inputs.map(plain));
      for (const { datatype, data } of read.inputs) expect(isOfType(datatype, data)).toBe(true);
      if (binary)
        expect(read.inputs.map(({ data }) => dataToBytes(data))).toEqual(inputs.map(({ data }) => dataToBytes(data)));
    }),
  );
});

test("the same tensors are the same bytes, and a response in one form says what it says in the other", () => {
  fc.assert(
    fc.property(tensorsArbitrary, fc.boolean(), (outputs, mixed) => {
      const response = { model: "tiny", version: "3", outputs };
      const asJson = encodeResponse(response, () => false);
      const asBinary = encodeResponse(response, (name) => !mixed || name === "a");
      expect(asJson).toEqual(encodeResponse(decodeResponse(asJson), () => false));
      expect(asBinary).toEqual(encodeResponse(decodeResponse(asBinary), (name) => !mixed || name === "a"));
      expect(decodeResponse(asBinary).outputs.map(plain)).toEqual(decodeResponse(asJson).outputs.map(plain));
      for (const one of [asJson, asBinary]) expect(outputDifference("tiny:3", asJson, one)).toBeUndefined();
    }),
  );
});

test("data may be nested as the shape is", () => {
  const request = (data: unknown) => json({ inputs: [{ name: "x", datatype: "INT32", shape: [2, 1, 3], data }] });
  const nested = decodeRequest(request([[[1, 2, 3]], [[4, 5, 6]]]));
  expect(nested).toEqual(decodeRequest(request([1, 2, 3, 4, 5, 6])));
  expect(reasonOf(() => decodeRequest(request([[[1, 2, 3]], [[4, 5]]])))).toBe(
    "inputs[0].data[1][0] must be a list of 3 by its shape",
  );
});

test("whole numbers of 64 bits are exact, beside numbers that are not whole", () => {
  const text =
    '{"inputs":[{"name":"x","datatype":"INT64","shape":[3],"data":[9223372036854775807,-9007199254740993,7]},{"name":"f","datatype":"FP64","shape":[2],"data":[12345678901234567890,0.12345678901234567]}]}';
  const [whole, floats] = decodeRequest(utf8(text)).inputs;
  expect([...(whole!.data as BigInt64Array)]).toEqual([9223372036854775807n, -9007199254740993n, 7n]);
  expect([...(floats!.data as Float64Array)]).toEqual([Number("12345678901234567890"), Number("0.12345678901234567")]);
  const tooLong = text.replace("9223372036854775807", "9223372036854775808");
  expect(reasonOf(() => decodeRequest(utf8(tooLong)))).toContain("inputs[0].data[0] must be a whole number of INT64");
});

test("outputs are chosen, and their form with them", () => {
  const inputs = [{ name: "x", datatype: "FP32", shape: [1], data: [1] }];
  const outputs = [{ name: "y", parameters: { binary_data: true } }, { name: "z" }];
  expect(decodeRequest(json({ id: "7", inputs, outputs }))).toMatchObject({
    outputs: [{ name: "y", binary: true }, { name: "z" }],
    binary: false,
  });
  expect(decodeRequest(json({ inputs, parameters: { binary_data_output: true, priority: 1 } })).binary).toBe(true);
  expect(decodeRequest(json({ inputs, outputs: [] })).outputs).toBeUndefined();
});

test("what is no request is refused with its place and the reason", () => {
  const tensor = { name: "x", datatype: "FP32", shape: [2], data: [1, 2] };
  const request = (more: object) => json({ inputs: [{ ...tensor, ...more }] });
  const binary = (head: object, data: number[]): Uint8Array => {
    const header = json({ inputs: [head] });
    return new Uint8Array([...utf8(`${header.length}\n`), ...header, ...data]);
  };
  const blob = (datatype: string, size: number) => ({
    name: "x",
    datatype,
    shape: [2],
    parameters: { binary_data_size: size },
  });
  const bad: [Uint8Array, string][] = [
    [utf8("not json"), "it is no JSON"],
    [new Uint8Array([0xff, 0xfe]), "it is no JSON"],
    [json([]), "the request must be an object"],
    [json({ inputs: [tensor], input: 1 }), "input is not known"],
    [json({ inputs: [tensor, tensor] }), "inputs must name each tensor once"],
    [request({ datatype: "BF16" }), "inputs[0].datatype must be one of"],
    [request({ shape: [3] }), "inputs[0].data must have 3 elements by its shape, not 2"],
    [request({ shape: [-1] }), "inputs[0].shape[0] must be a whole number from 0"],
    [request({ shape: [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1] }), "inputs[0] must hold, with those before it, at most"],
    [request({ data: undefined }), "inputs[0].data must be a list"],
    [request({ data: [1, "2"] }), "inputs[0].data[1] must be a number"],
    [request({ data: [1, 1e39] }), "inputs[0].data[1] must be a number of FP32"],
    [request({ datatype: "FP16", data: [1, 70_000] }), "inputs[0].data[1] must be a number of FP16"],
    [request({ datatype: "UINT8", data: [1, 256] }), "inputs[0].data[1] must be a whole number from 0 to 255"],
    [request({ datatype: "INT8", data: [1, 0.5] }), "inputs[0].data[1] must be a whole number from -128 to 127"],
    [request({ datatype: "BOOL", data: [true, 1] }), "inputs[0].data[1] must be true or false"],
    [request({ datatype: "BYTES", data: ["a", "b\0c"] }), "inputs[0].data[1] must have no NUL byte"],
    [request({ datatype: "BYTES", data: ["a", "\ud800"] }), "inputs[0].data[1] must be whole characters"],
    [request({ parameters: { binary_data_size: 8 } }), "inputs[0] must have data or parameters.binary_data_size"],
    [utf8("999\n{}"), "the first line says 999 bytes of JSON, and 2 follow"],
    [binary(blob("FP32", 8), [0, 0, 0]), "inputs[0] must be followed by its 8 bytes, and 3 are left"],
    [binary(blob("FP32", 4), [0, 0, 0, 0]), "inputs[0] must have 8 bytes by its shape, not 4"],
    [binary(blob("BOOL", 2), [0, 1, 0]), "1 bytes are left behind the last tensor"],
    [binary(blob("BOOL", 2), [0, 2]), "inputs[0] must be bytes of 0 and 1"],
    [binary(blob("BYTES", 5), [1, 0, 0, 0, 65]), "inputs[0] must have 2 elements by its shape, and ends after 1"],
    [binary(blob("BYTES", 8), [9, 0, 0, 0, 0, 0, 0, 0]), "inputs[0][0] must end by byte 8, not at 13"],
    [binary(blob("BYTES", 10), [1, 0, 0, 0, 0xff, 1, 0, 0, 0, 65]), "inputs[0][0] must be text in UTF-8"],
  ];
  for (const [bytes, reason] of bad) expect(reasonOf(() => decodeRequest(bytes))).toContain(reason);
});

test("a request of whatever bytes is read or refused, and never anything else", () => {
  const [sample] = fc.sample(tensorsArbitrary, { numRuns: 1, seed: 7 });
  const sound = encodeRequest({ inputs: sample!, binary: true });
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length), (at, byte, length) => {
      const spoiled = sound.slice(0, length);
      if (at < length) spoiled[at] = byte;
      try {
        decodeRequest(spoiled);
      } catch (error) {
        expect(error).toMatchObject({ code: "BAD_REQUEST" });
      }
    }),
  );
});

test("inputs are held against the model's before they run", () => {
  const specs = [
    { name: "x", datatype: "FP32" as const, shape: [-1, 2] },
    { name: "n", datatype: "INT64" as const, shape: [1] },
  ];
  const x: Tensor = { name: "x", datatype: "FP32", shape: [5, 2], data: new Float32Array(10) };
  const n: Tensor = { name: "n", datatype: "INT64", shape: [1], data: new BigInt64Array(1) };
  checkAgainst(specs, [n, x]);
  expect(reasonOf(() => checkAgainst(specs, [x]))).toBe('inputs must have "n"');
  expect(reasonOf(() => checkAgainst(specs, [x, n, { ...n, name: "m" }]))).toBe(
    'inputs[2].name must be one of x, n, not "m"',
  );
  expect(reasonOf(() => checkAgainst(specs, [{ ...x, datatype: "FP64" }, n]))).toContain("must be FP32");
  for (const shape of [[10], [5, 3], [5, 2, 1]])
    expect(reasonOf(() => checkAgainst(specs, [{ ...x, shape }, n]))).toContain("must be [-1,2]");
});

const response = (datatype: Datatype, data: TensorData): Uint8Array =>
  encodeResponse(
    { model: "tiny", version: "1", outputs: [{ name: "y", datatype, shape: [data.length], data }] },
    () => false,
  );

test("outputs are the same within the tolerance of what adds up numbers in another order, and not beyond", () => {
  const floats = (...values: number[]) => response("FP32", Float32Array.from(values));
  const base = floats(1, 100, 1e-6, Number.NaN, Number.POSITIVE_INFINITY);
  const differs = (...values: number[]) => outputDifference("tiny:1", base, floats(...values));
  expect(differs(1.00001, 100.05, 2e-6, Number.NaN, Number.POSITIVE_INFINITY)).toBeUndefined();
  expect(differs(1, 101, 1e-6, Number.NaN, Number.POSITIVE_INFINITY)).toContain("element 1 of the output y is 100");
  expect(differs(1, 100, 1e-6, 0, Number.POSITIVE_INFINITY)).toContain("element 3");
  expect(differs(1, 100, 1e-6, Number.NaN, 5)).toContain("element 4");
  expect(differs(1, 100)).toContain("type or shape");
  const labels = (changed: number) =>
    response(
      "INT64",
      BigInt64Array.from({ length: 200 }, (_, n) => BigInt(n < changed ? 1 : 0)),
    );
  expect(outputDifference("tiny:1", labels(0), labels(2))).toBeUndefined();
  expect(outputDifference("tiny:1", labels(0), labels(3))).toContain("3 of the 200 elements");
  expect(outputDifference("tiny:1", base, utf8("{}"))).toBe("what is computed is no response of a model");
  expect(outputDifference("canary", base, floats(1))).toBe("its bytes are others");
});

test("a person sees an output's name, type, shape and first elements", () => {
  const { takes, textOf } = filesOf("tiny:1");
  expect(["a.json", "b.BIN", "c.png"].filter((name) => takes.test(name))).toEqual(["a.json", "b.BIN"]);
  expect(textOf(response("FP32", new Float32Array(10).fill(0.1)))).toBe(
    "y FP32[10]: 0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1 ... (10 values)",
  );
  expect(textOf(response("BYTES", ["a\nb"]))).toBe('y BYTES[1]: "a\\nb"');
});

test("elements that lie unaligned in one of Node's buffers are read where they lie", () => {
  const buffer = Buffer.concat([Buffer.alloc(1), Buffer.from(Float32Array.of(1.5, -2).buffer)]);
  const tensor = dataFromBytes("FP32", buffer.subarray(1), 2, "x");
  expect([...(tensor as Float32Array)]).toEqual([1.5, -2]);
});

test("arrays over such elements are copies that lie aligned", () => {
  const buffer = Buffer.concat([Buffer.alloc(1), Buffer.from(Float32Array.of(1.5, -2).buffer)]);
  expect([...(arrayOf("FP32", buffer.subarray(1)) as Float32Array)]).toEqual([1.5, -2]);
});
