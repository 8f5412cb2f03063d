import onnxProto, { type onnx as Onnx } from "onnx-proto";

const { onnx } = onnxProto;

import fc from "fast-check";
import { expect, test } from "vitest";
import { externalDataOf, type ReadAt } from "../../shared/onnx-outline.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";

let bytesRead = 0;
const reader =
  (bytes: Uint8Array): ReadAt =>
  async (offset, length) => {
    const slice = bytes.subarray(offset, offset + length);
    bytesRead += slice.length;
    return slice;
  };
const outline = (bytes: Uint8Array) => externalDataOf(reader(bytes), bytes.length);
const modelOf = (graph: Onnx.IGraphProto): Uint8Array =>
  onnx.ModelProto.encode(onnx.ModelProto.fromObject({ irVersion: 8, graph })).finish();
const external = (location: string): Onnx.ITensorProto => ({
  name: location,
  dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
  externalData: [{ key: "location", value: location }],
});

test("a graph with its weights inside names no file", async () => {
  expect(await outline(tinyOnnx())).toEqual([]);
});

test("files are named wherever tensors may be: initializers, sparse ones, constants, graphs within graphs; each once", async () => {
  const inner: Onnx.IGraphProto = { name: "then", initializer: [external("inner.bin"), external("weights.bin")] };
  const bytes = modelOf({
    name: "g",
    initializer: [external("weights.bin"), { name: "small", rawData: new Uint8Array(9) }],
    sparseInitializer: [{ values: external("values.bin"), indices: external("indices.bin") }],
    node: [
      { opType: "Constant", attribute: [{ name: "value", t: external("constant.bin") }] },
      { opType: "If", attribute: [{ name: "then_branch", g: inner }] },
    ],
  });
  expect((await outline(bytes))?.sort()).toEqual([
    "constant.bin",
    "indices.bin",
    "inner.bin",
    "values.bin",
    "weights.bin",
  ]);
});

test("weights are skipped and not read: of 40 MB in one tensor a few windows are", async () => {
  const bytes = modelOf({
    name: "g",
    initializer: [{ name: "large", rawData: new Uint8Array(40_000_000) }, external("rest.bin")],
  });
  bytesRead = 0;
  expect(await outline(bytes)).toEqual(["rest.bin"]);
  expect(bytesRead).toBeLessThan(500_000);
});

test.each([
  ["text", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")],
  ["nothing", new Uint8Array()],
  ["a PNG", new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13])],
  ["zeros", new Uint8Array(100)],
  ["half a model", tinyOnnx().subarray(0, 60)],
  ["a graph without a version of the format", modelOf({ name: "g" }).subarray(2)],
])("%s is no ONNX file", async (_what, bytes) => {
  expect(await outline(bytes)).toBeUndefined();
});

test("more files than a model may have, or a name that is longer than a path may be, is not followed", async () => {
  const many = Array.from({ length: 300 }, (_, i) => external(`w${i}.bin`));
  expect(await outline(modelOf({ name: "g", initializer: many }))).toBeUndefined();
  expect(await outline(modelOf({ name: "g", initializer: [external("x".repeat(201))] }))).toBeUndefined();
});

test("graphs nested without end are not followed", async () => {
  let graph: Onnx.IGraphProto = { name: "innermost", initializer: [external("deep.bin")] };
  for (let i = 0; i < 40; i++) graph = { name: "g", node: [{ opType: "If", attribute: [{ name: "a", g: graph }] }] };
  expect(await outline(modelOf(graph))).toBeUndefined();
});

test("bytes that were tampered with give names or none, and never throw", async () => {
  const sound = tinyOnnx({ weightsIn: "weights.bin" });
  await fc.assert(
    fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length), async (at, byte, length) => {
      const harmed = new Uint8Array(sound);
      harmed[at] = byte;
      const found = await outline(harmed.subarray(0, length));
      expect(found === undefined || Array.isArray(found)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
