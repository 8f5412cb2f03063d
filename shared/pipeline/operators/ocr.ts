import type { OperatorSpec } from "../operators.ts";
import { IMAGE } from "./types.ts";

const STRIP = "FP32[1,3,48,-1]";

/** What lies between the models of PP-OCR. In its pipelines a line is a box that may lean, a piece what of it is read at once. */
export const OCR: OperatorSpec[] = [
  {
    name: "ocr/detect-input@1",
    says: "A page as the detector of PP-OCR takes it: long side at most 960, sides multiples of 32, blue before red, normalised.",
    inputs: { image: { type: IMAGE, says: "the page" } },
    outputs: {
      x: { type: "FP32[1,3,-1,-1]", says: "for the detector" },
      size: { type: "json", says: '{"width", "height"} of the image, for ocr/boxes' },
    },
    parameters: {},
  },
  {
    name: "ocr/boxes@1",
    says: "Boxes around lines of text from the detector's map (differentiable binarisation): connected areas, each with the smallest box around it, grown; and the order in which a person reads them.",
    inputs: {
      probabilities: { type: "FP32[1,1,-1,-1]", says: "of each pixel that it is text" },
      size: { type: "json", says: "of ocr/detect-input" },
    },
    outputs: {
      lines: {
        type: "json",
        says: '{"width", "height", "lean", "boxes": [{"centreX", "centreY", "width", "height", "angle"}], "rows": [[box, …], …]}',
      },
      count: { type: "number", says: "boxes" },
    },
    parameters: {},
  },
  {
    name: "ocr/strips@1",
    says: "Each line, straightened, as strips that the recogniser reads: in reading order, long lines in pieces cut at gaps.",
    inputs: {
      image: { type: IMAGE, says: "the page" },
      lines: { type: "json", says: "of ocr/boxes" },
    },
    outputs: {
      strips: { type: `list<${STRIP}>`, says: "blue, green and red from -1 to 1; 0 behind the line's end" },
      pieces: {
        type: "json",
        says: '[{"box", "spaceBefore"}]: of each strip the line it is of, and whether a space stands before it',
      },
    },
    parameters: {
      max: {
        type: "integer",
        says: "strips at most; a page with more is an error",
        min: 1,
        max: 10_000,
        default: 4_000,
      },
    },
  },
  {
    name: "ocr/turn-input@1",
    says: "A strip as the model takes it that tells which lines are upside down: 192 wide.",
    inputs: { strip: { type: STRIP, says: "of ocr/strips" } },
    outputs: { x: { type: "FP32[1,3,48,192]", says: "for that model" } },
    parameters: {},
  },
  {
    name: "ocr/turn@1",
    says: "Turns a strip round that is upside down.",
    inputs: {
      strip: { type: STRIP, says: "of ocr/strips" },
      scores: { type: "FP32[1,2]", says: "that it is upright, that it is upside down" },
    },
    outputs: {
      strip: { type: STRIP, says: "upright" },
      turned: { type: "boolean", says: "whether it was turned" },
    },
    parameters: {
      scoreMin: { type: "number", says: "it is turned from this score on", min: 0.5, max: 1, default: 0.9 },
    },
  },
  {
    name: "ocr/page@1",
    says: "The text of a page from the texts of its strips. Pieces that were skipped are left out, as are lines read with a mean score below one half.",
    inputs: {
      texts: { type: "list<text>", says: "of each strip" },
      scores: { type: "list<number>", says: "of each strip, 0 to 1" },
      pieces: { type: "json", says: "of ocr/strips" },
      lines: { type: "json", says: "of ocr/boxes" },
      turned: {
        type: "list<boolean>",
        optional: true,
        says: "of ocr/turn: a page with most of them turned is read from its end",
      },
      size: {
        type: "json",
        optional: true,
        says: "of image/decode: boxes of lines are then of the picture before it was scaled",
      },
    },
    outputs: {
      text: { type: "text", says: "the page, lines separated by newlines" },
      page: { type: "json", says: 'as the pipeline ocr gives it: {"version", "width", "height", "text", "lines"}' },
      bytes: { type: "bytes", says: "the page, written down as the pipeline ocr does" },
    },
    parameters: {},
  },
];
