/** What a client must know of a pipeline to hand files in and to show what comes out. */
import { readCanaryOutput } from "./canary.ts";
import { readPageText } from "./page-text.ts";

export interface PipelineFiles {
  /** Names of the files it takes out of a folder. */
  takes: RegExp;
  /** The same in words, as in "has no ... files". */
  says: string;
  /** An output as text for a person. @throws BAD_REQUEST if it is not one */
  textOf(output: Uint8Array): string;
}

const OCR: PipelineFiles = {
  takes: /\.(png|jpe?g|webp)$/i,
  says: "PNG, JPEG or WebP",
  textOf: (output) => readPageText(output).text,
};
const CANARY: PipelineFiles = {
  takes: /\.json$/i,
  says: "JSON",
  textOf: (output) => readCanaryOutput(output).digest,
};

/** One that is not known here is asked for all the same: the fleet then says what it knows. */
export const filesOf = (pipeline: string): PipelineFiles => (pipeline === "canary" ? CANARY : OCR);
