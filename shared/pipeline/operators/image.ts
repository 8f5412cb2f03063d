import type { OperatorSpec, ParameterSpec } from "../operators.ts";
import { IMAGE, SIDE_MAX, tensorType, wholeOr } from "./types.ts";

const side = (says: string): ParameterSpec => ({ type: "integer", says: `${says}, in pixels`, min: 1, max: SIDE_MAX });
const image = { type: IMAGE, says: "red, green and blue bytes" };
export const BOXES_SAY = 'a list of {"box": [left, top, width, height], "score"?, "label"?}, in pixels';
const KERNEL: ParameterSpec = {
  type: "text",
  says: "how pixels are made of pixels",
  oneOf: ["nearest", "linear", "cubic", "lanczos3"],
  default: "lanczos3",
};
const ofSize = ({ width, height }: Record<string, unknown>): string =>
  `UINT8[${wholeOr(height, -1)},${wholeOr(width, -1)},3]`;

export const IMAGES: OperatorSpec[] = [
  {
    name: "image/decode@1",
    says: "A PNG, JPEG or WebP as pixels: turned upright by its EXIF orientation, on white where it is transparent. A side of more than 4096 pixels is scaled down to that.",
    inputs: { bytes: { type: "bytes", says: "the file" } },
    outputs: {
      image: { type: IMAGE, says: "its pixels" },
      size: { type: "json", says: '{"width", "height"} of the whole picture as a person sees it, before it is scaled' },
    },
    parameters: {},
  },
  {
    name: "image/resize@1",
    says: "A picture of exactly this size, whatever becomes of its proportions.",
    inputs: { image },
    outputs: { image },
    parameters: { width: side("width"), height: side("height"), kernel: KERNEL },
    giving: (parameters) => ({ image: ofSize(parameters) }),
  },
  {
    name: "image/fit@1",
    says: "A picture scaled down so that its long side is at most so long, each side rounded to a multiple. Smaller ones are not made larger, but for the rounding.",
    inputs: { image },
    outputs: { image },
    parameters: {
      side: side("the long side at most"),
      multiple: { type: "integer", says: "each side is a multiple of it", min: 1, max: 256, default: 1 },
      kernel: KERNEL,
    },
  },
  {
    name: "image/letterbox@1",
    says: "A picture of exactly this size that holds the whole of what it takes, in its proportions, in the middle of a plain field.",
    inputs: { image },
    outputs: {
      image,
      placement: {
        type: "json",
        says: '{"scale", "left", "top", "width", "height"}: where it lies, and the size it had',
      },
    },
    parameters: {
      width: side("width"),
      height: side("height"),
      fill: { type: "integer", says: "the byte of the field's three colours", min: 0, max: 255, default: 114 },
      kernel: KERNEL,
    },
    giving: (parameters) => ({ image: ofSize(parameters), placement: "json" }),
  },
  {
    name: "image/crop@1",
    says: "The parts of a picture that boxes show; what lies outside of it is left out, and a box wholly outside gives one pixel at its edge.",
    inputs: { image, boxes: { type: "json", says: BOXES_SAY } },
    outputs: { crops: { type: `list<${IMAGE}>`, says: "one for each box" } },
    parameters: {
      margin: {
        type: "number",
        says: "what is added on each side, as a share of the box's own width and height",
        min: 0,
        max: 4,
        default: 0,
      },
      max: { type: "integer", says: "boxes at most; the first ones", min: 1, max: 10_000, default: 1_000 },
    },
  },
  {
    name: "image/normalise@1",
    says: "Pixels as a model takes them: (byte x scale - mean) / std, by colour.",
    inputs: { image },
    outputs: { tensor: { type: "FP32", says: "of four dimensions, the first 1" } },
    parameters: {
      scale: { type: "number", says: "factor of a byte", min: 1e-6, max: 1e3, default: 1 / 255 },
      mean: { type: "numbers", says: "of red, green and blue, in that order", min: -1e4, max: 1e4, default: [0, 0, 0] },
      std: { type: "numbers", says: "of red, green and blue, in that order", min: 1e-6, max: 1e4, default: [1, 1, 1] },
      order: { type: "text", says: "of the colours in the tensor", oneOf: ["rgb", "bgr"], default: "rgb" },
      layout: {
        type: "text",
        says: "colours before rows, or behind columns",
        oneOf: ["nchw", "nhwc"],
        default: "nchw",
      },
    },
    giving: ({ layout }, inputs) => {
      const [height = -1, width = -1] = tensorType(inputs.image ?? IMAGE)?.shape ?? [];
      return { tensor: layout === "nhwc" ? `FP32[1,${height},${width},3]` : `FP32[1,3,${height},${width}]` };
    },
  },
];
