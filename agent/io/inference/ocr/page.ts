import { type PageLine, type PageText, writePageText } from "../../../../shared/page-text.ts";
import { detectLines } from "./detection.ts";
import { decodeImage, type PageImage } from "./image.ts";
import type { OcrModels } from "./models.ts";
import { type LeaningBox, Pyramid } from "./raster.ts";
import { readingOrder } from "./reading-order.ts";
import { readLine } from "./recognition.ts";
import { uprightBounds } from "./rectangle.ts";

/** A line read with less certainty is dropped: a stain, a rule, a picture. */
const lineScoreMin = 0.5;

/** Milliseconds of the three parts of one page. */
export interface PageTimes {
  decodeMs: number;
  detectMs: number;
  recogniseMs: number;
}

function boxInImage(box: LeaningBox, page: PageImage): PageLine["box"] {
  const scaleX = page.width / page.raster.width;
  const scaleY = page.height / page.raster.height;
  const bounds = uprightBounds(box);
  const clamp = (value: number, limit: number): number => Math.min(Math.max(Math.round(value), 0), limit);
  const left = clamp(bounds.left * scaleX, page.width);
  const top = clamp(bounds.top * scaleY, page.height);
  const right = clamp(bounds.right * scaleX, page.width);
  const bottom = clamp(bounds.bottom * scaleY, page.height);
  return [left, top, right - left, bottom - top];
}

/**
 * The `ocr` pipeline on one image: decode, find lines, read each, put them in reading order.
 * @throws INPUT_EMPTY, IMAGE_UNREADABLE, IMAGE_TOO_LARGE.
 */
export async function readPage(
  models: OcrModels,
  input: Uint8Array,
  name: string,
): Promise<{ output: Uint8Array; times: PageTimes }> {
  const startedMs = performance.now();
  const page = await decodeImage(input, name);
  const decodedMs = performance.now();
  const { boxes, lean } = await detectLines(models.detector, page.raster);
  const detectedMs = performance.now();
  const pyramid = new Pyramid(page.raster);
  const lines: PageLine[] = [];
  const rows: string[] = [];
  for (const row of readingOrder(boxes, lean)) {
    const texts: string[] = [];
    for (const index of row) {
      const box = boxes[index]!;
      const { text, score } = await readLine(models.recogniser, models.characters, pyramid, box);
      if (score < lineScoreMin || text.trim() === "") continue;
      lines.push({ text: text.trim(), score, box: boxInImage(box, page) });
      texts.push(text.trim());
    }
    if (texts.length > 0) rows.push(texts.join(" "));
  }
  const result: PageText = { version: 1, width: page.width, height: page.height, text: rows.join("\n"), lines };
  const output = writePageText(result);
  const endedMs = performance.now();
  const times = {
    decodeMs: decodedMs - startedMs,
    detectMs: detectedMs - decodedMs,
    recogniseMs: endedMs - detectedMs,
  };
  return { output, times };
}
