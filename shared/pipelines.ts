/** What a client must know of a pipeline to hand files in and to show what comes out. */
import { readCanaryOutput } from "./canary.ts";
import { readPageText } from "./page-text.ts";
import { tensorsText } from "./tensor-text.ts";

export interface PipelineFiles {
  /** Names of the files it takes out of a folder. */
  takes: RegExp;
  /** The same in words, as in "has no ... files". */
  says: string;
  /** What one of them is called, and what was done with it. */
  item: { noun: string; done: string };
  /** An output as text for a person. @throws BAD_REQUEST if it is not one */
  textOf(output: Uint8Array): string;
}

const OCR: PipelineFiles = {
  takes: /\.(png|jpe?g|webp)$/i,
  says: "PNG, JPEG or WebP",
  item: { noun: "page", done: "read" },
  textOf: (output) => readPageText(output).text,
};
const CANARY: PipelineFiles = {
  takes: /\.json$/i,
  says: "JSON",
  item: { noun: "item", done: "done" },
  textOf: (output) => readCanaryOutput(output).digest,
};

/** Requests of the Open Inference Protocol, in the two forms of shared/tensors.ts. */
const MODEL: PipelineFiles = {
  takes: /\.(json|bin)$/i,
  says: "JSON or BIN",
  item: { noun: "item", done: "done" },
  textOf: tensorsText,
};

/** Whatever does not come with the agent is a model; one that nobody knows is asked for all the same: the fleet then says what it knows. */
export function filesOf(pipeline: string): PipelineFiles {
  if (pipeline === "ocr") return OCR;
  return pipeline === "canary" ? CANARY : MODEL;
}
