import { writePageText } from "../../../../shared/page-text.ts";
import { composedPage } from "./composition.ts";
import type { ReadLine } from "./ctc.ts";
import { detectLines } from "./detection.ts";
import { decodeImage } from "./image.ts";
import type { OcrModels } from "./models.ts";
import { Pyramid } from "./raster.ts";
import { readingOrder } from "./reading-order.ts";
import { readLine } from "./recognition.ts";

/** Milliseconds of the three parts of one page. */
export interface PageTimes {
  decodeMs: number;
  detectMs: number;
  recogniseMs: number;
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
  const rows = readingOrder(boxes, lean);
  const reads: ReadLine[] = [];
  for (const index of rows.flat())
    reads[index] = await readLine(models.recogniser, models.characters, pyramid, boxes[index]!);
  const result = composedPage(boxes, reads, rows, page.raster, page);
  const output = writePageText(result);
  const endedMs = performance.now();
  const times = {
    decodeMs: decodedMs - startedMs,
    detectMs: detectedMs - decodedMs,
    recogniseMs: endedMs - detectedMs,
  };
  return { output, times };
}
