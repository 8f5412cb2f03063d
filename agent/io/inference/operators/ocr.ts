import { type PageText, writePageText } from "../../../../shared/page-text.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import { composedPage } from "../ocr/composition.ts";
import { boxesOf, detectionInput } from "../ocr/detection.ts";
import { Pyramid } from "../ocr/raster.ts";
import { readingOrder } from "../ocr/reading-order.ts";
import { joinedLine, rowsOfStrip, stripOf, stripPieces } from "../ocr/recognition.ts";
import type { Implementation } from "./operator.ts";
import { linesIn, piecesIn, sizeIn } from "./page-lines.ts";
import type { Ports } from "./ports.ts";
import { turned, turnInput } from "./turn.ts";
import { bytes, floats, json, list } from "./values.ts";

const STRIP = [1, 3, rowsOfStrip, -1];

/** A text and its score for each strip; one that was skipped reads as nothing. */
function readsIn(ports: Ports, count: number): { text: string; score: number }[] {
  const [texts, scores] = [ports.list("texts"), ports.list("scores")];
  if (texts.length !== count || scores.length !== count)
    ports.refuse(
      "texts",
      `and scores must have an element for each of ${count} pieces, not ${texts.length} and ${scores.length}`,
    );
  return texts.map((text, n) => {
    const score = scores[n]!;
    if (text.kind === "none" || score.kind === "none") return { text: "", score: 0 };
    if (text.kind !== "json" || typeof text.json !== "string") return ports.refuse("texts", "must be of texts");
    if (score.kind !== "json" || typeof score.json !== "number") return ports.refuse("scores", "must be of numbers");
    return { text: text.json, score: score.json };
  });
}

function turnsIn(ports: Ports, count: number): boolean[] {
  if (!ports.has("turned")) return Array.from({ length: count }, () => false);
  const turns = ports.list("turned").map((value) => value.kind === "json" && value.json === true);
  return turns.length === count ? turns : ports.refuse("turned", `must have an element for each of ${count} pieces`);
}

/** The pieces of a line that lies upside down come in the opposite order, each with the gap that was behind it in front. */
function inReadingOrder<T extends { spaceBefore: boolean }>(pieces: readonly T[], isTurned: boolean): T[] {
  if (!isTurned) return [...pieces];
  return [...pieces]
    .reverse()
    .map((piece, n) => ({ ...piece, spaceBefore: pieces[pieces.length - n]?.spaceBefore ?? false }));
}

/** More than half of it. */
const isMost = (flags: readonly boolean[]): boolean => flags.filter(Boolean).length * 2 > flags.length;

function pageOf(ports: Ports): PageText {
  const { width, height, boxes, rows } = linesIn(ports);
  const pieces = piecesIn(ports, boxes.length);
  const turns = turnsIn(ports, pieces.length);
  const reads = readsIn(ports, pieces.length).map((read, n) => ({ ...read, ...pieces[n]!, isTurned: turns[n]! }));
  const ofBox = boxes.map((): typeof reads => []);
  for (const read of reads) ofBox[read.box]!.push(read);
  const lines = ofBox.map((own) => joinedLine(inReadingOrder(own, isMost(own.map(({ isTurned }) => isTurned)))));
  const order = isMost(turns) ? rows.map((row) => [...row].reverse()).reverse() : rows;
  const image = ports.has("size") ? sizeIn(ports, "size") : { width, height };
  return composedPage(boxes, lines, order, { width, height }, image);
}

export const OCR: Record<string, Implementation> = {
  "ocr/detect-input@1": () => async (ports) => {
    const image = ports.image("image");
    const { planes, width, height } = await detectionInput(image);
    return { x: floats([1, 3, height, width], planes), size: json({ width: image.width, height: image.height }) };
  },
  "ocr/boxes@1": () => (ports) => {
    const { shape, elements } = ports.floats("probabilities", [1, 1, -1, -1]);
    const page = sizeIn(ports, "size");
    const { boxes, lean } = boxesOf(elements, { width: shape[3]!, height: shape[2]! }, page);
    const rows = readingOrder(boxes, lean);
    const lines = { ...page, lean, boxes: boxes.map((box) => ({ ...box })), rows };
    return { lines: json(lines), count: json(boxes.length) };
  },
  "ocr/strips@1":
    ({ max }) =>
    (ports) => {
      const image = ports.image("image");
      const { width, height, boxes, rows } = linesIn(ports);
      if (width !== image.width || height !== image.height)
        ports.refuse("lines", `are of a page of ${width} x ${height}, not of this image`);
      const pyramid = new Pyramid(image);
      const strips: Value[] = [];
      const pieces: Json[] = [];
      for (const box of rows.flat())
        for (const { box: part, spaceBefore } of stripPieces(pyramid, boxes[box]!)) {
          if (strips.length === max) ports.refuse("lines", `make more than ${max} strips`);
          const strip = stripOf(pyramid, part);
          strips.push(floats([1, 3, rowsOfStrip, strip.width], strip.planes));
          pieces.push({ box, spaceBefore });
        }
      return { strips: list(strips), pieces: json(pieces) };
    },
  "ocr/turn-input@1": () => (ports) => ({ x: turnInput(ports.floats("strip", STRIP)) }),
  "ocr/turn@1":
    ({ scoreMin }) =>
    (ports) => {
      const strip = ports.floats("strip", STRIP);
      const isTurned = ports.floats("scores", [1, 2]).elements[1]! >= (scoreMin as number);
      return { strip: isTurned ? turned(strip) : ports.any("strip"), turned: json(isTurned) };
    },
  "ocr/page@1": () => (ports) => {
    const page = pageOf(ports);
    const written = writePageText(page);
    const read = JSON.parse(new TextDecoder().decode(written)) as Json;
    return { text: json(page.text), page: json(read), bytes: bytes(written) };
  },
};
