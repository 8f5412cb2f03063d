import { type InferenceSession, Tensor } from "onnxruntime-node";
import { decodeCtc, type ReadLine } from "./ctc.ts";
import { type Piece, piecesOf } from "./pieces.ts";
import { type LeaningBox, type Pyramid, sampleBox } from "./raster.ts";

/** The recogniser reads strips of this height. */
export const rowsOfStrip = 48;
/**
 * Longer lines are cut. Of lines of 110 to 170 characters the recogniser finds 37 % of the words in one squeezed strip of
 * 1280, 98.6 % in pieces of up to 1280, 99.5 % of up to 800, 96.9 % of up to 480.
 */
export const stripWidthMax = 800;
const columnsMin = 16;
/**
 * Strips are padded to a multiple of this. A strip is always run alone and always in the same width, so its text does not
 * depend on what else is on the page or on how a job was split. Wide steps cost more than time: the padding competes with
 * the narrow gaps between words.
 */
const stripStep = 64;

/** A strip as the recogniser takes it: planes of blue, green and red, zeros behind the piece's end. */
export function stripOf(pyramid: Pyramid, box: LeaningBox): { planes: Float32Array; width: number } {
  const natural = Math.round((rowsOfStrip * box.width) / box.height);
  const columns = Math.min(Math.max(natural, columnsMin), stripWidthMax);
  const width = Math.ceil(columns / stripStep) * stripStep;
  const planes = new Float32Array(3 * rowsOfStrip * width);
  sampleBox(pyramid, box, columns, rowsOfStrip, planes, width);
  return { planes, width };
}

async function readStrip(
  session: InferenceSession,
  characters: readonly string[],
  pyramid: Pyramid,
  box: LeaningBox,
): Promise<ReadLine> {
  const { planes, width } = stripOf(pyramid, box);
  const feeds = { [session.inputNames[0]!]: new Tensor("float32", planes, [1, 3, rowsOfStrip, width]) };
  const output = (await session.run(feeds))[session.outputNames[0]!]!;
  return decodeCtc(output.data as Float32Array, characters);
}

/** The pieces of one line, as it is read in strips. */
export const stripPieces = (pyramid: Pyramid, box: LeaningBox): Piece[] =>
  piecesOf(pyramid, box, rowsOfStrip, stripWidthMax);

const printed = (text: string): number => text.replaceAll(" ", "").length;

/** A line from its pieces in order. */
export function joinedLine(pieces: readonly (ReadLine & Pick<Piece, "spaceBefore">)[]): ReadLine {
  let text = "";
  let scoreSum = 0;
  for (const read of pieces) {
    text += (read.spaceBefore && text !== "" ? " " : "") + read.text;
    scoreSum += read.score * printed(read.text);
  }
  return { text, score: text === "" ? 0 : scoreSum / printed(text) };
}

/** Reads one line, in one strip or several. */
export async function readLine(
  session: InferenceSession,
  characters: readonly string[],
  pyramid: Pyramid,
  box: LeaningBox,
): Promise<ReadLine> {
  const pieces: (ReadLine & Pick<Piece, "spaceBefore">)[] = [];
  for (const { box: part, spaceBefore } of stripPieces(pyramid, box))
    pieces.push({ ...(await readStrip(session, characters, pyramid, part)), spaceBefore });
  return joinedLine(pieces);
}
