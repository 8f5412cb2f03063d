import { type InferenceSession, Tensor } from "onnxruntime-node";
import { decodeCtc, type ReadLine } from "./ctc.ts";
import { type LeaningBox, type Pyramid, sampleBox } from "./raster.ts";

/** The recogniser reads strips of this height. */
export const rowsOfStrip = 48;
const columnsMin = 16;
/**
 * Strips are padded to a multiple of this, and squeezed to the widest. A line is always run alone and always in the same
 * width, so its text does not depend on what else is on the page or on how a job was split. Wide steps cost more than
 * time: the padding competes with the narrow gaps between words.
 */
const stripStep = 64;
export const stripWidthMax = 1280;

export const stripWidthFor = (columns: number): number =>
  Math.min(Math.ceil(columns / stripStep) * stripStep, stripWidthMax);

/** Reads one line. */
export async function readStrip(
  session: InferenceSession,
  characters: readonly string[],
  pyramid: Pyramid,
  box: LeaningBox,
): Promise<ReadLine> {
  const natural = Math.round((rowsOfStrip * box.width) / box.height);
  const columns = Math.min(Math.max(natural, columnsMin), stripWidthMax);
  const width = stripWidthFor(columns);
  const planes = new Float32Array(3 * rowsOfStrip * width);
  sampleBox(pyramid, box, columns, rowsOfStrip, planes, width);
  const feeds = { [session.inputNames[0]!]: new Tensor("float32", planes, [1, 3, rowsOfStrip, width]) };
  const output = (await session.run(feeds))[session.outputNames[0]!]!;
  return decodeCtc(output.data as Float32Array, characters);
}
