import sharp, { type Metadata } from "sharp";
import { SkeinError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import type { Raster } from "./raster.ts";

/** A decoded page, upright, on white. */
export interface PageImage {
  /** Of the whole image as a person sees it, in pixels. */
  width: number;
  height: number;
  /** What is read: the image itself, or a smaller copy of a very large one. */
  raster: Raster;
}

/**
 * Longer sides are scaled down to this before reading. Detection looks at no more than 960 pixels of the long side, so a
 * line it can find is at least 30 pixels high here, and an A2 scan costs 50 MB instead of 300.
 */
const sideMax = 4096;

/** What the first bytes say. Names and media types of files are not believed. */
function formatOf(input: Uint8Array): "png" | "jpeg" | "webp" | undefined {
  const starts = (at: number, ...bytes: number[]): boolean => bytes.every((byte, index) => input[at + index] === byte);
  if (starts(0, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return "png";
  if (starts(0, 0xff, 0xd8, 0xff)) return "jpeg";
  if (starts(0, 0x52, 0x49, 0x46, 0x46) && starts(8, 0x57, 0x45, 0x42, 0x50)) return "webp";
  return undefined;
}

function unreadable(name: string, error: unknown): SkeinError {
  const text = error instanceof Error ? error.message : String(error);
  const reason = text.split("\n")[0]!.trim().replace(/\.$/, "");
  return new SkeinError("IMAGE_UNREADABLE", { name, reason }, { cause: error });
}

/** @throws IMAGE_TOO_LARGE from the header alone, before anything is decoded. */
async function readHeader(input: Uint8Array, name: string): Promise<Metadata> {
  let header: Metadata;
  try {
    header = await sharp(input, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw unreadable(name, error);
  }
  const pixels = header.width * header.height;
  if (pixels > LIMITS.imagePixelsMax)
    throw new SkeinError("IMAGE_TOO_LARGE", { name, pixels, limit: LIMITS.imagePixelsMax });
  return header;
}

/**
 * Decodes PNG, JPEG or WebP; turns it upright by its EXIF orientation and lays it on white paper.
 * @throws INPUT_EMPTY, IMAGE_UNREADABLE (another format, cut short, damaged), IMAGE_TOO_LARGE.
 */
export async function decodeImage(input: Uint8Array, name: string): Promise<PageImage> {
  if (input.length === 0) throw new SkeinError("INPUT_EMPTY", { name });
  if (!formatOf(input))
    throw new SkeinError("IMAGE_UNREADABLE", { name, reason: "its content is none of these formats" });
  const header = await readHeader(input, name);
  try {
    const image = sharp(input, { limitInputPixels: LIMITS.imagePixelsMax, failOn: "error", sequentialRead: true })
      .autoOrient()
      .resize({ width: sideMax, height: sideMax, fit: "inside", withoutEnlargement: true })
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" });
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`it decodes to ${info.channels} channels`);
    const raster = { width: info.width, height: info.height, pixels: data };
    return { width: header.autoOrient.width, height: header.autoOrient.height, raster };
  } catch (error) {
    throw unreadable(name, error);
  }
}

/** Scales without keeping the aspect, for the fixed grid of a model. */
export async function resizeRaster(raster: Raster, width: number, height: number): Promise<Raster> {
  if (raster.width === width && raster.height === height) return raster;
  const raw = { width: raster.width, height: raster.height, channels: 3 } as const;
  const pixels = await sharp(raster.pixels, { raw, limitInputPixels: false })
    .resize({ width, height, fit: "fill" })
    .raw()
    .toBuffer();
  return { width, height, pixels };
}
