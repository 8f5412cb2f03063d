import { type LeaningBox, type Pyramid, sampleBox } from "./raster.ts";

/** A part of a line, and whether a space stands before it. */
export interface Piece {
  box: LeaningBox;
  spaceBefore: boolean;
}

/** A cut is looked for within this share of a piece around where it would fall; pieces get that much longer at most. */
const searchShare = 0.2;
/** A column whose brightness varies by less than this share of the line's own contrast has no ink in it. */
const blankShare = 0.15;
/** In a strip 48 high: gaps within words are narrower. */
const spaceColumnsMin = 5;

/** For each column of a strip: by how much its brightness varies from top to bottom. */
function contrastOf(planes: Float32Array, columns: number, rows: number): Float32Array {
  const contrast = new Float32Array(columns);
  const green = columns * rows;
  for (let column = 0; column < columns; column++) {
    let [low, high] = [Infinity, -Infinity];
    for (let row = 0; row < rows; row++) {
      const value = planes[green + row * columns + column]!;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    contrast[column] = high - low;
  }
  return contrast;
}

/** The middle of the widest blank stretch in [from, to), and its width; the faintest column if nothing is blank. */
function gapIn(contrast: Float32Array, from: number, to: number, blank: number): { at: number; width: number } {
  let best = { at: from, width: 0 };
  let faintest = from;
  let start = from;
  for (let column = from; column <= to; column++) {
    if (column < to && contrast[column]! < blank) continue;
    const width = column - start;
    if (width > best.width) best = { at: start + (width >> 1), width };
    start = column + 1;
    if (column < to && contrast[column]! < contrast[faintest]!) faintest = column;
  }
  return best.width > 0 ? best : { at: faintest, width: 0 };
}

function partOf(box: LeaningBox, from: number, to: number): LeaningBox {
  const shift = ((from + to) / 2 - 0.5) * box.width;
  return {
    ...box,
    centreX: box.centreX + Math.cos(box.angle) * shift,
    centreY: box.centreY + Math.sin(box.angle) * shift,
    width: (to - from) * box.width,
  };
}

/**
 * Cuts a line that would be wider than `columnsMax` in a strip of `rows` into pieces of nearly equal width, at gaps between
 * words where there are any: the recogniser learned on short lines, and of a long one it reads fragments.
 */
export function piecesOf(pyramid: Pyramid, box: LeaningBox, rows: number, columnsMax: number): Piece[] {
  const columns = Math.round((rows * box.width) / box.height);
  if (columns <= columnsMax) return [{ box, spaceBefore: false }];
  const count = Math.ceil((columns / columnsMax) * (1 + searchShare));
  const planes = new Float32Array(3 * rows * columns);
  sampleBox(pyramid, box, columns, rows, planes, columns);
  const contrast = contrastOf(planes, columns, rows);
  const blank = contrast.reduce((most, value) => Math.max(most, value), 0) * blankShare;
  const pieces: Piece[] = [];
  let start = 0;
  let spaceBefore = false;
  for (let cut = 1; cut < count; cut++) {
    const middle = Math.round((columns * cut) / count);
    const reach = Math.round(((columns / count) * searchShare) / 2);
    const gap = gapIn(contrast, middle - reach, middle + reach, blank);
    pieces.push({ box: partOf(box, start / columns, gap.at / columns), spaceBefore });
    start = gap.at;
    spaceBefore = gap.width >= spaceColumnsMin;
  }
  return [...pieces, { box: partOf(box, start / columns, 1), spaceBefore }];
}
