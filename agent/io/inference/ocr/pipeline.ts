import { Tensor } from "onnxruntime-node";
import type { Pipeline } from "../protocol.ts";
import { loadOcrModels, type OcrChoices, type OcrModels } from "./models.ts";
import { readPage } from "./page.ts";
import { rowsOfStrip, stripWidthMax } from "./recognition.ts";

/** An A4 page, upright, as the detector sees it. Other shapes cost one slower first run each. */
const usualPage = { width: 672, height: 960 };

/** Memory grows at the first run of the largest shapes, and later ones live in it. */
async function warm({ detector, recogniser }: OcrModels): Promise<void> {
  const blank = (height: number, width: number): Tensor =>
    new Tensor("float32", new Float32Array(3 * height * width), [1, 3, height, width]);
  await detector.run({ [detector.inputNames[0]!]: blank(usualPage.height, usualPage.width) });
  await recogniser.run({ [recogniser.inputNames[0]!]: blank(rowsOfStrip, stripWidthMax) });
}

/**
 * The pipeline `ocr`: one PNG, JPEG or WebP image in, the bytes of a `PageText` out. Loads and warms its models.
 * @throws MODEL_INVALID
 */
export async function loadOcrPipeline(choices: OcrChoices = {}): Promise<Pipeline> {
  const models = await loadOcrModels(choices);
  await warm(models);
  return {
    info: { name: "ocr", version: "1", models: models.files, itemsAlike: true },
    run: async (input, name) => (await readPage(models, input, name)).output,
  };
}
