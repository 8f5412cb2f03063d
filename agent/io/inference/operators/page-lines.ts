/** What the operators of pages tell each other as JSON, checked: it may come from another box. */
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { LeaningBox } from "../ocr/raster.ts";
import type { Row } from "../ocr/reading-order.ts";
import { isRecord, type Ports } from "./ports.ts";

interface Size {
  width: number;
  height: number;
}

export interface PageLines extends Size {
  boxes: LeaningBox[];
  /** Every box once. */
  rows: Row[];
}

const boxesMax = 1_000;
const sideMax = 1_000_000;
/** A longer line would be a strip of more memory than a page; the thinnest that is found, grown, is 1,400 times as long as high. */
const aspectMax = 2_000;
const BOX = ["centreX", "centreY", "width", "height", "angle"] as const;

const isWithin = (value: unknown, min: number, max: number): value is number =>
  typeof value === "number" && value >= min && value <= max;
const isSide = (value: unknown): value is number => Number.isInteger(value) && isWithin(value, 1, sideMax);

/** @throws INPUT_INVALID where it is no {"width", "height"} */
export function sizeIn(ports: Ports, port: string): Size {
  const { width, height } = ports.record(port);
  return isSide(width) && isSide(height)
    ? { width, height }
    : ports.refuse(port, 'must be {"width", "height"} in pixels');
}

/** @throws INPUT_INVALID where it is not of ocr/boxes */
export function linesIn(ports: Ports): PageLines {
  const { boxes, rows } = ports.record("lines");
  const size = sizeIn(ports, "lines");
  const wrong = (what: string): never => ports.refuse("lines", what);
  if (!Array.isArray(boxes) || boxes.length > boxesMax || !boxes.every(isBox))
    return wrong(`must have at most ${boxesMax} boxes of ${BOX.join(", ")}`);
  const order =
    Array.isArray(rows) && rows.every(Array.isArray) ? (rows as number[][]) : wrong("must have rows of boxes");
  const named = order.flat();
  const isOrder = named.length === boxes.length && new Set(named).size === boxes.length;
  if (!isOrder || !named.every((box) => Number.isInteger(box) && box >= 0 && box < boxes.length))
    wrong("must have each box once in its rows");
  return { ...size, boxes: boxes as unknown as LeaningBox[], rows: order };
}

function isBox(box: Json): boolean {
  if (!isRecord(box) || !BOX.every((name) => isWithin(box[name], -sideMax, sideMax))) return false;
  return Number(box.width) > 0 && Number(box.height) > 0 && Number(box.width) < aspectMax * Number(box.height);
}

/** @throws INPUT_INVALID where it is not of ocr/strips */
export function piecesIn(ports: Ports, boxes: number): { box: number; spaceBefore: boolean }[] {
  return ports.array("pieces").map((piece, n) => {
    const { box, spaceBefore } = isRecord(piece) ? piece : {};
    const isPiece = Number.isInteger(box) && isWithin(box, 0, boxes - 1) && typeof spaceBefore === "boolean";
    return isPiece
      ? { box, spaceBefore }
      : ports.refuse("pieces", `must be of {"box", "spaceBefore"}; its element ${n} is not one`);
  });
}
