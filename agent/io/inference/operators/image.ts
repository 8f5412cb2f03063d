import sharp from "sharp";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import { decodeImage } from "../ocr/image.ts";
import type { Raster } from "../ocr/raster.ts";
import { type Box, boxesIn } from "./boxes.ts";
import type { Implementation } from "./operator.ts";
import { refuseInput } from "./ports.ts";
import { floats, json, list, tensor } from "./values.ts";

/** What this file makes is bounded by 8192 x 8192 pixels, crops by this many, in all: 200 MB. */
const pixelsMax = 8192 * 8192;
const sideMax = 8192;

export const imageValue = ({ width, height, pixels }: Raster): Value => tensor("UINT8", [height, width, 3], pixels);

type Kernel = "nearest" | "linear" | "cubic" | "lanczos3";

/** Scales to exactly this size. */
async function scaled(raster: Raster, width: number, height: number, kernel: Kernel): Promise<Raster> {
  if (raster.width === width && raster.height === height) return raster;
  const raw = { width: raster.width, height: raster.height, channels: 3 } as const;
  const pixels = await sharp(raster.pixels, { raw, limitInputPixels: false })
    .resize({ width, height, fit: "fill", kernel })
    .raw()
    .toBuffer();
  return { width, height, pixels };
}

const numbers = (value: Json | undefined): [number, number, number] => value as [number, number, number];

function letterboxed(
  inner: Raster,
  width: number,
  height: number,
  fill: number,
): { raster: Raster; left: number; top: number } {
  const pixels = new Uint8Array(width * height * 3).fill(fill);
  const left = (width - inner.width) >> 1;
  const top = (height - inner.height) >> 1;
  for (let y = 0; y < inner.height; y++)
    pixels.set(inner.pixels.subarray(y * inner.width * 3, (y + 1) * inner.width * 3), ((top + y) * width + left) * 3);
  return { raster: { width, height, pixels }, left, top };
}

/** Whole pixels that a box touches, inside of the picture and at least one. */
function cropped(raster: Raster, { left, top, width, height }: Box, margin: number): Raster {
  const within = (value: number, max: number): number => Math.min(Math.max(value, 0), max);
  const [x, y] = [
    within(Math.floor(left - width * margin), raster.width - 1),
    within(Math.floor(top - height * margin), raster.height - 1),
  ];
  const right = within(Math.ceil(left + width * (1 + margin)), raster.width);
  const bottom = within(Math.ceil(top + height * (1 + margin)), raster.height);
  const [columns, rows] = [Math.max(1, right - x), Math.max(1, bottom - y)];
  const pixels = new Uint8Array(columns * rows * 3);
  for (let row = 0; row < rows; row++) {
    const from = ((y + row) * raster.width + x) * 3;
    pixels.set(raster.pixels.subarray(from, from + columns * 3), row * columns * 3);
  }
  return { width: columns, height: rows, pixels };
}

interface Normalisation {
  scale: number;
  mean: [number, number, number];
  std: [number, number, number];
  isBgr: boolean;
  isPlanar: boolean;
}

/** For each colour and byte the value: a table, because a byte has only 256. */
function normalised({ width, height, pixels }: Raster, { scale, mean, std, isBgr, isPlanar }: Normalisation): Value {
  const plane = width * height;
  const tensorOf = new Float32Array(plane * 3);
  for (let channel = 0; channel < 3; channel++) {
    const table = Float32Array.from({ length: 256 }, (_, byte) => (byte * scale - mean[channel]!) / std[channel]!);
    const place = isBgr ? 2 - channel : channel;
    const [start, stride] = isPlanar ? [place * plane, 1] : [place, 3];
    for (let at = 0; at < plane; at++) tensorOf[start + at * stride] = table[pixels[at * 3 + channel]!]!;
  }
  return floats(isPlanar ? [1, 3, height, width] : [1, height, width, 3], tensorOf);
}

export const IMAGES: Record<string, Implementation> = {
  "image/decode@1": () => async (ports) => {
    const { width, height, raster } = await decodeImage(ports.bytes("bytes"), "The image");
    return { image: imageValue(raster), size: json({ width, height }) };
  },
  "image/resize@1":
    ({ width, height, kernel }) =>
    async (ports) => {
      const raster = await scaled(ports.image("image"), width as number, height as number, kernel as Kernel);
      return { image: imageValue(raster) };
    },
  "image/fit@1":
    ({ side, multiple, kernel }) =>
    async (ports) => {
      const image = ports.image("image");
      const scale = Math.min(1, (side as number) / Math.max(image.width, image.height));
      const step = multiple as number;
      const fitted = (length: number): number => {
        const most = Math.max(step, Math.floor(sideMax / step) * step);
        return Math.min(Math.max(step, Math.round((length * scale) / step) * step), most);
      };
      const raster = await scaled(image, fitted(image.width), fitted(image.height), kernel as Kernel);
      return { image: imageValue(raster) };
    },
  "image/letterbox@1":
    ({ width, height, fill, kernel }) =>
    async (ports) => {
      const image = ports.image("image");
      const [columns, rows] = [width as number, height as number];
      const scale = Math.min(columns / image.width, rows / image.height);
      const side = (length: number, max: number): number => Math.min(Math.max(1, Math.round(length * scale)), max);
      const inner = await scaled(image, side(image.width, columns), side(image.height, rows), kernel as Kernel);
      const { raster, left, top } = letterboxed(inner, columns, rows, fill as number);
      const placement = { scale, left, top, width: image.width, height: image.height };
      return { image: imageValue(raster), placement: json(placement) };
    },
  "image/crop@1":
    ({ margin, max }) =>
    (ports) => {
      const image = ports.image("image");
      let pixels = 0;
      const crops = boxesIn(ports, "boxes")
        .slice(0, max as number)
        .map((box) => {
          const crop = cropped(image, box, margin as number);
          pixels += crop.width * crop.height;
          if (pixels > pixelsMax) ports.refuse("boxes", `must show at most ${pixelsMax} pixels in all`);
          return imageValue(crop);
        });
      return { crops: list(crops) };
    },
  "image/normalise@1": ({ scale, mean, std, order, layout }) => {
    if (numbers(mean).length !== 3 || numbers(std).length !== 3)
      refuseInput("image/normalise@1", "its parameters mean and std must be three numbers each");
    const how = { scale: scale as number, mean: numbers(mean), std: numbers(std) };
    return (ports) => {
      const image = ports.image("image");
      if (image.width * image.height > pixelsMax) ports.refuse("image", `must have at most ${pixelsMax} pixels`);
      return { tensor: normalised(image, { ...how, isBgr: order === "bgr", isPlanar: layout === "nchw" }) };
    };
  },
};
