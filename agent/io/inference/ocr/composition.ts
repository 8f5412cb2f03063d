import type { PageLine, PageText } from "../../../../shared/page-text.ts";
import type { ReadLine } from "./ctc.ts";
import type { LeaningBox } from "./raster.ts";
import type { Row } from "./reading-order.ts";
import { uprightBounds } from "./rectangle.ts";

/** A line read with less certainty is dropped: a stain, a rule, a picture. */
const lineScoreMin = 0.5;

interface Size {
  width: number;
  height: number;
}

function boxInImage(box: LeaningBox, raster: Size, image: Size): PageLine["box"] {
  const scaleX = image.width / raster.width;
  const scaleY = image.height / raster.height;
  const bounds = uprightBounds(box);
  const clamp = (value: number, limit: number): number => Math.min(Math.max(Math.round(value), 0), limit);
  const left = clamp(bounds.left * scaleX, image.width);
  const top = clamp(bounds.top * scaleY, image.height);
  const right = clamp(bounds.right * scaleX, image.width);
  const bottom = clamp(bounds.bottom * scaleY, image.height);
  return [left, top, right - left, bottom - top];
}

/**
 * The text of a page from its lines as read, in reading order.
 * @param reads of each box
 * @param raster what was read, in whose pixels the boxes are
 * @param image the whole of what it was made of
 */
export function composedPage(
  boxes: readonly LeaningBox[],
  reads: readonly ReadLine[],
  rows: readonly Row[],
  raster: Size,
  image: Size,
): PageText {
  const lines: PageLine[] = [];
  const texts: string[] = [];
  for (const row of rows) {
    const kept = row.filter((box) => reads[box]!.score >= lineScoreMin && reads[box]!.text.trim() !== "");
    for (const box of kept)
      lines.push({
        text: reads[box]!.text.trim(),
        score: reads[box]!.score,
        box: boxInImage(boxes[box]!, raster, image),
      });
    if (kept.length > 0) texts.push(kept.map((box) => reads[box]!.text.trim()).join(" "));
  }
  return { version: 1, width: image.width, height: image.height, text: texts.join("\n"), lines };
}
