/** Strips that may be upside down: planes of 48 rows, zeros behind the end of what is written. */
import type { Value } from "../../../../shared/pipeline/values.ts";
import { rowsOfStrip } from "../ocr/recognition.ts";
import { floats } from "./values.ts";

interface Strip {
  shape: number[];
  elements: Float32Array;
}

/** What the model that tells them takes. */
const turnWidth = 192;
const PLANES = 3 * rowsOfStrip;

/** Columns before the padding. Pixels are exactly 0 only there: a byte's value is v / 127.5 - 1. */
function columnsOf({ shape, elements }: Strip): number {
  const width = shape[3]!;
  for (let column = width - 1; column >= 0; column--)
    for (let row = 0; row < PLANES; row++) if (elements[row * width + column] !== 0) return column + 1;
  return 0;
}

/** Squeezed where it is longer than the model's input, each column the mean of those it stands for; else as it is, zeros behind. */
export function turnInput(strip: Strip): Value {
  const width = strip.shape[3]!;
  const columns = columnsOf(strip);
  const step = Math.max(1, columns / turnWidth);
  const x = new Float32Array(PLANES * turnWidth);
  for (let row = 0; row < PLANES; row++)
    for (let to = 0; to < Math.min(columns, turnWidth); to++) {
      const from = Math.floor(to * step);
      const end = Math.max(from + 1, Math.min(columns, Math.floor((to + 1) * step)));
      let sum = 0;
      for (let column = from; column < end; column++) sum += strip.elements[row * width + column]!;
      x[row * turnWidth + to] = sum / (end - from);
    }
  return floats([1, 3, rowsOfStrip, turnWidth], x);
}

/** By half a turn; the padding stays behind. */
export function turned(strip: Strip): Value {
  const width = strip.shape[3]!;
  const columns = columnsOf(strip);
  const round = new Float32Array(strip.elements.length);
  for (let plane = 0; plane < 3; plane++)
    for (let row = 0; row < rowsOfStrip; row++) {
      const from = (plane * rowsOfStrip + row) * width;
      const to = (plane * rowsOfStrip + rowsOfStrip - 1 - row) * width;
      for (let column = 0; column < columns; column++)
        round[to + columns - 1 - column] = strip.elements[from + column]!;
    }
  return floats(strip.shape, round);
}
