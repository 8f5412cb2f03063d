import { type InferenceSession, Tensor } from "onnxruntime-node";
import { type Component, componentsOf } from "./components.ts";
import { resizeRaster } from "./image.ts";
import type { LeaningBox, Raster } from "./raster.ts";
import { boxAtAngle, convexHull, type Point, smallestBox } from "./rectangle.ts";

/** The detector sees at most this many pixels of the long side; each side a multiple of `sideStep` (its five halvings). */
const sideMax = 960;
const sideStep = 32;
/** DB post-processing: pixels above it are text; smaller or fainter areas are specks. */
const pixelScoreMin = 0.3;
const boxScoreMin = 0.5;
const areaMin = 10;
/**
 * The detector was trained on shrunken boxes; each is grown back by area x ratio / perimeter on every side. From 2 to 2.5
 * the bundled pages keep 99 % of their words; tighter boxes lose spaces, wider ones letters (97.5 % at 2.8).
 */
const growRatio = 2;
/** A box this many times as long as high knows its own lean; a shorter one takes the page's. */
const ownLeanAspect = 4;
/** Bounds the work one noisy page can cause; the largest areas are kept. */
const boxesMax = 1_000;

const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];
/** For each channel of blue, green, red: byte to normalised value. The constants are in that order in the training code. */
const normalised = mean.map((middle, channel) =>
  Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - middle) / deviation[channel]!),
);

export function detectionSize(width: number, height: number): { width: number; height: number } {
  const scale = Math.min(1, sideMax / Math.max(width, height));
  const side = (length: number): number => Math.max(sideStep, Math.round((length * scale) / sideStep) * sideStep);
  return { width: side(width), height: side(height) };
}

/** Planes of blue, green, red, normalised. */
function planesOf(raster: Raster): Float32Array {
  const plane = raster.width * raster.height;
  const planes = new Float32Array(plane * 3);
  const [blue, green, red] = normalised as [Float32Array, Float32Array, Float32Array];
  for (let at = 0, from = 0; at < plane; at++, from += 3) {
    planes[at] = blue[raster.pixels[from + 2]!]!;
    planes[at + plane] = green[raster.pixels[from + 1]!]!;
    planes[at + plane * 2] = red[raster.pixels[from]!]!;
  }
  return planes;
}

/** Convex hull of a component in pixels of the page: a map pixel is an area, so its corners count. */
function hullOf(component: Component, scaleX: number, scaleY: number): Point[] {
  const points: Point[] = [];
  for (let at = 0; at < component.rows.length; at += 3) {
    const top = component.rows[at]! * scaleY;
    const left = component.rows[at + 1]! * scaleX;
    const right = (component.rows[at + 2]! + 1) * scaleX;
    points.push([left, top], [left, top + scaleY], [right, top], [right, top + scaleY]);
  }
  return convexHull(points);
}

/** Weighted by length, so that one long line outweighs many specks. */
function medianLean(boxes: readonly LeaningBox[]): number {
  const long = boxes.filter((box) => box.width >= ownLeanAspect * box.height).sort((a, b) => a.angle - b.angle);
  let left = long.reduce((sum, box) => sum + box.width, 0) / 2;
  for (const box of long) {
    left -= box.width;
    if (left <= 0) return box.angle;
  }
  return 0;
}

function grown(box: LeaningBox): LeaningBox {
  const margin = (box.width * box.height * growRatio) / (2 * (box.width + box.height));
  return { ...box, width: box.width + 2 * margin, height: box.height + 2 * margin };
}

/** Boxes around lines of text, in pixels of a page of the given size, and how far the page leans (radians). */
export function boxesOf(
  map: Float32Array,
  mapSize: { width: number; height: number },
  page: { width: number; height: number },
): { boxes: LeaningBox[]; lean: number } {
  const scaleX = page.width / mapSize.width;
  const scaleY = page.height / mapSize.height;
  const hulls = componentsOf(map, mapSize.width, mapSize.height, pixelScoreMin)
    .filter((component) => component.area >= areaMin && component.score >= boxScoreMin)
    .sort((a, b) => b.area - a.area)
    .slice(0, boxesMax)
    .map((component) => hullOf(component, scaleX, scaleY));
  const tight = hulls.map(smallestBox);
  const lean = medianLean(tight);
  const boxes = tight.map((box, at) =>
    grown(box.width >= ownLeanAspect * box.height ? box : boxAtAngle(hulls[at]!, lean)),
  );
  return { boxes, lean };
}

/** A page as the detector takes it: planes of blue, green and red, in a size of its own. */
export async function detectionInput(page: Raster): Promise<{ planes: Float32Array; width: number; height: number }> {
  const { width, height } = detectionSize(page.width, page.height);
  return { planes: planesOf(await resizeRaster(page, width, height)), width, height };
}

/** Finds the lines of text on a page. */
export async function detectLines(
  session: InferenceSession,
  page: Raster,
): Promise<{ boxes: LeaningBox[]; lean: number }> {
  const { planes, ...size } = await detectionInput(page);
  const feeds = { [session.inputNames[0]!]: new Tensor("float32", planes, [1, 3, size.height, size.width]) };
  const output = (await session.run(feeds))[session.outputNames[0]!]!;
  return boxesOf(output.data as Float32Array, size, page);
}
